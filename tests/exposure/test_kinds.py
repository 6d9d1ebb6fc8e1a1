"""What an exposure is for: shutter, time, FrameType and IMAGETYP follow from it."""

from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.config import SiteConfig
from archon_ioc.errors import InputError
from archon_ioc.exposure import kinds
from archon_ioc.exposure.settings import ExposureSettings, FrameType, ImageMode

SITE: dict[str, Any] = {
    "exposure_types": {
        "twilight": {"frame_type": "FlatField", "word": "skyflat"},
        "darkflat": {"frame_type": "FlatField", "shutter": False},
    }
}
KINDS = kinds.of(SiteConfig.model_validate(SITE))


def test_every_site_has_the_types_of_astronomers() -> None:
    assert list(kinds.of(SiteConfig())) == ["object", "arc", "flat", "dark", "bias"]


@pytest.mark.parametrize(
    ("name", "frame_type", "takes_light", "seconds", "word"),
    [
        ("object", FrameType.NORMAL, True, 0.1, "object"),
        ("arc", FrameType.NORMAL, True, 0.1, "arc"),
        ("flat", FrameType.FLAT_FIELD, True, 0.1, "flat"),
        ("dark", FrameType.BACKGROUND, False, 0.1, "dark"),
        ("bias", FrameType.BACKGROUND, False, 0.0, "bias"),
        ("twilight", FrameType.FLAT_FIELD, True, 0.1, "skyflat"),
        ("darkflat", FrameType.FLAT_FIELD, False, 0.1, "darkflat"),
    ],
)
async def test_an_exposure_of_a_type(
    benches, name: str, frame_type: FrameType, takes_light: bool, seconds: float, word: str
) -> None:
    async with benches(site=SITE) as bench:
        bench.camera.change(seconds=0.1, **kinds.changes(name, bench.camera.state.exposure_types))
        states = bench.note_states()
        await bench.camera.acquire()
        header = fits.getheader(bench.folder / bench.files[0])
        assert (header["IMAGETYP"], header["EXPTIME"]) == (word, seconds)
        assert any(state.shutter_open for state in states) is takes_light
        settings = bench.camera.state.settings
        assert (settings.frame_type, settings.seconds, kinds.shown(settings)) == (frame_type, 0.1, name)


def test_an_unknown_type() -> None:
    with pytest.raises(InputError, match="no exposure type 'comet', but object, arc"):
        kinds.changes("comet", KINDS)


@pytest.mark.parametrize(("frame_type", "name"), [(0, "object"), (1, "dark"), (2, "flat")])
def test_the_frame_type_chooses_the_type(frame_type: int, name: str) -> None:
    settings = ExposureSettings().changed(**kinds.changes("darkflat", KINDS)).changed(frame_type=frame_type)
    assert kinds.shown(settings) == kinds.word(settings) == name
    assert settings.takes_light is (name != "dark")


def test_a_kept_type_is_what_the_site_file_says_now() -> None:
    old = ExposureSettings().changed(**kinds.changes("twilight", KINDS))
    other = SiteConfig.model_validate({"exposure_types": {"twilight": {"word": "dusk"}}})
    new = kinds.checked(old, kinds.of(other))
    assert (new.image_type, new.frame_type) == ("dusk", FrameType.NORMAL)
    assert kinds.shown(kinds.checked(old, kinds.of(SiteConfig()))) == "flat"
    assert kinds.checked(ExposureSettings(), KINDS) == ExposureSettings()


async def test_each_image_is_followed_by_a_dark(bench) -> None:
    bench.camera.change(
        seconds=0.05, with_dark=True, image_mode=ImageMode.MULTIPLE, num_images=2,
        **kinds.changes("arc", bench.camera.state.exposure_types),
    )  # fmt: skip
    await bench.camera.acquire()
    headers = [fits.getheader(bench.folder / name) for name in bench.files]
    assert [header["IMAGETYP"] for header in headers] == ["arc", "dark"] * 2
    assert {header["EXPTIME"] for header in headers} == {0.05}
    assert bench.camera.state.images_done == 4


async def test_a_dark_is_not_followed_by_another(bench) -> None:
    bench.camera.change(seconds=0.01, with_dark=True, frame_type=FrameType.BACKGROUND)
    await bench.camera.acquire()
    assert len(bench.files) == 1

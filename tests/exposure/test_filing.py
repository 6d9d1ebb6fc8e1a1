"""Where images go and under which number, also after a crash, without room, and while clients write settings."""

import asyncio
import hashlib
import json
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.errors import InputError, SaveError, StateError
from archon_ioc.exposure.phase import Outcome


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let the system refuse to make a file longer than ``size`` bytes, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def kept_number(bench) -> int:
    return json.loads((bench.folder.parent / "state" / "settings-ARCHON.json").read_text())["files"]["number"]


# Numbers


async def test_the_number_counts_up_and_is_kept(benches) -> None:
    async with benches() as bench:
        await bench.good()
        await bench.good()
        assert bench.camera.filing.settings.number == kept_number(bench) == 3
    async with benches() as bench:
        assert bench.camera.filing.settings.number == 3
        await bench.good()
        assert bench.files == ["archon_0001.fits", "archon_0002.fits", "archon_0003.fits"]


async def test_a_number_is_kept_before_its_file_can_exist(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[str, int]] = []
    link = os.link

    def noting(part: Path, path: Path) -> None:
        kept.append((Path(path).name, kept_number(bench)))
        link(part, path)

    monkeypatch.setattr(os, "link", noting)
    await bench.good()
    await bench.good()
    assert kept == [("archon_0001.fits", 2), ("archon_0002.fits", 3)]


async def test_names_that_exist_are_passed_over(bench) -> None:
    for n in (1, 2, 4):
        (bench.folder / f"archon_000{n}.fits").write_text("somebody else's")
    await bench.good()
    assert bench.camera.state.file.full_name.endswith("archon_0003.fits")
    await bench.good()
    assert bench.camera.state.file.full_name.endswith("archon_0005.fits")
    assert (bench.folder / "archon_0004.fits").read_text() == "somebody else's"


async def test_a_number_is_passed_over_when_one_ccd_has_it(benches) -> None:
    detectors = [{"name": "red", "taps": ["AD1L"]}, {"name": "blue", "taps": ["AD2R"]}]
    async with benches(site={"detectors": detectors}) as bench:
        (bench.folder / "archon_0001_blue.fits").touch()
        bench.camera.change(seconds=0.0)
        await bench.camera.acquire()
        assert bench.files == ["archon_0001_blue.fits", "archon_0002_blue.fits", "archon_0002_red.fits"]


async def test_without_autoincrement_nothing_is_written_over(bench) -> None:
    await bench.camera.filing.change(auto_increment=False, number=7)
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    held = len(bench.device.commands)
    with pytest.raises(StateError, match=r"archon_0007\.fits: it exists already"):
        await bench.camera.acquire()
    assert "HOLDTIMING" not in bench.device.commands[held:], "no light is taken that cannot be kept"
    assert (bench.files, bench.camera.filing.settings.number) == (["archon_0007.fits"], 7)


async def test_a_number_that_failed_is_not_used_again(bench) -> None:
    bench.camera.change(seconds=0.0)
    with files_at_most(2048), pytest.raises(SaveError):
        await bench.camera.acquire()
    assert bench.camera.filing.settings.number == 2
    await bench.good()
    assert bench.files == ["archon_0002.fits"]


async def test_without_a_place_for_the_number_images_are_still_written(bench, caplog: pytest.LogCaptureFixture) -> None:
    (bench.folder.parent / "state").write_text("a file where the folder should be")
    await bench.good()
    await bench.good()
    assert "the next file number is not kept: cannot write" in caplog.text
    assert bench.files == ["archon_0001.fits", "archon_0002.fits"]


# Room


async def test_a_disk_that_is_full_halfway(bench) -> None:
    bench.camera.change(seconds=0.0)
    with files_at_most(2048), pytest.raises(SaveError, match=r"cannot write .*archon_0001\.fits: File too large"):
        await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, state.file.error, state.file.full_name) == (Outcome.FAILED, True, "")
    assert "File too large" in state.file.message
    assert "File too large" in state.message
    assert list(bench.folder.iterdir()) == [], "nothing is left behind"
    await bench.camera.filing.write()
    state = bench.camera.state
    assert (bench.files, state.file.error, state.file.message) == (["archon_0002.fits"], False, "")


async def test_a_disk_that_is_full_before(bench) -> None:
    with pytest.raises(StateError, match=r"the disk of .* is full: .* MB are free"):
        await bench.camera.filing.require_room(1 << 60)
    await bench.camera.filing.change(auto_save=False)
    await bench.camera.filing.require_room(1 << 60)


# Folders


@pytest.mark.parametrize(
    ("levels", "exists"), [(0, False), (-1, False), (-2, True), (-9, True), (99, False), (1, True)]
)
async def test_folders_are_made_as_far_as_allowed(bench, levels: int, exists: bool) -> None:
    await bench.camera.filing.change(create_directory=levels)
    wanted = bench.folder / "2026" / "night"
    await bench.camera.filing.change(path=str(wanted))
    assert bench.camera.filing.settings.path == f"{wanted}/"
    assert bench.camera.state.file.path_exists is wanted.is_dir() is exists
    bench.camera.change(seconds=0.0)
    if exists:
        await bench.camera.acquire()
        assert bench.camera.state.file.full_name == f"{wanted}/archon_0001.fits"
    else:
        with pytest.raises(StateError, match=r"files cannot be written: .*night/ does not exist"):
            await bench.camera.acquire()
        assert "HOLDTIMING" not in bench.device.commands, "no light is taken that cannot be kept"
        await bench.camera.filing.change(path=str(bench.folder))
        await bench.good()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/null/images", "/proc/images"])
async def test_folders_that_cannot_be(bench, path: str) -> None:
    await bench.camera.filing.change(path=path)
    assert not bench.camera.state.file.path_exists
    assert path in bench.camera.state.file.message
    with pytest.raises(StateError, match=f"files cannot be written: {path}"):
        await bench.camera.acquire()
    await bench.camera.filing.change(path=str(bench.folder))
    assert bench.camera.state.file.message == ""
    await bench.good()


async def test_a_folder_that_vanishes_before_the_image_is_there(bench) -> None:
    wanted = bench.folder / "short-lived"
    await bench.camera.filing.change(path=str(wanted), create_directory=-1)
    bench.camera.change(seconds=0.3)
    client = bench.start()
    await bench.until(lambda state: state.remaining > 0)
    wanted.rmdir()
    with pytest.raises(SaveError, match="No such file"):
        await client
    wanted.mkdir()
    await bench.camera.filing.write()
    assert [path.name for path in wanted.iterdir()] == ["archon_0002.fits"]


async def test_settings_may_come_in_any_order_and_at_once(bench) -> None:
    wanted = bench.folder / "deep" / "er"
    await asyncio.gather(
        bench.camera.filing.change(path=str(wanted)),
        bench.camera.filing.change(name="m31"),
        bench.camera.filing.change(template="%s%s-%d.fits"),
        bench.camera.filing.change(number=42),
        bench.camera.filing.change(create_directory=-2),
    )
    assert bench.camera.state.file.path_exists
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    assert bench.camera.state.file.full_name == f"{wanted}/m31-42.fits"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": -1}, "a file number is 0 to"),
        ({"template": "%s%s%s%s"}, "'%d' is possible here"),
        ({"template": "%s%s_%d.fits.gz"}, "would be a compressed file"),
        ({"name": "a/"}, "is not the name of a file"),
    ],
)
async def test_names_that_cannot_be(bench, changes: dict[str, Any], message: str) -> None:
    if "name" in changes:
        await bench.camera.filing.change(template="%s%s")
    before = bench.camera.filing.settings
    with pytest.raises(InputError, match=message):
        await bench.camera.filing.change(**changes)
    assert bench.camera.filing.settings == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "a/b"}, "there is no folder"),
        ({"name": "n" * 254}, "longer than"),
        ({"template": "%s%s.fits"}, "no number"),
    ],
)
async def test_a_name_that_cannot_be_is_told_before_the_exposure(bench, changes: dict[str, str], words: str) -> None:
    bench.camera.change(seconds=0.0)
    await bench.camera.filing.change(template="%s%s.fits")
    await bench.camera.acquire()
    await bench.camera.filing.change(**changes)
    before = len(bench.device.commands)
    with pytest.raises(StateError, match=words):
        await bench.camera.acquire()
    assert "HOLDTIMING" not in bench.device.commands[before:]


async def test_an_empty_name_may_be_set_first(bench) -> None:
    await bench.camera.filing.change(name="")
    await bench.camera.filing.change(template="%s%s")
    bench.camera.change(seconds=0.0)
    with pytest.raises(StateError, match="is not the name of a file"):
        await bench.camera.acquire()
    await bench.camera.filing.change(name="m31")
    await bench.camera.acquire()
    assert bench.files == ["m31"]


# Written later


async def test_without_autosave_an_image_is_written_when_asked(bench) -> None:
    await bench.camera.filing.change(auto_save=False)
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    assert (bench.files, bench.camera.state.image.unique_id) == ([], 1)
    assert bench.camera.state.file.held_bytes == 48 * 40 * 2
    await bench.camera.filing.write()
    assert bench.files == ["archon_0001.fits"]
    await bench.camera.filing.write()
    assert bench.files == ["archon_0001.fits", "archon_0002.fits"]


async def test_an_image_that_was_dropped(bench) -> None:
    await bench.good()
    bench.camera.filing.drop()
    assert bench.camera.state.file.held_bytes == 0
    with pytest.raises(StateError, match="there is no image to write"):
        await bench.camera.filing.write()
    await bench.good()


async def test_without_an_image_there_is_nothing_to_write(bench) -> None:
    with pytest.raises(StateError, match="there is no image to write yet"):
        await bench.camera.filing.write()
    file = bench.camera.state.file
    assert (file.error, file.writing) == (False, False)
    await bench.good()
    assert not bench.camera.state.file.error


async def test_two_writes_at_once_take_turns(bench, held_disk: threading.Event) -> None:
    await bench.camera.filing.change(auto_save=False)
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    both = asyncio.gather(bench.camera.filing.write(), bench.camera.filing.write())
    await bench.until(lambda state: state.file.writing)
    assert bench.files == []
    held_disk.set()
    await both
    assert bench.files == ["archon_0001.fits", "archon_0002.fits"]


# Fields, folders of the night, and what comes next


def night() -> str:
    """The Modified Julian Date, which is that of the test unless it runs at midnight."""
    return str(int(datetime.now(UTC).timestamp() // 86_400) + 40_587)


async def test_files_go_to_the_folder_of_the_night(benches) -> None:
    site = {"header": {"observatory": "LCO"}}
    async with benches(site=site) as bench:
        await bench.camera.filing.change(create_directory=0, date_folder="mjd")
        await bench.camera.filing.change(name="{observatory}-{mjd}-{number:08d}", template="%s%s.fits")
        assert (bench.folder / night()).is_dir(), "that of the night is made in any case"
        await bench.camera.filing.change(date_folder="none")
        await bench.camera.filing.change(date_folder="mjd")
        bench.camera.change(seconds=0.0)
        await bench.camera.acquire()
        await bench.camera.acquire()
        state = bench.camera.state
    assert state.file.full_name == f"{bench.folder}/{night()}/LCO-{night()}-00000002.fits"
    assert state.file.next_name == f"{bench.folder}/{night()}/LCO-{night()}-00000003.fits"
    assert state.settings.files.path == f"{bench.folder}/", "what was put is what is read back"
    assert [path.name for path in sorted((bench.folder / night()).iterdir())] == [
        f"LCO-{night()}-0000000{n}.fits" for n in (1, 2)
    ]


async def test_a_path_may_have_the_date(bench) -> None:
    await bench.camera.filing.change(path=f"{bench.folder}/%Y/{{date}}")
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert bench.camera.state.file.full_name == f"{bench.folder}/{today[:4]}/{today}/archon_0001.fits"
    assert bench.camera.state.file.path_exists


@pytest.mark.parametrize("changes", [{"path": "/data/{ccd}"}, {"name": "{night}"}, {"template": "%s{x}%s.fits"}])
async def test_fields_that_there_are_not_are_refused(bench, changes: dict[str, str]) -> None:
    before = bench.camera.filing.settings
    with pytest.raises(InputError, match="is not one of"):
        await bench.camera.filing.change(**changes)
    assert bench.camera.filing.settings == before


async def test_the_next_name_is_told(bench) -> None:
    await bench.camera.filing.change(number=7)
    assert bench.camera.state.file.next_name == f"{bench.folder}/archon_0007.fits"
    (bench.folder / "archon_0007.fits").touch()
    await bench.camera.filing.change(compression="none")
    assert bench.camera.state.file.next_name == f"{bench.folder}/archon_0008.fits"
    await bench.camera.filing.change(compression="rice", layout="controller")
    assert bench.camera.state.file.next_name == f"{bench.folder}/archon_0007.fits.fz"
    bench.camera.change(seconds=0.0)
    expected = bench.camera.state.file.next_name
    await bench.camera.acquire()
    assert bench.camera.state.file.full_name == expected


async def test_a_sum_stands_beside_each_file(bench) -> None:
    await bench.camera.filing.change(checksum="sha256", compression="gzip")
    await bench.camera.filing.change(name="m31")
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    assert bench.files == ["m31_0001.fits.gz", "m31_0001.fits.gz.sha256"]
    image, digest = (bench.folder / name for name in bench.files)
    assert digest.read_text() == f"{hashlib.sha256(image.read_bytes()).hexdigest()}  {image.name}\n"


async def test_a_number_whose_sum_is_there_is_passed_over(bench) -> None:
    (bench.folder / "archon_0001.fits.md5").touch()
    await bench.camera.filing.change(checksum="md5")
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    assert bench.files == ["archon_0001.fits.md5", "archon_0002.fits", "archon_0002.fits.md5"]


# Two programs


async def test_two_cameras_that_share_a_folder_never_take_the_same_number(benches) -> None:
    async with benches() as one, benches() as other:
        for _ in range(3):
            for bench in (one, other):
                bench.camera.change(seconds=0.0)
            await asyncio.gather(one.camera.acquire(), other.camera.acquire())
        names = {one.camera.state.file.full_name, other.camera.state.file.full_name}
        assert len(names) == 2
    assert one.files == [f"archon_000{n}.fits" for n in range(1, 7)]


async def test_a_number_that_is_put_holds_for_the_other_program_too(benches) -> None:
    async with benches() as one, benches() as other:
        await one.camera.filing.change(number=40)
        await other.good()
        await one.good()
    assert one.files == ["archon_0040.fits", "archon_0041.fits"]

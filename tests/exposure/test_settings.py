"""What may be set before an exposure, and what of it is found again after a restart."""

import dataclasses
import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.config import FilesConfig
from archon_ioc.errors import InputError, SaveError
from archon_ioc.exposure.settings import (
    ExposureSettings,
    FileSettings,
    FrameType,
    ImageMode,
    SettingsFile,
    ShutterMode,
    TriggerMode,
    default_files,
)

DEFAULT = ExposureSettings(files=FileSettings(path="/data/", name="m31"))
OTHER = ExposureSettings(
    seconds=2.5, period=10.0, image_mode=ImageMode.MULTIPLE, num_images=3, num_exposures=4,
    frame_type=FrameType.BACKGROUND, trigger_mode=TriggerMode.EXTERNAL, shutter_mode=ShutterMode.EPICS_PV,
    shutter_open_delay=0.25, shutter_close_delay=0.5, min_x=1, min_y=2, size_x=3, size_y=4, reverse_x=True,
    reverse_y=True, array_callbacks=False, wait_for_plugins=False,
    attributes_file="a.xml", attributes_macros="P=X:", header_file="a.json", header_json="{}", quick_look=False,
    readout=False, readout_delay=1.5, exposure_type="twilight", image_type="flat", opens_shutter=False, zero_time=True,
    with_dark=True, flush_count=3, abort_flush=True,
    files=FileSettings(
        "/other/", "n", "%s%s%d.fits", 77, False, False, 2, layout="mef", compression="rice", checksum="md5",
        date_folder="mjd",
    ),
)  # fmt: skip


# Values


@pytest.mark.parametrize("name", ["layout", "compression", "checksum", "date_folder"])
def test_how_files_are_written_is_one_of_a_few_words(name: str) -> None:
    assert getattr(FileSettings().changed(**{name: "controller" if name == "layout" else "none"}), name)
    with pytest.raises(InputError, match=f"{name.replace('_', ' ')} is one of "):
        FileSettings().changed(**{name: "zip"})


def test_the_site_file_says_what_files_are_like_at_first() -> None:
    config = FilesConfig(path=Path("a"), name="n", layout="mef", compression="gzip", checksum="md5", date_folder="sjd")
    expected = FileSettings(
        f"{Path.cwd()}/a/", "n", layout="mef", compression="gzip", checksum="md5", date_folder="sjd"
    )
    assert default_files(config) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seconds": -0.001}, "an exposure takes 0 to 36000 s, not -0.001"),
        ({"seconds": 36000.1}, "an exposure takes 0 to 36000 s"),
        ({"seconds": math.nan}, "an exposure takes 0 to 36000 s, not nan"),
        ({"seconds": math.inf}, "an exposure takes 0 to 36000 s, not inf"),
        ({"num_images": 0}, "at least one image"),
        ({"num_exposures": 0}, "at least one image and one exposure"),
        ({"period": -1.0}, "a time is a number of seconds from 0 on"),
        ({"period": math.nan}, "a time is a number of seconds"),
        ({"period": math.inf}, "a time is a number of seconds"),
        ({"shutter_open_delay": -0.1}, "a time is a number of seconds"),
        ({"shutter_close_delay": math.nan}, "a time is a number of seconds"),
        ({"min_x": -1}, "a window cannot be negative"),
        ({"size_y": -1}, "a window cannot be negative"),
        ({"frame_type": FrameType.DBL_CORRELATION}, "choose Normal"),
        ({"frame_type": 3}, "choose Normal"),
        ({"image_mode": 3}, "3 is not a valid ImageMode"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DEFAULT.changed(**changes)


def test_the_limits_are_possible() -> None:
    assert DEFAULT.changed(seconds=0.0).changed(seconds=36000.0).seconds == 36000.0


@pytest.mark.parametrize("number", [-1, 1 << 31])
def test_file_numbers_are_those_of_a_record(number: int) -> None:
    assert FileSettings().changed(number=0).changed(number=(1 << 31) - 1).number == 2147483647
    with pytest.raises(InputError, match=f"0 to 2147483647, not {number}"):
        FileSettings().changed(number=number)


@pytest.mark.parametrize(
    ("mode", "images"), [(ImageMode.SINGLE, 1), (ImageMode.MULTIPLE, 5), (ImageMode.CONTINUOUS, None)]
)
def test_how_many_images_one_acquire_takes(mode: ImageMode, images: int | None) -> None:
    assert DEFAULT.changed(image_mode=mode, num_images=5).images == images


def test_a_choice_may_be_given_by_its_number() -> None:
    assert DEFAULT.changed(shutter_mode=1).shutter_mode is ShutterMode.EPICS_PV


def test_a_dark_takes_no_light() -> None:
    assert [DEFAULT.changed(frame_type=kind).takes_light for kind in (0, 1, 2)] == [True, False, True]


# The file


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "state" / "settings.json"


@pytest.fixture
def settings_file(kept: Path) -> SettingsFile:
    return SettingsFile(kept.parent, DEFAULT)


def write(kept: Path, content: object) -> None:
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(content if isinstance(content, str) else json.dumps(content))


def test_every_setting_is_found_again(settings_file: SettingsFile) -> None:
    fields = [field.name for field in dataclasses.fields(ExposureSettings)]
    assert [name for name in fields if getattr(OTHER, name) == getattr(DEFAULT, name)] == [], "the test is too weak"
    settings_file.save(OTHER)
    found = settings_file.load()
    assert found == OTHER
    assert isinstance(found.image_mode, ImageMode)


def test_without_a_file_there_are_the_defaults(settings_file: SettingsFile) -> None:
    assert settings_file.load() is DEFAULT


def test_an_old_file_lacks_some(settings_file: SettingsFile, kept: Path) -> None:
    write(kept, {"seconds": 3, "files": {"number": 12}})
    assert settings_file.load() == DEFAULT.changed(seconds=3.0, files=DEFAULT.files.changed(number=12))


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": "3"}, {"seconds": -1}, {"seconds": None}, {"seconds": True}, {"num_images": 2.5},
        {"num_images": 0}, {"reverse_x": "No"}, {"reverse_x": 1}, {"image_mode": 9}, {"image_mode": "Single"},
        {"frame_type": 3}, {"unknown": 1}, {"images": 1}, {"changed": 1}, {"files": {"number": -1}},
        {"files": {"number": "7"}}, {"files": {"name": 5}}, {"files": {"auto_save": 0}}, {"files": {"colour": 1}},
    ],
)  # fmt: skip
def test_one_wrong_entry_costs_only_itself(
    settings_file: SettingsFile, kept: Path, wrong: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    files = {"path": "/right/", **wrong.get("files", {})}
    write(kept, {"min_y": 8, **wrong, "files": files, "size_y": 9})
    found = settings_file.load()
    assert found == DEFAULT.changed(min_y=8, size_y=9, files=dataclasses.replace(DEFAULT.files, path="/right/"))
    name = next(iter(wrong.get("files", wrong)))
    assert f"kept setting {name}=" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_not_a_number_is_left_out(settings_file: SettingsFile, kept: Path) -> None:
    write(kept, '{"seconds": NaN, "period": Infinity}')
    assert settings_file.load() == DEFAULT


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "7", '{"files": 7}', "\x00\x01"])
def test_a_broken_file_is_named(
    settings_file: SettingsFile, kept: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(kept, content)
    assert settings_file.load() == DEFAULT
    assert f"{kept} cannot be read" in caplog.text


def test_bytes_that_are_no_text(settings_file: SettingsFile, kept: Path) -> None:
    kept.parent.mkdir()
    kept.write_bytes(b'{"seconds": "\xff"}')
    assert settings_file.load() == DEFAULT


def test_a_file_is_replaced_whole(settings_file: SettingsFile, kept: Path) -> None:
    settings_file.save(DEFAULT.changed(seconds=7.0))
    with kept.open() as reader:
        settings_file.save(OTHER)
        assert json.load(reader) == {"seconds": 7.0}
    assert [path.name for path in kept.parent.iterdir()] == ["settings.json"]


def test_what_nobody_changed_follows_the_site_file(settings_file: SettingsFile, kept: Path) -> None:
    settings_file.save(DEFAULT.changed(seconds=7.0, files=DEFAULT.files.changed(number=5)))
    other_site = dataclasses.replace(DEFAULT, files=DEFAULT.files.changed(path="/night/", name="sp2"))
    found = SettingsFile(kept.parent, other_site).load()
    assert (found.seconds, found.files) == (7.0, other_site.files.changed(number=5))


def test_a_folder_that_cannot_be(settings_file: SettingsFile, kept: Path) -> None:
    kept.parent.write_text("a file")
    with pytest.raises(SaveError, match=r"cannot write .*settings\.json: File exists"):
        settings_file.save(DEFAULT)


def test_cameras_that_share_a_folder_keep_their_own_settings(settings_file: SettingsFile, kept: Path) -> None:
    blue, red = (SettingsFile(kept.parent, DEFAULT, prefix) for prefix in ("SITE:blue:", "SITE:red:"))
    blue.save(OTHER)
    red.save(DEFAULT)
    assert (blue.load(), red.load(), settings_file.load()) == (OTHER, DEFAULT, DEFAULT)
    assert sorted(path.name for path in kept.parent.iterdir()) == ["settings-SITE-blue.json", "settings-SITE-red.json"]

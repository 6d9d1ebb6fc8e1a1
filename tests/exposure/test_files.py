"""File names as C's printf makes them, folders as areaDetector makes them, and saving all CCDs or saying why."""

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError, InputError, SaveError
from archon_ioc.exposure import files
from archon_ioc.exposure.files import Naming
from archon_ioc.image.header import Facts
from archon_ioc.protocol.replies import FrameStatus

REPLY = Path(__file__).parents[1] / "golden" / "replies" / "FRAME-revE-876.txt"
NOW = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
FACTS = Facts(
    number=7,
    image_type="object",
    requested_seconds=1.0,
    exposure_seconds=1.0,
    dark_seconds=1.0,
    started=NOW,
    ended=NOW,
    written=NOW,
    buffer=FrameStatus.parse(REPLY.read_text(encoding="ascii")).buffer(1),
    controller="archon",
)
TEMPLATE = "%s%s_%4.4d.fits"
B1 = DetectorConfig(name="b1", taps=("AD1L",), serial="08-1234")
B2 = DetectorConfig(name="b2", taps=("AD2L",), serial="08-5678")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%s%s_%3.3d.fits", "/data/m31_042.fits"),
        ("%s%s_%d.fits", "/data/m31_42.fits"),
        ("%s%s_%08i.fits", "/data/m31_00000042.fits"),
        ("%s%s_%u.fits", "/data/m31_42.fits"),
        ("%s%s_%6.4x.fits", "/data/m31_  002a.fits"),
        ("%s%s_%-4d.fits", "/data/m31_42  .fits"),
        ("%s%s_%ld.fits", "/data/m31_42.fits"),
        ("%s%.2s_%d.fits", "/data/m3_42.fits"),
        ("%s%s.fits", "/data/m31.fits"),
        ("%stest.fits", "/data/test.fits"),
        ("test.fits", "test.fits"),
        ("%s%s%%_%d.fits", "/data/m31%_42.fits"),
        ("%snight/%s_%d.fits", "/data/night/m31_42.fits"),
    ],
)
def test_a_template_is_printed_with_path_name_and_number(template: str, expected: str) -> None:
    assert files.file_name(template, "/data", "m31", 42) == expected


@pytest.mark.parametrize(
    "conversion",
    ["%d", "%5d", "%05d", "%-5d", "%+d", "% d", "%3.3d", "%5.3d", "%05.3d", "%-6.3d", "%x", "%04X", "%o"],
)
@pytest.mark.parametrize("number", [0, 7, 123456])
def test_numbers_are_printed_as_the_shell_does(conversion: str, number: int) -> None:
    command = ["printf", conversion, str(number)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert files.file_name(f"%s%s{conversion}.fits", "", "n", number) == f"n{printed.stdout}.fits"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("%s%s_%d_%d.fits", "more conversions than path, name and number"),
        ("%d%s.fits", "'%d' in .*: '%s' is possible here"),
        ("%s%d.fits", "'%d' in .*: '%s' is possible here"),
        ("%s%s_%s.fits", "'%s' in .*: '%d' is possible here"),
        ("%s%s_%f.fits", "'%f' in .*: '%d' is possible here"),
        ("%s%s_%#x.fits", "'%#' in "),
        ("%s%s_%n.fits", "'%n' in "),
        ("%s%s_%*d.fits", r"'%\*' in "),
        ("%s%s_%", "'%' in "),
        ("%s%s_%999999999d.fits", "wider than 255"),
        ("%s%s_%.999999999d.fits", "wider than 255"),
        ("%s", "not the name of a file"),
        ("", "not the name of a file"),
        ("%s..", "not the name of a file"),
        ("%s%s\n.fits", "not the name of a file"),
        ("%s%s_%d.fits.gz", "that is what Compression is for"),
    ],
)
def test_a_template_that_makes_no_file_name_is_refused(template: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        files.file_name(template, "/data/", "m31", 42)


def naming(template: str = TEMPLATE, path: str = "/d.ir", name: str = "m31", number: int = 42, **more: Any) -> Naming:
    return Naming(template, path, name, number, **more)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%s%s_%d.fits", "/d.ir/m31_42_b1.fits"),
        ("%s%s_%d", "/d.ir/m31_42_b1"),
        ("%s%s.%d.fits", "/d.ir/m31.42_b1.fits"),
        ("%s.%s", "/d.ir/.m31_b1"),
    ],
)
def test_the_name_of_a_ccd_goes_before_the_extension(template: str, expected: str) -> None:
    assert naming(template, several=True).full_name("b1", "sp1") == expected
    assert "b1" not in naming(template).full_name("b1", "sp1")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sdR-{ccd}-{number:08d}", "/d.ir/sdR-b1-00000042.fits"),
        ("{controller}", "/d.ir/sp1_b1.fits"),
        ("{controller}-{ccd}", "/d.ir/sp1-b1.fits"),
    ],
)
def test_fields_in_a_name_are_filled(name: str, expected: str) -> None:
    assert naming("%s%s.fits", name=name, several=True).full_name("b1", "sp1") == expected


def test_a_controller_has_its_name_in_that_of_its_file() -> None:
    own = naming(layout="controller", several=True)
    assert own.full_name(controller="sp1") == "/d.ir/m31_0042_sp1.fits"
    assert replace(own, name="{controller}").full_name(controller="sp1") == "/d.ir/sp1_0042.fits"
    assert replace(own, name="{ccd}").full_name(controller="sp1") == "/d.ir/sp1_0042.fits"
    assert replace(own, several=False).full_name(controller="sp1") == "/d.ir/m31_0042.fits"


@pytest.mark.parametrize(("compression", "ending"), [("none", ""), ("gzip", ".gz"), ("rice", ".fz")])
def test_compression_is_told_by_the_name(compression: str, ending: str) -> None:
    for template in ("%s%s_%d.fits", f"%s%s_%d.fits{ending}"):
        assert naming(template, compression=compression).full_name() == f"/d.ir/m31_42.fits{ending}"
    assert naming(compression=compression, several=True).full_name("b1") == f"/d.ir/m31_0042_b1.fits{ending}"


@pytest.mark.parametrize("name", ["{no}", "{}", "{ccd:3}", "{number:f}", "{number:9999}", "{number.real}"])
def test_a_field_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^'\{"):
        naming(name=name).full_name()


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("ccd", [("/d.ir/m31_0042_b1.fits", ("b1",)), ("/d.ir/m31_0042_b2.fits", ("b2",))]),
        ("mef", [("/d.ir/m31_0042_b1.fits", ("b1",)), ("/d.ir/m31_0042_b2.fits", ("b2",))]),
        ("controller", [("/d.ir/m31_0042.fits", ("b1", "b2"))]),
    ],
)
def test_which_images_are_in_which_file(layout: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    found = files.targets(["b1", "b2"], naming(layout=layout), "sp1")
    assert [(target.name, target.images) for target in found] == expected


@pytest.mark.parametrize(
    ("path", "expected"), [("", ""), ("/", "/"), ("/a", "/a/"), ("/a//", "/a/"), ("a/b", "a/b/"), ("./", "./")]
)
def test_a_path_ends_in_one_slash(path: str, expected: str) -> None:
    assert files.normal_path(path) == expected


def test_the_empty_path_is_where_the_program_runs() -> None:
    assert files.file_name(TEMPLATE, "", "m31", 1) == "m31_0001.fits"


@pytest.mark.parametrize(
    ("create_levels", "made"),
    [
        (0, False),
        (-1, False),
        (-2, False),
        (-3, True),
        (-4, True),
        (-99, True),
        (1, True),
        ("here", True),
        ("deeper", False),
    ],
)
@pytest.mark.parametrize("is_absolute", [True, False])
def test_folders_are_made_as_create_directory_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, create_levels: int | str, made: bool, is_absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    # How many folders there are, the root among them: so many may be asked to exist, and not one more.
    existing = len(tmp_path.parts) if is_absolute else 1
    levels = {"here": existing, "deeper": existing + 1}.get(str(create_levels), create_levels)
    path = str(tmp_path / "a/b/c") if is_absolute else "a/b/c"

    assert files.check_path(path, int(levels)) is made
    assert (tmp_path / "a").exists() is made
    assert (tmp_path / "a/b/c").exists() is made
    assert files.check_path(path, 0) is made


def test_all_levels_may_be_asked_to_exist(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert files.check_path(str(tmp_path / "a"), 99)
    assert not files.check_path(str(tmp_path / "b"), 99)


def test_the_empty_path_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert files.check_path("", 0)
    assert files.check_path("", -3)


def test_why_a_folder_will_not_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert files.path_problem(str(tmp_path)) == ""
    assert files.path_problem(str(tmp_path / "none")) == f"{tmp_path}/none does not exist"
    assert files.path_problem(str(tmp_path / "file")) == f"{tmp_path}/file is not a folder"
    assert files.path_problem(str(tmp_path / "file"), -1) == f"{tmp_path}/file: File exists"
    long_name = str(tmp_path / ("n" * 300))
    assert files.path_problem(long_name) == f"{long_name}: File name too long"
    assert files.path_problem("a\0b", -1) == "'a\\x00b' is not the name of a folder"


def test_a_folder_without_permission_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.geteuid() == 0:  # root may do everything: ask as somebody who may not
        monkeypatch.setattr(os, "access", lambda path, mode: closed.stat().st_mode & 0o200 != 0)
    assert files.path_problem(str(closed)) == f"{closed} is not writable"


def test_free_space_is_that_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status = os.statvfs(tmp_path)
    assert files.free_bytes(str(tmp_path)) == pytest.approx(status.f_bavail * status.f_frsize, rel=0.1)
    assert files.free_bytes("") > 0
    with pytest.raises(SaveError, match="No such file"):
        files.free_bytes(str(tmp_path / "none"))


def image(value: int) -> np.ndarray:
    return np.full((3, 4), value, np.uint16)


def test_a_frame_without_ccds_is_one_file(tmp_path: Path) -> None:
    saved = files.save({"": image(5)}, FACTS, Naming(TEMPLATE, str(tmp_path), "m31", 7))
    assert saved == (f"{tmp_path}/m31_0007.fits",)
    with astropy_fits.open(saved[0], checksum=True) as units:
        assert (units[0].data == 5).all()
        assert units[0].header["FILENAME"] == "m31_0007.fits"
        assert "CHECKSUM" in units[0].header
        assert "CCD" not in units[0].header


def test_each_ccd_is_a_file_with_its_own_header(tmp_path: Path) -> None:
    saved = files.save({"b1": image(1), "b2": image(2)}, FACTS, naming(path=str(tmp_path), number=7), (B2, B1))
    assert saved == (f"{tmp_path}/m31_0007_b1.fits", f"{tmp_path}/m31_0007_b2.fits")
    for path, value, detector in zip(saved, (1, 2), (B1, B2), strict=True):
        with astropy_fits.open(path) as units:
            assert (units[0].data == value).all()
            assert units[0].header["FILENAME"] == Path(path).name
            assert units[0].header["CCD"] == detector.name
            assert units[0].header["CCDID"] == detector.serial


def test_the_only_ccd_needs_no_name_in_that_of_its_file(tmp_path: Path) -> None:
    saved = files.save({"b1": image(1)}, FACTS, Naming(TEMPLATE, str(tmp_path), "m31", 7), (B1,))
    assert names(tmp_path) == ["m31_0007.fits"]
    assert astropy_fits.getval(saved[0], "CCD") == "b1"


def test_nothing_is_written_if_one_name_is_taken(tmp_path: Path) -> None:
    taken = tmp_path / "m31_0007_b2.fits"
    taken.write_text("precious")
    with pytest.raises(SaveError, match="it exists already") as caught:
        files.save({"b1": image(1), "b2": image(2)}, FACTS, Naming(TEMPLATE, str(tmp_path), "m31", 7), (B1, B2))
    assert caught.value.path == str(taken)
    assert names(tmp_path) == [taken.name]
    assert taken.read_text() == "precious"


def test_nothing_is_written_if_there_is_no_room(tmp_path: Path) -> None:
    huge = np.broadcast_to(np.uint16(0), (1 << 30, 1 << 30))  # two exabytes, on paper
    with pytest.raises(SaveError, match=r"m31_0007_b1.fits: \d+ MB needed, \d+ MB free"):
        files.save({"b1": image(1), "b2": huge}, FACTS, Naming(TEMPLATE, str(tmp_path), "m31", 7), (B1, B2))
    assert names(tmp_path) == []


def test_a_failure_says_what_was_written(tmp_path: Path) -> None:
    long_name = DetectorConfig(name="b" * 250, taps=("AD2L",))
    images = {"b1": image(1), long_name.name: image(2), "b2": image(3)}
    with pytest.raises(SaveError, match=r"too long; written: .*/m31_0007_b1\.fits, .*_b2\.fits$") as caught:
        files.save(images, FACTS, Naming(TEMPLATE, str(tmp_path), "m31", 7), (B1, long_name, B2))
    assert caught.value.path.endswith("bbb.fits")
    assert names(tmp_path) == ["m31_0007_b1.fits", "m31_0007_b2.fits"], "what can be saved is"


def test_a_missing_folder_is_a_save_error(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match="No such file"):
        files.save({"": image(5)}, FACTS, Naming(TEMPLATE, str(tmp_path / "none"), "m31", 7))


def test_a_bad_card_is_found_before_anything_is_written(tmp_path: Path) -> None:
    facts = replace(FACTS, extra={"SIMPLE": (True, "")})
    with pytest.raises(ConfigError, match="SIMPLE"):
        files.save({"": image(5)}, facts, Naming(TEMPLATE, str(tmp_path), "m31", 7))
    assert names(tmp_path) == []


def test_a_failure_of_the_first_file_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match=r"too long$"):
        files.save({"": image(5)}, FACTS, Naming(TEMPLATE, str(tmp_path), "m" * 300, 7))
    assert names(tmp_path) == []


def test_all_files_that_fail_are_named(tmp_path: Path) -> None:
    wrong = ("b" * 250, "c" * 250)
    with pytest.raises(SaveError, match=r"too long; cannot write .*/m31_0007_c+\.fits: .* too long$"):
        files.save(dict.fromkeys(wrong, image(1)), FACTS, naming(path=str(tmp_path), number=7))


@pytest.mark.parametrize("layout", ["ccd", "mef", "controller"])
def test_a_layout_is_written_with_its_sum(tmp_path: Path, layout: str) -> None:
    own = naming(path=str(tmp_path), number=7, layout=layout, compression="rice", sum_name="sha1")
    saved = files.save({"b1": image(1), "b2": image(2)}, FACTS, own, (B1, B2))
    assert names(tmp_path) == sorted(Path(name).name + more for name in saved for more in ("", ".sha1"))
    found = []
    for name in saved:
        with astropy_fits.open(name, checksum=True) as units:
            assert any(unit.header.get("FILENAME") == Path(name).name for unit in units)
            found += [int(unit.data[0, 0]) for unit in units if unit.data is not None]
    assert found == [1, 2]


def test_only_some_of_the_files_can_be_written(tmp_path: Path) -> None:
    own = naming(path=str(tmp_path), number=7)
    images = {"b1": image(1), "b2": image(2)}
    _, second = files.targets(images, own)
    assert files.save(images, FACTS, own, (B1, B2), [second]) == (second.name,)
    assert names(tmp_path) == ["m31_0007_b2.fits"]


def test_without_images_there_are_no_files(tmp_path: Path) -> None:
    assert files.save({}, FACTS, naming(path=str(tmp_path))) == ()


def test_a_sum_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "m31_0007.fits.md5").write_text("precious")
    with pytest.raises(SaveError, match="it exists already"):
        files.save({"": image(1)}, FACTS, naming(path=str(tmp_path), number=7, sum_name="md5"))
    assert names(tmp_path) == ["m31_0007.fits.md5"]

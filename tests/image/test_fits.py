"""Files: read back by astropy, and whole or absent whatever goes wrong."""

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from archon_ioc.errors import SaveError
from archon_ioc.image import fits
from archon_ioc.image.header import Card

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5461
CARDS = [Card("EXPOSURE", 7, "Exposure number"), Card("EXPTIME", 1.5, "[s] Exposure time")]
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200).map(str.strip)
VALUES = st.integers(-(1 << 62), 1 << 62) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | ASCII


def image(cards: list[Card] = CARDS) -> list[fits.Unit]:
    return [fits.Unit(cards, PIXELS)]


WRITER = """
import os, resource, signal, sys
import numpy as np
from archon_ioc.image import fits
from archon_ioc.errors import SaveError
{prepare}
try:
    fits.write(sys.argv[1], [fits.Unit([], np.zeros((512, 512), np.uint16))])
except SaveError as error:
    sys.exit(f"{{error.path}}: {{error.reason}}")
"""
LIMIT = "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"  # amid the pixels
KILL_AT_LIMIT = "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
KILL_BEFORE_THE_NAME = """
sys.addaudithook(lambda event, _: event == "os.link" and os.kill(os.getpid(), signal.SIGKILL))
"""


def read(path: Path) -> tuple[np.ndarray, astropy_fits.Header]:
    with astropy_fits.open(path, checksum=True) as units:  # a wrong sum is a warning, and so an error here
        units.verify("exception")
        assert len(units) == 1
        return units[0].data.copy(), units[0].header.copy()


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def run_writer(path: Path, prepare: str) -> subprocess.CompletedProcess[str]:
    script = WRITER.format(prepare=prepare)
    return subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=30, check=False)


@settings(max_examples=40, deadline=None)
@given(
    arrays(st.sampled_from(["<u2", "<u4"]), array_shapes(min_dims=2, max_dims=2, max_side=40)),
    st.sampled_from([(1, 1), (-1, 1), (1, -1), (2, 3)]),
)
def test_pixels_come_back(array: np.ndarray, steps: tuple[int, int]) -> None:
    view = array[:: steps[0], :: steps[1]]
    with tempfile.TemporaryDirectory() as folder:
        fits.write(Path(folder, "a.fits"), [fits.Unit(CARDS, view)])
        data, header = read(Path(folder, "a.fits"))
        assert Path(folder, "a.fits").stat().st_size % 2880 == 0
    assert data.dtype == array.dtype
    assert data.tolist() == view.tolist()
    size = array.dtype.itemsize
    assert (header["BITPIX"], header["BZERO"], header["BSCALE"]) == (8 * size, 1 << (8 * size - 1), 1)
    assert "CHECKSUM" in header
    assert "DATASUM" in header


@settings(max_examples=60, deadline=None)
@example([("", "'")])  # astropy takes '' / ' for one text
@given(st.lists(st.tuples(VALUES, ASCII), max_size=8))
def test_cards_come_back(entries: list[tuple[int | float | str, str]]) -> None:
    cards = [Card(f"KEY{n}", value, comment) for n, (value, comment) in enumerate(entries)]
    with tempfile.TemporaryDirectory() as folder:
        fits.write(Path(folder, "a.fits"), image(cards))
        _, header = read(Path(folder, "a.fits"))
    for card in cards:
        found = header[card.keyword]
        assert found == (pytest.approx(card.value, rel=1e-12) if isinstance(card.value, float) else card.value)
        assert type(found) in (type(card.value), int, float)
        assert card.comment.startswith(header.comments[card.keyword][:20].rstrip())


def test_a_long_comment_is_cut_and_a_long_text_goes_on() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.fits")
        fits.write(
            path,
            image([Card("SHORT", 1.5, "c" * 99), Card("LONG", "v" * 199, "comment"), Card("FULL", "v" * 68, "c")]),
        )
        _, header = read(path)
        lines = path.read_bytes()[:2880]
    assert header.comments["SHORT"] == "c" * 47
    assert (header["LONG"], header.comments["LONG"]) == ("v" * 199, "comment")
    assert (header["FULL"], header.comments["FULL"]) == ("v" * 68, "")
    assert b"CONTINUE" in lines


def test_the_same_image_makes_the_same_bytes(tmp_path: Path) -> None:
    fits.write(tmp_path / "a.fits", image())
    fits.write(tmp_path / "b.fits", image())
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    fits.write(str(tmp_path / "a.fits"), image())
    assert names(tmp_path) == ["a.fits"]


def test_an_existing_file_is_never_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    path.write_text("precious")
    with pytest.raises(SaveError, match="it exists already") as caught:
        fits.write(path, image())
    assert caught.value.path == str(path)
    assert path.read_text() == "precious"
    assert names(tmp_path) == ["a.fits"]


def test_of_many_writers_of_one_name_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"

    def attempt(n: int) -> int | None:
        try:
            fits.write(path, [fits.Unit(CARDS, np.full((100, 100), n, np.uint16))])
        except SaveError:
            return None
        return n

    with ThreadPoolExecutor(8) as pool:
        winners = [n for n in pool.map(attempt, range(8)) if n is not None]
    assert len(winners) == 1
    assert (read(path)[0] == winners[0]).all()
    assert names(tmp_path) == ["a.fits"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing/a.fits", "No such file"), ("file/a.fits", "Not a directory"), ("a" * 250 + ".fits", "too long")],
)
def test_a_name_that_cannot_be_made_is_a_save_error(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SaveError, match=reason):
        fits.write(tmp_path / name, image())
    assert names(tmp_path) == ["file"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run_writer(tmp_path / "a.fits", LIMIT)
    assert done.stderr.strip() == f"{tmp_path / 'a.fits'}: {os.strerror(errno.EFBIG)}"
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("prepare", "death"),
    [(LIMIT + KILL_AT_LIMIT, signal.SIGXFSZ), (KILL_BEFORE_THE_NAME, signal.SIGKILL)],
)
def test_a_killed_program_leaves_no_file_of_that_name(tmp_path: Path, prepare: str, death: int) -> None:
    done = run_writer(tmp_path / "a.fits", prepare)
    assert done.returncode == -death
    (left,) = names(tmp_path)
    assert left.startswith(".a.fits.")
    assert left.endswith(".part")

    fits.write(tmp_path / "a.fits", image())
    assert (read(tmp_path / "a.fits")[0] == PIXELS).all()


@pytest.fixture
def no_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_hard_links")
def test_a_file_system_without_hard_links_will_do(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    fits.write(path, image())
    assert (read(path)[0] == PIXELS).all()
    with pytest.raises(SaveError, match="it exists already"):
        fits.write(path, image())
    assert names(tmp_path) == ["a.fits"]


@pytest.mark.usefixtures("no_hard_links")
def test_a_failed_rename_gives_the_name_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "rename", fail)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(SaveError, match="Input/output error"):
        fits.write(tmp_path / "a.fits", image())
    assert names(tmp_path) == []


@pytest.mark.parametrize(("number", "is_error"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_error: bool
) -> None:
    sync = os.fsync

    def fail_for_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_for_folders)
    if is_error:
        with pytest.raises(SaveError, match=os.strerror(number)):
            fits.write(tmp_path / "a.fits", image())
    else:
        fits.write(tmp_path / "a.fits", image())
        assert names(tmp_path) == ["a.fits"]


# Sums


@pytest.mark.parametrize("sum_name", fits.SUMS[1:])
@pytest.mark.parametrize("name", ["a.fits", "a b.fits.gz", "a\\b.fits"])
def test_the_sum_is_as_its_program_wants_it(tmp_path: Path, sum_name: str, name: str) -> None:
    fits.write(tmp_path / name, image(), "gzip", sum_name)
    command = [f"{sum_name}sum", "--check", "--strict", f"{name}.{sum_name}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(": OK\n")


def test_a_sum_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.fits.md5").write_text("precious")
    with pytest.raises(SaveError, match="it exists already") as caught:
        fits.write(tmp_path / "a.fits", image(), sum_name="md5")
    assert caught.value.path == str(tmp_path / "a.fits.md5")
    assert sorted(names(tmp_path)) == ["a.fits", "a.fits.md5"]
    assert (tmp_path / "a.fits.md5").read_text() == "precious"
    assert (read(tmp_path / "a.fits")[0] == PIXELS).all(), "the image is there all the same"


def test_a_sum_can_be_added_later_and_again(tmp_path: Path) -> None:
    fits.write(tmp_path / "a.fits", image())
    for _ in range(2):
        fits.add_sum(tmp_path / "a.fits", "sha256")
    digest = hashlib.sha256((tmp_path / "a.fits").read_bytes()).hexdigest()
    assert (tmp_path / "a.fits.sha256").read_text() == f"{digest}  a.fits\n"
    with pytest.raises(SaveError, match="No such file"):
        fits.add_sum(tmp_path / "b.fits", "sha256")


def test_there_is_a_sum_only_of_what_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, seen = os.link, []

    def noting(part: Path, path: Path) -> None:
        seen.append((Path(path).name, sorted(name for name in names(tmp_path) if not name.startswith("."))))
        link(part, path)

    monkeypatch.setattr(os, "link", noting)
    fits.write(tmp_path / "a.fits", image(), sum_name="sha256")
    assert seen == [("a.fits", []), ("a.fits.sha256", ["a.fits"])]


# Extensions


@pytest.mark.parametrize("compression", fits.COMPRESSIONS)
def test_each_unit_has_its_own_cards_and_image(tmp_path: Path, compression: str) -> None:
    units = [fits.Unit(CARDS), fits.Unit([Card("A", 1)], PIXELS, "one"), fits.Unit([Card("A", 2)], PIXELS[::-1], "two")]
    fits.write(tmp_path / "a.fits", units, compression)
    with astropy_fits.open(tmp_path / "a.fits", checksum=True) as file:
        file.verify("exception")
        assert [unit.name for unit in file] == ["PRIMARY", "ONE", "TWO"]
        assert file[0].header["EXPOSURE"] == 7
        assert (file["ONE"].header["A"], file["TWO"].header["A"]) == (1, 2)
        assert (file["TWO"].data == PIXELS[::-1]).all()


@settings(max_examples=20, deadline=None)
@given(arrays(st.sampled_from(["<u2", "<u4"]), array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_compressed_tiles_lose_nothing(array: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fits.write(Path(folder, "a.fits.fz"), [fits.Unit(CARDS, array)], "rice")
        with astropy_fits.open(Path(folder, "a.fits.fz"), checksum=True) as file:
            assert file[1].data.dtype == array.dtype
            assert (file[1].data == array).all()
            assert file[1].header["EXPOSURE"] == 7

"""An exposure is in the journal from before it begins until it is on the disk, and no other one may overwrite it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from archon_ioc.errors import SaveError, StateError
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import ImageMode


@pytest.fixture
def journal(tmp_path: Path) -> Callable[[], list[str]]:
    """Return the names of the entries."""

    def names() -> list[str]:
        found = (tmp_path / "state" / "journal").glob("*.json")
        return sorted(path.name for path in found if ".acf" not in path.name)

    return names


async def test_an_entry_lives_as_long_as_its_exposure(bench, journal: Callable[[], list[str]]) -> None:
    bench.camera.change(seconds=0.3)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    assert len(journal()) == 1
    assert bench.camera.state.journal.pending == 0
    await client
    assert journal() == []


async def test_an_aborted_exposure_leaves_nothing_and_no_gap(bench, journal: Callable[[], list[str]]) -> None:
    bench.camera.change(seconds=5.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    assert bench.camera.filing.settings.number == 2
    await bench.camera.abort()
    await client
    assert journal() == []
    assert bench.camera.filing.settings.number == 1
    await bench.good()
    assert bench.files == ["archon_0001.fits"]


async def test_without_autosave_an_entry_lives_until_the_image_is_in_memory(
    bench, journal: Callable[[], list[str]]
) -> None:
    await bench.camera.filing.change(auto_save=False)
    bench.camera.change(seconds=0.2, image_mode=ImageMode.MULTIPLE, num_images=3)
    client = bench.start()
    for _ in range(3):
        await bench.until_phase(Phase.INTEGRATING)
        assert len(journal()) == 1, "who starts after a crash must know that the script was not idle"
        await bench.until_phase(Phase.READING)
    await client
    assert journal() == []
    await bench.camera.filing.write()
    assert bench.files == ["archon_0001.fits"], "no number was taken for what nobody wanted"


async def test_without_autosave_a_pending_frame_is_not_overwritten_either(bench, tmp_path: Path) -> None:
    await leave_pending(bench, tmp_path)
    await bench.camera.filing.change(auto_save=False)
    for _ in range(2):
        await bench.camera.acquire()
    with pytest.raises(StateError, match="would overwrite exposure 1 of archon, frame 1"):
        await bench.camera.acquire()


async def test_a_write_by_hand_settles_what_is_pending(bench, tmp_path: Path) -> None:
    bench.camera.change(seconds=0.2)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    moved = bench.folder.rename(tmp_path / "moved")
    with pytest.raises(SaveError):
        await client
    assert bench.camera.state.journal.pending == 1
    moved.rename(bench.folder)
    await bench.camera.filing.write()
    assert bench.camera.state.journal.pending == 0
    assert len(bench.files) == 1


async def leave_pending(bench, tmp_path: Path) -> None:
    """Take an exposure that cannot be saved."""
    bench.camera.change(seconds=0.1)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    moved = bench.folder.rename(tmp_path / "moved")
    with pytest.raises(SaveError):
        await client
    moved.rename(bench.folder)


async def test_an_exposure_that_would_overwrite_a_pending_one_is_refused(bench, tmp_path: Path) -> None:
    await leave_pending(bench, tmp_path)
    for _ in range(2):
        await bench.camera.acquire()
    with pytest.raises(StateError, match="would overwrite exposure 1 of archon, frame 1"):
        await bench.camera.acquire()
    await bench.camera.recovery.discard()
    assert bench.camera.state.journal.pending == 0
    assert len(list((tmp_path / "state" / "journal" / "lost").glob("*.json"))) == 1
    await bench.good()


async def test_a_journal_that_cannot_be_written_is_told_and_keeps_no_image_back(
    bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if "/journal/" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    await bench.good()
    assert "exposure 1 of archon" in caplog.text
    assert "is not protected against a crash: cannot write" in caplog.text

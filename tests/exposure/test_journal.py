"""Entries survive whatever happens to the program, and two programs do not take each other's."""

import errno
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window
from archon_ioc.errors import SaveError
from archon_ioc.exposure.files import Naming
from archon_ioc.exposure.journal import LOST, Entry, Journal, Snapshot, new_name
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.settings import ExposureSettings, FrameType
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, DeviceStatus, FrameStatus, SystemInfo

NOTED = datetime(2026, 3, 1, 4, 5, 6, 7, UTC)
FRAME = BufferInfo(2, SampleMode.BITS16, True, FrameMode.SPLIT, 1 << 29, 5, 8, 4, 8, 4, 0, 0, 0, 1 << 40, 0, 0)
EMPTY = replace(FRAME, number=1, frame=0, complete=False)
SYSTEM = "BACKPLANE_TYPE=1 BACKPLANE_REV=5 BACKPLANE_VERSION=1.0.1252 BACKPLANE_ID=0013 MOD2_TYPE=11"
STATUS = "VALID=1 COUNT=3 LOG=0 POWER=4 POWERGOOD=1 OVERHEAT=0 BACKPLANE_TEMP=41.25 MOD2/TEMP=30.5"


@pytest.fixture
def acf(make_acf) -> Acf:
    return replace(make_acf(), path="/site/small.acf")


@pytest.fixture
def entry(acf: Acf) -> Entry:
    state = ControllerState(
        name="blue",
        system=SystemInfo.parse(SYSTEM),
        status=DeviceStatus.parse(STATUS),
        acf=acf,
        parameters={"IntMS": 20},
        window=Window(20, 24, vbin=2),
        default_window=Window(30, 24),
    )
    return Entry(
        name=new_name("blue", NOTED),
        noted=NOTED,
        controller=Snapshot.of(state),
        before=FrameStatus(1 << 41, 0, 1, (EMPTY, FRAME, EMPTY)),
        seconds=2.0,
        settings=ExposureSettings(seconds=2.0, frame_type=FrameType.FLAT_FIELD),
        naming=Naming("%s%s_%4.4d.fits", "/data/", "m31", 7),
        cards={"AIRMASS": (1.25, "Airmass"), "SEEING": (math.inf, ""), "COUNT": (1, ""), "OPEN": (True, "")},
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


def names(journal: Journal) -> list[str]:
    return [entry.name for entry in journal.entries]


def next_life(journal: Journal) -> Journal:
    """Let the program die, and return the journal of the next one."""
    journal.close()
    return Journal(journal._folder)


def test_an_entry_comes_back_as_it_was(journal: Journal, entry: Entry, acf: Acf) -> None:
    whole = replace(entry, frame=FRAME, moments=Moments(NOTED, NOTED, 1.5, 2.5))
    journal.write(whole, acf)
    after = next_life(journal)
    assert after.adopt({"blue": ""}) == []
    assert after.entries == (whole,)
    assert [type(value) for value, _ in after.entries[0].cards.values()] == [float, float, int, bool]
    after.close()


def test_the_controller_comes_back_as_it_was(journal: Journal, entry: Entry, acf: Acf) -> None:
    journal.write(entry, acf)
    found = journal.acf(entry)
    assert found is not None
    assert (found.digest, found.path, found.taps) == (acf.digest, "/site/small.acf", acf.taps)
    state = entry.controller.state(found)
    assert state.system == SystemInfo.parse(SYSTEM)
    assert state.status == DeviceStatus.parse(STATUS)
    assert (state.window, state.default_window) == (Window(20, 24, vbin=2), Window(30, 24))
    assert (state.parameters, state.is_up) == ({"IntMS": 20}, False)
    assert entry.controller.backplane == "0013"


def test_without_a_configuration_there_is_none(journal: Journal, entry: Entry) -> None:
    nothing = replace(entry, controller=Snapshot.of(ControllerState(name="blue")))
    journal.write(nothing)
    assert journal.acf(nothing) is None
    state = nothing.controller.state(None)
    assert (state.system, state.status, nothing.controller.backplane) == (None, None, "")


def test_an_entry_is_replaced_and_removed(journal: Journal, entry: Entry, tmp_path: Path) -> None:
    journal.write(entry)
    journal.write(replace(entry, frame=FRAME))
    assert [kept.frame for kept in journal.entries] == [FRAME]
    assert "frame 5" in str(journal.entries[0])
    journal.remove(entry.name)
    assert journal.entries == ()
    assert list((tmp_path / "journal").iterdir()) == []


def test_the_oldest_entry_comes_first(journal: Journal, entry: Entry) -> None:
    later = replace(entry, name=new_name("blue", NOTED.replace(second=7)))
    journal.write(later)
    journal.write(entry)
    assert names(journal) == [entry.name, later.name]


def test_what_is_lost_is_moved_aside_with_the_reason(journal: Journal, entry: Entry) -> None:
    journal.write(entry)
    moved = journal.lose(entry.name, "the controller was restarted")
    assert moved.parent.name == LOST
    assert '"m31"' in moved.read_text()
    assert (moved.parent / "reasons.txt").read_text().endswith(f"{entry.name}.json: the controller was restarted\n")
    after = next_life(journal)
    assert (after.adopt({"blue": ""}), after.entries) == ([], ())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "name": 5}'])
def test_what_is_no_entry_is_moved_aside(journal: Journal, tmp_path: Path, text: str) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "wrong.json").write_text(text)
    (problem,) = journal.adopt({"blue": ""})
    assert "wrong.json: not an entry" in problem
    assert (tmp_path / "journal" / LOST / "wrong.json").read_text() == text


def test_an_entry_under_another_name_is_moved_aside(journal: Journal, entry: Entry, tmp_path: Path) -> None:
    journal.write(entry)
    after = next_life(journal)
    (tmp_path / "journal" / f"{entry.name}.json").rename(tmp_path / "journal" / "copy.json")
    assert "the entry of 2026" in after.adopt({"blue": ""})[0]


HOLDER = """
import sys
import threading
import time
from pathlib import Path
from archon_ioc.exposure.journal import Journal

journal = Journal(Path(sys.argv[1]))
journal.adopt({"blue": ""})
print(len(journal.entries), flush=True)
sys.stdin.read()
"""


def test_an_entry_belongs_to_one_program_until_that_dies(journal: Journal, entry: Entry, tmp_path: Path) -> None:
    journal.write(entry)
    other = next_life(journal)
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "journal")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "1\n"
        other.adopt({"blue": ""})
        assert other.entries == ()
        process.kill()
        process.wait()
        other.adopt({"blue": ""})
    assert names(other) == [entry.name]
    other.close()


def test_entries_of_other_controllers_are_left_to_their_program(journal: Journal, entry: Entry) -> None:
    journal.write(entry)
    other = next_life(journal)
    assert (other.adopt({"red": ""}), other.entries) == ([], ())
    assert journal.adopt({"blue": ""}) == []
    assert names(journal) == [entry.name]


def test_an_entry_is_held_also_when_it_was_replaced(journal: Journal, entry: Entry, tmp_path: Path) -> None:
    journal.write(entry)
    journal.write(replace(entry, frame=FRAME))
    other = Journal(tmp_path / "journal")
    assert (other.adopt({"blue": ""}), other.entries) == ([], ())


def test_what_was_never_finished_is_removed(journal: Journal, tmp_path: Path) -> None:
    part = tmp_path / "journal" / "20260301T040506-blue.part"
    part.parent.mkdir()
    part.write_text('{"for')
    assert journal.adopt({"blue": ""}) == []
    assert not part.exists()


def test_configurations_are_kept_once_and_as_long_as_they_are_needed(
    journal: Journal, entry: Entry, acf: Acf, tmp_path: Path
) -> None:
    def kept() -> set[str]:
        return {path.name.partition(".")[0] for path in (tmp_path / "journal").glob("*.acf.json")}

    other = acf.with_value("LINECOUNT", "21")
    second = replace(entry, name="second", controller=replace(entry.controller, acf=other.digest))
    journal.write(entry, acf)
    journal.write(second, other)
    assert kept() == {acf.digest, other.digest}
    journal.remove(entry.name)
    third = acf.with_value("LINECOUNT", "22")
    journal.write(replace(entry, name="third", controller=replace(entry.controller, acf=third.digest)), third)
    assert kept() == {other.digest, third.digest}


def test_a_configuration_that_is_gone_is_told(journal: Journal, entry: Entry) -> None:
    with pytest.raises(SaveError, match="No such file"):
        journal.acf(entry)


def test_a_disk_that_is_full_leaves_the_entry_before(
    journal: Journal, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.write(entry)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match="No space left"):
        journal.write(replace(entry, frame=FRAME))
    monkeypatch.undo()
    assert journal.entries == (entry,)
    after = next_life(journal)
    after.adopt({"blue": ""})
    assert after.entries == (entry,)
    after.close()


def test_an_entry_is_on_the_disk_before_it_has_its_name(
    journal: Journal, entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps: list[list[str]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        steps.append(sorted(path.suffix for path in (tmp_path / "journal").iterdir()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    journal.write(entry)
    assert steps == [[".part"], [".json"]]  # the file, then the folder with its name


def test_nobody_waits_for_a_slow_disk_to_look_at_the_entries(
    journal: Journal, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.write(entry)
    stuck, released = threading.Event(), threading.Event()

    def fsync(_: int) -> None:
        stuck.set()
        released.wait(10)

    monkeypatch.setattr(os, "fsync", fsync)
    writing = threading.Thread(target=journal.write, args=[replace(entry, pause=1.0)])
    writing.start()
    assert stuck.wait(10)
    began = time.monotonic()
    assert [found.pause for found in journal.entries] == [0.0]
    assert time.monotonic() - began < 0.5
    released.set()
    writing.join()
    assert [found.pause for found in journal.entries] == [1.0]


# Several programs in one folder


def test_an_entry_of_another_controller_with_the_same_name_is_not_taken(journal: Journal, entry: Entry) -> None:
    journal.write(entry)
    other = next_life(journal)
    assert (other.adopt({"blue": "0099"}), other.entries) == ([], ())
    assert other.adopt({"blue": "0013"}) == []
    assert names(other) == [entry.name]
    other.release(entry.name)
    assert other.entries == ()
    assert journal.adopt({"blue": ""}) == []
    assert names(journal) == [entry.name]


def test_who_else_exposes_with_a_controller_is_known(journal: Journal, entry: Entry, tmp_path: Path) -> None:
    other = Journal(tmp_path / "journal")
    assert not other.is_used_elsewhere("blue")
    journal.write(entry)
    assert other.is_used_elsewhere("blue")
    assert not other.is_used_elsewhere("red")
    assert not journal.is_used_elsewhere("blue"), "these are its own"
    journal.close()
    assert not other.is_used_elsewhere("blue"), "that program is dead"

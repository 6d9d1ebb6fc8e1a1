"""What is pending is seen, in alarm, and in every state."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from archon_ioc.config import FilesConfig, SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.state import CameraState, JournalState
from archon_ioc.pvs.recovery_rows import RECOVERY_ROWS
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Severity


def shown(journal: JournalState) -> dict[str, Any]:
    state = replace(CameraState(), journal=journal)
    return {row.name: reading(row, state, linked=False).value for row in RECOVERY_ROWS}


def test_every_row_has_something_to_say_in_every_state(states, faults) -> None:
    assert [fault for state in states.values() for fault in faults(RECOVERY_ROWS, state, linked=True)] == []


def test_what_is_being_done() -> None:
    assert shown(JournalState()) == {"ArchonJournal": 0, "ArchonRecover": 0, "ArchonRecovery": ""}
    busy = JournalState(2, recovering="exposure 7", waiting="exposure 7 is still integrated")
    assert shown(busy) == {"ArchonJournal": 2, "ArchonRecover": 1, "ArchonRecovery": "exposure 7 is still integrated"}
    assert shown(replace(busy, waiting=""))["ArchonRecovery"] == "exposure 7"
    assert len(shown(replace(busy, waiting="x" * 300))["ArchonRecovery"]) == 255


def test_what_is_pending_is_an_alarm() -> None:
    row = RECOVERY_ROWS[0]
    for pending, severity in ((None, Severity.NO_ALARM), (0, Severity.NO_ALARM), (1, Severity.MINOR)):
        state = replace(CameraState(), journal=JournalState(pending))
        assert reading(row, state, linked=True).severity is severity


async def test_puts_reach_the_recovery(tmp_path: Path) -> None:
    site = SiteConfig(files=FilesConfig(path=tmp_path, state=tmp_path / "state"))
    operations = Operations(Camera([ArchonController("127.0.0.1")], site))
    put = RECOVERY_ROWS[1].put
    assert put
    for choice, message in ((1, "Nothing was pending"), (2, "What was pending is discarded"), (0, "unchanged")):
        operations.camera.show("unchanged")
        done = put(operations, choice)
        assert done is not None
        await done
        assert operations.camera.state.message == message

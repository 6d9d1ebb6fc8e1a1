"""Rows of the recovery: what was exposed and is not on the disk."""

from archon_ioc.errors import StateError
from archon_ioc.exposure.operations import Operations
from archon_ioc.pvs.array_rows import FILE_GROUP, CameraPv
from archon_ioc.pvs.row import AlarmLimits, Choice, Int, Pv, Text

_DISCARD = 2


async def _recover(operations: Operations, choice: int) -> None:
    """Recover what is not on the disk, or give it up."""
    camera = operations.camera
    if choice == _DISCARD:
        await camera.recovery.discard()
        camera.show("What was pending is discarded")
    elif choice:
        async with camera.undisturbed():
            names, problems = await camera.recovery.recover()
        if problems:
            raise StateError("; ".join(problems))
        camera.show(f"Recovered {', '.join(names)}" if names else "Nothing was pending")


RECOVERY_ROWS: tuple[CameraPv, ...] = (
    Pv(
        name="ArchonJournal",
        kind=Int(alarms=AlarmLimits(high=1)),
        doc="Exposures that are not on the disk",
        group=FILE_GROUP,
        read=lambda s: s.journal.pending or 0,
        more="Without the one that is being taken.",
    ),
    Pv(
        name="ArchonRecover",
        kind=Choice(("Done", "Recover", "Discard")),
        doc="Write or give up what is pending",
        group=FILE_GROUP,
        read=lambda s: int(bool(s.journal.recovering)),
        put=_recover,
        rbv=False,
    ),
    Pv(
        name="ArchonRecovery",
        kind=Text(256),
        doc="What is being recovered or awaited",
        group=FILE_GROUP,
        read=lambda s: (s.journal.waiting or s.journal.recovering)[:255],
    ),
)

"""Phase: what the camera is doing, and the table of allowed steps.

```mermaid
stateDiagram-v2
    [*] --> IDLE
    IDLE --> PREPARING
    IDLE --> PENDING: an earlier program left it on the CCD
    PREPARING --> INTEGRATING
    INTEGRATING --> READING
    INTEGRATING --> PAUSED: until it goes on
    PAUSED --> INTEGRATING
    PAUSED --> READING: ended early
    PAUSED --> PENDING
    INTEGRATING --> PENDING: the charge stays on the CCD
    PENDING --> READING
    READING --> FETCHING
    FETCHING --> SAVING
    FETCHING --> PREPARING: the next of several summed exposures
    SAVING --> PREPARING: the next image
    SAVING --> WAITING: until the next image is due
    WAITING --> PREPARING
    SAVING --> IDLE
    WAITING --> IDLE: no more is wanted
    PREPARING --> ABORTING: also from INTEGRATING, PAUSED, PENDING, READING, FETCHING, SAVING and WAITING
    ABORTING --> IDLE
```
"""

from enum import Enum


class Phase(Enum):
    """What the camera is doing."""

    IDLE = "idle"
    PREPARING = "preparing"
    INTEGRATING = "integrating"
    PAUSED = "paused"
    PENDING = "waiting to be read out"
    READING = "reading out"
    FETCHING = "fetching"
    SAVING = "saving"
    WAITING = "waiting for the next image"
    ABORTING = "aborting"


class Outcome(Enum):
    """How the last acquisition ended."""

    NONE = "none yet"
    DONE = "done"
    ABORTED = "aborted"
    FAILED = "failed"


STEPS: dict[Phase, frozenset[Phase]] = {
    Phase.IDLE: frozenset({Phase.PREPARING, Phase.PENDING}),
    Phase.PREPARING: frozenset({Phase.INTEGRATING, Phase.ABORTING}),
    Phase.INTEGRATING: frozenset({Phase.READING, Phase.PAUSED, Phase.PENDING, Phase.ABORTING}),
    Phase.PAUSED: frozenset({Phase.INTEGRATING, Phase.READING, Phase.PENDING, Phase.ABORTING}),
    Phase.PENDING: frozenset({Phase.READING, Phase.ABORTING}),
    Phase.READING: frozenset({Phase.FETCHING, Phase.ABORTING}),
    Phase.FETCHING: frozenset({Phase.SAVING, Phase.PREPARING, Phase.ABORTING}),  # PREPARING: summed exposures
    Phase.SAVING: frozenset({Phase.PREPARING, Phase.WAITING, Phase.IDLE, Phase.ABORTING}),
    Phase.WAITING: frozenset({Phase.PREPARING, Phase.IDLE, Phase.ABORTING}),
    Phase.ABORTING: frozenset({Phase.IDLE}),
}
"""From each phase, the phases that may follow."""


def check_step(old: Phase, new: Phase) -> None:
    """Refuse a step that is not in the table: it would be a bug of the engine.

    Raises:
        RuntimeError: if the step is not allowed.
    """
    if new not in STEPS[old]:
        raise RuntimeError(f"{old.name} cannot be followed by {new.name}")

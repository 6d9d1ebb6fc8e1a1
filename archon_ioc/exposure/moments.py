"""Moments: when an integration began and ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from archon_ioc.driver.state import ControllerState
from archon_ioc.protocol.replies import TICK, BufferInfo, FrameStatus

_NO_INTEGRATION = "NoIntMS"
"""Parameter of the scripts: milliseconds between integration and readout, while the shutter closes."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Begin and end of the integration, UTC.

    ``seconds`` of light were collected in between, and for ``dark_seconds`` charge from the last cleaning to the
    readout.
    """

    started: datetime
    ended: datetime
    seconds: float
    dark_seconds: float

    @classmethod
    def spanning(cls, moments: Sequence["Moments"]) -> "Moments":
        """Return those of the sum of several integrations."""
        return cls(
            started=moments[0].started,
            ended=moments[-1].ended,
            seconds=sum(moment.seconds for moment in moments),
            dark_seconds=sum(moment.dark_seconds for moment in moments),
        )


def of_started(
    started: datetime, seconds: float, before: FrameStatus, info: BufferInfo, paused: float = 0.0
) -> Moments:
    """Return the moments of an exposure that was ``started`` by us when the buffers were as ``before``.

    It was ``paused`` for so many seconds.
    """
    ended = started + timedelta(seconds=seconds + paused)
    return Moments(started, ended, seconds, (info.timestamp - before.timer) * TICK)


def by_frame(moment: Moments, not_before: float | None, first_pixel: float | None, state: ControllerState) -> Moments:
    """Return the moments of an integration that the script itself ended and read out, as its frame tells them.

    Our own begin is when the reply to the command came. The controller's clock knows the ``first_pixel`` (POSIX
    seconds), and the script the time from the integration to there. It began ``not_before`` the cores were held: in a
    simulation where nothing takes time that cannot be told.
    """
    if first_pixel is None or not_before is None or state.readout is None or state.readout.pause is None:
        return moment
    ended = datetime.fromtimestamp(first_pixel - state.readout.pause.seconds, UTC)
    started = moment.started + (ended - moment.ended)
    return replace(moment, started=started, ended=ended) if started.timestamp() >= not_before else moment


def of_triggered(state: ControllerState, seconds: float, info: BufferInfo, first_pixel: float | None) -> Moments:
    """Return the moments of an exposure that an external trigger began, when FRAME has just been read.

    The trigger is not seen here: the frame's own time stamp tells when its first pixel was read. ``first_pixel`` is
    that in POSIX seconds, where it is known.
    """
    pause = pause_of(state)
    if first_pixel is None:
        age = (state.frames.timer - info.timestamp) * TICK if state.frames else 0.0
        first_pixel = datetime.now(UTC).timestamp() - age
    ended = datetime.fromtimestamp(first_pixel - pause, UTC)
    return Moments(ended - timedelta(seconds=seconds), ended, seconds, seconds + pause)


def pause_of(state: ControllerState) -> float:
    """Return how many seconds there are between integration and first pixel, as far as that is known."""
    if state.readout and state.readout.pause:
        return state.readout.pause.seconds
    name = state.acf.parameter_name(_NO_INTEGRATION) if state.acf else None
    return state.parameters.get(name, 0) / 1000 if name else 0.0

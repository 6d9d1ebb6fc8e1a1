"""When an integration began and ended."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from archon_ioc.acf.estimate import Duration, ReadoutTimes
from archon_ioc.driver.state import ControllerState
from archon_ioc.exposure import moments
from archon_ioc.exposure.moments import Moments
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, FrameStatus

START = datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC)
BUFFER = BufferInfo(1, SampleMode.BITS16, True, FrameMode.TOP, *[0] * 12)


def status(timer: int) -> FrameStatus:
    return FrameStatus(timer=timer, read_buffer=0, write_buffer=1, buffers=(BUFFER, BUFFER, BUFFER))


def test_what_we_started_is_timed_by_the_controller() -> None:
    info = replace(BUFFER, timestamp=350_000_000)
    assert moments.of_started(START, 2.0, status(100_000_000), info) == Moments(
        START, START + timedelta(seconds=2), 2.0, 2.5
    )


def test_pauses_make_an_exposure_longer_but_are_no_light() -> None:
    info = replace(BUFFER, timestamp=650_000_000)
    found = moments.of_started(START, 2.0, status(100_000_000), info, 3.0)
    assert found == Moments(START, START + timedelta(seconds=5), 2.0, 5.5)


def test_what_a_trigger_started_is_timed_by_its_frame() -> None:
    info = replace(BUFFER, timestamp=100_000_000)
    state = ControllerState(frames=status(400_000_000))
    before = datetime.now(UTC)
    found = moments.of_triggered(state, 2.0, info, None)
    age = (before - found.ended).total_seconds()
    assert age == pytest.approx(3.0, abs=0.5)
    assert found.ended - found.started == timedelta(seconds=2)
    assert (found.seconds, found.dark_seconds) == (2.0, 2.0)

    exact = moments.of_triggered(state, 2.0, info, START.timestamp())
    assert (exact.started, exact.ended) == (START - timedelta(seconds=2), START)


READOUT = ReadoutTimes(
    Duration(70_000_000), Duration(50_000_000), Duration(10**8), None, None, None, None, None, 1, 1, True, False
)


@pytest.mark.parametrize(("later", "is_taken"), [(0.01, True), (-0.4, True), (3.0, True), (-0.6, False)])
def test_what_the_script_reads_out_is_timed_by_its_frame(later: float, is_taken: bool) -> None:
    ours = Moments(START, START + timedelta(seconds=2), 2.0, 2.5)
    held, first_pixel = START.timestamp() - 0.5, START.timestamp() + 2.5 + later
    state = ControllerState(readout=READOUT)
    found = moments.by_frame(ours, held, first_pixel, state)
    shift = timedelta(seconds=later) if is_taken else timedelta()
    assert found == replace(ours, started=ours.started + shift, ended=ours.ended + shift)
    assert moments.by_frame(ours, held, None, state) == ours
    assert moments.by_frame(ours, None, first_pixel, state) == ours
    assert moments.by_frame(ours, held, first_pixel, ControllerState()) == ours, "nobody knows how long the pause is"


def test_a_sum_spans_from_the_first_to_the_last() -> None:
    one = Moments(START, START + timedelta(seconds=1), 1.0, 1.5)
    two = Moments(START + timedelta(seconds=9), START + timedelta(seconds=10), 1.0, 1.25)
    assert Moments.spanning([one, two]) == Moments(START, START + timedelta(seconds=10), 2.0, 2.75)

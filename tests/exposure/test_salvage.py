"""Which buffer holds the frame of an exposure that was left behind, and which must not be written to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from archon_ioc.errors import ReadoutError, StateError
from archon_ioc.exposure.files import Naming
from archon_ioc.exposure.journal import Entry, Snapshot
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.salvage import find, has, in_danger, moments, seconds_left, survives
from archon_ioc.exposure.settings import ExposureSettings, ShutterMode
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, FrameStatus

SECOND = 100_000_000
NOTED = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)


def buffer(number: int, frame: int, timestamp: int = 0, *, complete: bool = True, base: int = 512 << 20) -> BufferInfo:
    return BufferInfo(
        number, SampleMode.BITS16, complete and frame > 0, FrameMode.TOP, number * base, frame, 8, 4, 8, 4, 0, 0, 0,
        timestamp, 0, 0,
    )  # fmt: skip


def status(timer: int, *buffers: BufferInfo, writing: int = 0) -> FrameStatus:
    return FrameStatus(timer, 0, writing, buffers)


BEFORE = status(50 * SECOND, buffer(1, 4, 40 * SECOND), buffer(2, 2, 20 * SECOND), buffer(3, 3, 30 * SECOND))
"""Buffer 1 has the newest frame, the next one goes to buffer 2."""
ENTRY = Entry(
    name="one",
    noted=NOTED,
    controller=Snapshot(name="blue", system={"BACKPLANE_ID": "0001"}, status={}),
    before=BEFORE,
    seconds=2.0,
    pause=0.5,
    settings=ExposureSettings(),
    naming=Naming("%s%s_%4.4d.fits", "/data", "m31", 7),
)
FRESH = buffer(2, 5, 53 * SECOND)
AFTER = status(60 * SECOND, BEFORE.buffers[0], FRESH, BEFORE.buffers[2])


def test_the_one_newer_frame_is_that_of_the_exposure() -> None:
    assert find(ENTRY, "0001", AFTER) == FRESH


def test_a_frame_that_is_being_read_is_found() -> None:
    half = replace(FRESH, complete=False)
    assert find(ENTRY, "0001", status(60 * SECOND, BEFORE.buffers[0], half, BEFORE.buffers[2])) == half


def test_a_frame_may_be_still_to_come() -> None:
    frames = replace(BEFORE, timer=51 * SECOND)
    assert find(ENTRY, "0001", frames) is None
    assert seconds_left(ENTRY, frames) == pytest.approx(1.5)
    assert seconds_left(ENTRY, AFTER) == pytest.approx(-7.5)


def test_an_exposure_that_was_paused_takes_longer() -> None:
    paused = replace(ENTRY, paused=3.0)
    assert seconds_left(paused, replace(BEFORE, timer=51 * SECOND)) == pytest.approx(4.5)
    late = replace(FRESH, timestamp=round(55.5 * SECOND))
    assert moments(paused, late) == Moments(NOTED, NOTED + timedelta(seconds=5), 2.0, 5.5)


def test_a_frame_that_was_seen_is_found_among_newer_ones() -> None:
    seen = replace(ENTRY, frame=FRESH)
    newer = status(90 * SECOND, buffer(1, 7, 80 * SECOND), FRESH, buffer(3, 6, 70 * SECOND))
    assert find(seen, "0001", newer) == FRESH
    assert find(seen, "0001", AFTER) == FRESH


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (buffer(2, 8, 88 * SECOND), "buffer 2 holds frame 8 now"),
        (buffer(2, 5, 54 * SECOND), "buffer 2 holds frame 5 now"),  # the same number after a restart
        (buffer(2, 0), "buffer 2 holds frame 0 now"),
    ],
)
def test_a_frame_that_was_seen_and_replaced_is_lost(other: BufferInfo, words: str) -> None:
    frames = status(90 * SECOND, BEFORE.buffers[0], other, BEFORE.buffers[2])
    with pytest.raises(ReadoutError, match=words):
        find(replace(ENTRY, frame=FRESH), "0001", frames)


def test_another_controller_has_no_frame_of_this_one() -> None:
    with pytest.raises(StateError, match="another controller answers: backplane 0002, not 0001"):
        find(ENTRY, "0002", AFTER)


def test_a_restart_forgets_frames() -> None:
    with pytest.raises(ReadoutError, match="restarted"):
        find(ENTRY, "0001", status(3 * SECOND, buffer(1, 0), buffer(2, 0), buffer(3, 0)))
    with pytest.raises(ReadoutError, match="restarted"):
        find(replace(ENTRY, frame=FRESH), "0001", replace(AFTER, timer=52 * SECOND))
    # The controller has been up for longer than before its restart, and took a frame.
    with pytest.raises(ReadoutError, match="restarted"):
        find(ENTRY, "0001", status(90 * SECOND, buffer(1, 1, 60 * SECOND), buffer(2, 0), buffer(3, 0)))


def test_two_newer_frames_could_both_be_it() -> None:
    with pytest.raises(ReadoutError, match="frames 5 and 6 are newer"):
        find(ENTRY, "0001", status(90 * SECOND, BEFORE.buffers[0], FRESH, buffer(3, 6, 70 * SECOND)))


def test_moments_that_were_noted_are_kept() -> None:
    noted = Moments(NOTED, NOTED, 1.0, 2.0)
    assert moments(replace(ENTRY, moments=noted, frame=FRESH), FRESH) is noted


def test_how_long_a_held_exposure_waited_is_known_from_its_frame() -> None:
    noted = Moments(NOTED, NOTED, 1.0, 1.0)
    assert moments(replace(ENTRY, moments=noted), FRESH) == replace(noted, dark_seconds=3.0)


def test_a_held_exposure_is_nobodys_frame() -> None:
    with pytest.raises(ReadoutError, match="another program"):
        find(replace(ENTRY, held=True), "0001", status(90 * SECOND, *BEFORE.buffers[:1], FRESH, *BEFORE.buffers[2:]))


def test_moments_by_the_clock_of_the_controller() -> None:
    begin = NOTED + timedelta(seconds=0.5)
    assert moments(ENTRY, FRESH) == Moments(begin, begin + timedelta(seconds=2), 2.0, 3.0), "it began later than noted"


def test_when_a_script_was_told_to_read_out_is_not_when_the_light_ended() -> None:
    for changes in ({"shutter_mode": ShutterMode.EPICS_PV}, {"readout_delay": 0.5}):
        told = replace(ENTRY, settings=ENTRY.settings.changed(**changes))
        assert moments(told, FRESH) == Moments(NOTED, NOTED + timedelta(seconds=2), 2.0, 3.0)


def test_moments_of_an_integration_that_was_stopped() -> None:
    early = replace(FRESH, timestamp=51 * SECOND)
    assert moments(ENTRY, early) == Moments(NOTED, NOTED + timedelta(seconds=0.5), 0.5, 1.0)


def test_a_stop_shortly_before_the_end_is_seen() -> None:
    hour = replace(ENTRY, seconds=3600.0)
    first_pixel = 50 * SECOND + 3599 * SECOND
    assert moments(hour, replace(FRESH, timestamp=first_pixel)).seconds == pytest.approx(3598.5)
    late = replace(FRESH, timestamp=first_pixel + 2 * SECOND)
    assert moments(hour, late).seconds == 3600.0, "the planned time, with what the script takes after it"


def test_a_readout_is_due_when_the_light_is_over() -> None:
    early = replace(ENTRY, moments=Moments(NOTED, NOTED + timedelta(seconds=1), 0.5, 1.0))
    assert seconds_left(early, replace(BEFORE, timer=51 * SECOND)) == pytest.approx(0.5)


def test_a_frame_of_a_sum_is_there_or_not() -> None:
    assert has(ENTRY, FRESH, "0001", AFTER)
    assert not has(ENTRY, replace(FRESH, frame=4), "0001", AFTER)
    assert not has(ENTRY, FRESH, "0001", replace(AFTER, timer=52 * SECOND)), "the controller was restarted"
    with pytest.raises(StateError, match="another controller answers"):
        has(ENTRY, FRESH, "0002", AFTER)


def test_all_frames_of_a_sum_are_in_danger() -> None:
    summed = replace(ENTRY, earlier=((FRESH, Moments(NOTED, NOTED, 1.0, 1.0)),))
    assert in_danger([summed], replace(AFTER, write_buffer=1)) == summed
    assert in_danger([summed], replace(AFTER, write_buffer=2)) is None


def test_moments_of_an_exposure_that_was_triggered() -> None:
    late = replace(FRESH, timestamp=80 * SECOND)
    ended = NOTED + timedelta(seconds=29.5)
    expected = Moments(ended - timedelta(seconds=2), ended, 2.0, 2.5)
    assert moments(replace(ENTRY, triggered=True), late) == expected


@pytest.mark.parametrize(("writing", "in_way"), [(0, False), (1, True), (2, False), (3, False)])
def test_the_next_buffer_is_the_one_after_that_written_last(writing: int, in_way: bool) -> None:
    frames = replace(AFTER, write_buffer=writing)
    seen = replace(ENTRY, frame=FRESH)
    assert in_danger([seen], frames) == (seen if in_way else None)


def test_with_two_buffers_the_first_comes_after_the_second() -> None:
    big = [buffer(n, n, n * SECOND, base=768 << 20) for n in (1, 2)] + [buffer(3, 0, base=768 << 20)]
    seen = replace(ENTRY, frame=big[0])
    assert in_danger([seen], status(9 * SECOND, *big, writing=2)) == seen
    assert in_danger([seen], status(9 * SECOND, *big, writing=1)) is None


def test_what_is_gone_is_in_no_danger() -> None:
    other = status(90 * SECOND, BEFORE.buffers[0], buffer(2, 8, 88 * SECOND), BEFORE.buffers[2], writing=1)
    assert in_danger([replace(ENTRY, frame=FRESH), ENTRY], other) is None


def test_a_frame_survives_the_next_exposure_unless_its_buffer_is_the_next() -> None:
    newest, older = buffer(3, 9, 80 * SECOND), buffer(1, 7, 60 * SECOND)
    frames = replace(status(90 * SECOND, older, buffer(2, 8, 70 * SECOND), newest), write_buffer=3)
    assert survives(newest, frames)
    assert not survives(older, frames), "it is overwritten next"
    assert not survives(replace(newest, frame=6), frames), "it is gone already"


def test_a_lock_that_stayed_lets_the_only_other_buffer_be_written_again() -> None:
    big = [buffer(n, n, n * SECOND, base=768 << 20) for n in (1, 2)] + [buffer(3, 0, base=768 << 20)]
    frames = status(9 * SECOND, *big, writing=2)
    assert survives(big[1], frames)
    assert not survives(big[1], replace(frames, read_buffer=1))
    three = status(9 * SECOND, *(buffer(n, n, n * SECOND) for n in (1, 2, 3)), writing=2)
    assert survives(three.buffers[1], replace(three, read_buffer=1))
    assert not survives(three.buffers[0], replace(three, read_buffer=3)), "the third one is left out"

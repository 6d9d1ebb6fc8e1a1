"""What the simulated timing cores do with a whole script, at chosen times."""

from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import compile_script
from archon_ioc.errors import InputError
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.frames import FrameBuffers
from archon_ioc.sim.imager import Imager
from archon_ioc.sim.shot import Shot
from archon_ioc.sim.timing import Timing

SMALL = Acf.read(Path(__file__).parents[1] / "golden" / "acf" / "small_on_demand.acf").with_parameter("AutoFlush", 0)
AT_ONCE = Acf.read(Path(__file__).parents[1] / "golden" / "acf" / "small_at_once.acf")
LINE = 0.1  # seconds: a frame of twenty lines takes 2 s
SLOW = SMALL.with_parameter("LinePause", 10_000)


class Bench:
    """Timing cores with their frame buffers, loaded at time 0."""

    def __init__(self, acf: Acf = SLOW, *, instant: bool = False) -> None:
        self.frames = FrameBuffers(Faults())
        self.imager = Imager(self.frames)
        self.imager.is_powered = True
        self.timing = Timing(self.imager, instant=instant)
        self.timing.configure(acf)
        self.timing.load(compile_script(acf), 0.0)

    def set(self, at: float, **values: int) -> None:
        self.timing.set_parameters(values, at)

    def integrates(self, at: float) -> bool:
        self.timing.advance(at)
        return self.timing.is_integrating

    def routine(self, at: float) -> str:
        self.timing.advance(at)
        return self.timing.routine

    def done(self, at: float) -> list[int]:
        """Return the numbers of the complete frames."""
        self.timing.advance(at)
        return sorted(b.shot.frame for b in self.frames.buffers if b.complete and b.shot)

    def shot(self, at: float) -> Shot:
        """Return what the newest frame shows."""
        self.timing.advance(at)
        shot = self.frames.buffers[self.frames.write_buffer - 1].shot
        assert shot is not None
        return shot

    def __getitem__(self, name: str) -> int:
        return self.timing.parameters[name.upper()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_integration_and_readout_are_separate_demands(bench: Bench) -> None:
    bench.set(10, IntMS=3000, Exposures=1)
    assert bench.integrates(12.99)
    assert bench["Exposures"] == 1
    assert not bench.integrates(13.01)
    assert bench["Exposures"] == 0
    assert bench.done(100) == []
    bench.set(100, ReadOut=1)
    assert bench.routine(101.9) in {"LINE", "PAUSE", "PIXEL"}
    assert bench["ReadOut"] == 0
    assert bench.done(101.99) == []
    assert bench.done(102.01) == [1]


def test_progress_is_told_in_whole_lines(bench: Bench) -> None:
    bench.set(0, ReadOut=1)
    bench.timing.advance(0.55)
    buffer = bench.frames.buffers[0]
    assert (buffer.lines, buffer.complete) == (5, False)


def test_names_of_parameters_have_no_case(bench: Bench) -> None:
    bench.set(0, INTMS=1000, exposures=1)
    assert bench.integrates(0.5)


def test_an_unknown_parameter_changes_none(bench: Bench) -> None:
    with pytest.raises(InputError, match="'Exposure'"):
        bench.set(0, IntMS=5, Exposure=1)
    assert bench["IntMS"] == 0


def test_parameters_are_loaded_one_after_the_other_while_the_script_runs(bench: Bench) -> None:
    bench.set(0, Exposures=1, IntMS=5000)
    assert not bench.integrates(0.1)  # the idle loop saw Exposures before the time came
    bench.set(1, IntMS=5000, Exposures=1)
    assert bench.integrates(5.9)


def test_abort_ends_the_integration_and_clears_itself(bench: Bench) -> None:
    bench.set(0, IntMS=10_000, Exposures=1)
    bench.set(4, AbortExposure=1)
    assert not bench.integrates(4.01)
    assert (bench["Exposures"], bench["AbortExposure"]) == (0, 0)
    assert bench.done(100) == []


def test_what_was_integrated_before_an_abort_can_be_read(bench: Bench) -> None:
    bench.set(0, IntMS=10_000, Exposures=1)
    bench.set(1, ReadOut=1)
    bench.set(4, AbortExposure=1)
    assert bench.done(6.1) == [1]
    assert bench.shot(6.1).light_seconds == pytest.approx(4, abs=0.002)


def test_hold_leaves_a_frame_incomplete_for_ever(bench: Bench) -> None:
    bench.set(0, ReadOut=1)
    bench.timing.hold(1.15)
    assert bench.timing.is_held
    assert bench.done(50) == []
    assert bench.frames.buffers[0].lines == 11


def test_held_cores_do_not_look_at_their_parameters_until_they_are_released(bench: Bench) -> None:
    bench.timing.hold(0)
    bench.set(1, IntMS=1000, Exposures=1)
    assert not bench.integrates(5)
    bench.timing.release(5)
    assert bench.integrates(5.5)


def test_reset_starts_again_with_the_parameters_as_they_are(bench: Bench) -> None:
    bench.set(0, IntMS=1000, Exposures=1)
    bench.timing.advance(0.9)
    bench.timing.reset(0.9)
    assert bench.integrates(1.5)
    assert not bench.integrates(1.95)


def test_reset_does_not_release_cores_that_are_held(bench: Bench) -> None:
    bench.timing.hold(0)
    bench.timing.reset(2)
    assert bench.timing.is_held


def test_load_forgets_what_was_set(bench: Bench) -> None:
    bench.set(0, IntMS=1000)
    bench.timing.load(compile_script(SLOW), 1)
    assert bench["IntMS"] == 0


def test_a_stored_exposure_starts_when_the_script_is_loaded() -> None:
    bench = Bench(SLOW.with_parameter("Exposures", 1).with_parameter("IntMS", 1000))
    assert bench.integrates(0.5)


def test_continuous_exposures_go_on_until_they_are_ended(bench: Bench) -> None:
    bench.set(0, IntMS=1000, ContinuousExposures=1)
    assert bench.done(9.1) == [1, 2, 3]
    bench.set(9.1, ContinuousExposures=0)
    assert bench.done(100) == [2, 3, 4]


def test_a_flush_between_integration_and_readout_loses_the_light(bench: Bench) -> None:
    bench.set(0, IntMS=1000, Exposures=1)
    bench.set(1.5, DoFlush=1)
    bench.set(10, ReadOut=1)
    assert bench.shot(13).light_seconds == 0


def test_skipping_some_lines_loses_no_light() -> None:
    bench = Bench(SLOW.with_parameter("PreSkipLines", 5))
    bench.set(0, IntMS=1000, Exposures=1)
    bench.set(2, ReadOut=1)
    assert bench.shot(5).light_seconds == pytest.approx(1, abs=0.002)


@pytest.mark.parametrize(("name", "value"), [("Lines", 19), ("Pixels", 22)])
def test_with_too_few_clocks_a_frame_never_completes(name: str, value: int) -> None:
    bench = Bench(SLOW.with_parameter(name, value))
    bench.set(0, ReadOut=1)
    assert bench.done(1000) == []
    assert bench.frames.frame == 1


def test_a_script_that_reads_by_itself_waits_for_triggers() -> None:
    bench = Bench(AT_ONCE.with_parameter("ExternalTrigger", 1).with_parameter("LinePause", 10_000))
    bench.set(1, IntMS=500, Exposures=1)
    assert bench.done(5) == []
    bench.timing.reset(5)
    assert bench.integrates(5.4)
    assert bench.done(8) == [1]


# No time at all


def test_without_time_an_exposure_is_over_at_once_and_the_clock_jumps() -> None:
    bench = Bench(instant=True)
    before = bench.timing.skipped
    bench.set(1, IntMS=900_000, Exposures=1)
    bench.set(1.1 + bench.timing.skipped, ReadOut=1)
    assert bench.done(1.1) == [1]
    assert bench.timing.skipped - before == pytest.approx(902, abs=0.1)
    assert bench.shot(1.1).light_seconds == pytest.approx(900, abs=0.01)


def test_without_time_frames_come_one_at_a_time() -> None:
    bench = Bench(AT_ONCE, instant=True)
    bench.set(1, IntMS=10, Exposures=3)
    seen = [bench.done(1 + n * 0.011 + bench.timing.skipped) for n in range(4)]
    assert seen[0] == [1]
    assert seen[-1] == [1, 2, 3]


def test_without_time_the_idle_script_does_not_move_the_clock() -> None:
    bench = Bench(instant=True)
    bench.set(1, IntMS=5)
    before = bench.timing.skipped
    for n in range(10):
        bench.timing.advance(2 + n + before)
    assert bench.timing.skipped == before


def test_a_script_that_counts_too_much_runs_late_and_catches_up() -> None:
    bench = Bench(SLOW.with_value("LINE5", "X; Rows++"))
    bench.timing.advance(0.0002)
    assert bench.timing.late > 0
    for _ in range(50):
        bench.timing.advance(0.0002)
    assert (bench.timing.late, bench.timing.tick) == (0, 20_000)

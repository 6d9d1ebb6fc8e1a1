"""What the timing script does with its parameters, at chosen times."""

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.errors import InputError
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.frames import FrameBuffers
from archon_ioc.sim.sequencer import Phase, Sequencer, estimate_line_seconds

LINE = 0.5  # seconds: a frame of four lines takes 2 s


class Core:
    """A sequencer with its buffers, loaded at time 0."""

    def __init__(self, acf: Acf, *, instant: bool = False) -> None:
        self.frames = FrameBuffers(Faults())
        self.sequencer = Sequencer(self.frames, instant=instant, line_seconds=LINE)
        self.sequencer.is_powered = True
        self.sequencer.load(acf, 0.0)

    def set(self, at: float, **values: int) -> None:
        self.sequencer.advance(at)
        self.sequencer.set_parameters(values, at)

    def phase(self, at: float) -> Phase:
        self.sequencer.advance(at)
        return self.sequencer.phase

    def done(self, at: float) -> list[int]:
        """Return the numbers of the complete frames."""
        self.sequencer.advance(at)
        return sorted(b.shot.frame for b in self.frames.buffers if b.complete and b.shot)

    def __getitem__(self, name: str) -> int:
        return self.sequencer.parameters[name.upper()]


@pytest.fixture
def core(separate: Acf) -> Core:
    return Core(separate)


def test_integration_and_readout_are_separate_demands(core: Core) -> None:
    core.set(10, IntMS=3000, Exposures=1)
    assert core.phase(12.9) is Phase.INTEGRATING
    assert core["Exposures"] == 1
    assert core.phase(13.1) is Phase.IDLE
    assert core["Exposures"] == 0
    assert core.done(100) == []
    core.set(100, ReadOut=1)
    assert core["ReadOut"] == 0
    assert core.phase(101.9) is Phase.READING
    assert core.done(101.9) == []
    assert core.done(102) == [1]
    assert core.phase(102) is Phase.IDLE


def test_a_readout_that_waits_follows_the_integration(core: Core) -> None:
    core.set(10, IntMS=3000, Exposures=1)
    core.set(11, ReadOut=1)
    assert core.phase(12) is Phase.INTEGRATING
    assert core.phase(13.5) is Phase.READING
    assert core.frames.buffers[0].started == 13 * 10**8
    assert core.frames.buffers[0].edges.light_on == 10 * 10**8
    assert core.frames.buffers[0].edges.light_off == 13 * 10**8


def test_the_integration_time_may_be_in_hundredths_of_a_second(separate: Acf) -> None:
    core = Core(separate.with_value("PARAMETER2", "IntCS=0"))
    core.set(0, IntCS=200, Exposures=1)
    assert core.phase(1.99) is Phase.INTEGRATING
    assert core.phase(2.01) is Phase.IDLE


def test_the_integration_time_is_settled_when_it_begins(core: Core) -> None:
    core.set(0, IntMS=1000, Exposures=1)
    core.set(0.5, IntMS=9000)
    assert core.phase(1.01) is Phase.IDLE


def test_several_exposures_follow_each_other(core: Core) -> None:
    core.set(0, IntMS=1000, Exposures=3)
    core.sequencer.advance(1.5)
    assert core["Exposures"] == 2
    assert core.phase(3.01) is Phase.IDLE


def test_the_shutter_delay_comes_before_the_readout(core: Core) -> None:
    core.set(0, NoIntMS=500, ReadOut=1)
    assert core.phase(0.49) is Phase.CLOSING
    assert core.phase(0.51) is Phase.READING


def test_names_of_parameters_have_no_case(core: Core) -> None:
    core.set(0, INTMS=1000, exposures=1)
    assert core.phase(0.5) is Phase.INTEGRATING


def test_an_unknown_parameter_changes_none(core: Core) -> None:
    with pytest.raises(InputError, match="'Exposure'"):
        core.set(0, IntMS=5, Exposure=1)
    assert core["IntMS"] == 0


# Abort, hold, reset


def test_abort_ends_the_integration_and_clears_itself(core: Core) -> None:
    core.set(0, IntMS=10_000, Exposures=1)
    core.set(4, AbortExposure=1)
    assert core.phase(4.1) is Phase.IDLE
    assert (core["Exposures"], core["AbortExposure"]) == (0, 0)
    assert core.done(100) == []


def test_what_was_integrated_before_an_abort_can_be_read(core: Core) -> None:
    core.set(0, IntMS=10_000, Exposures=1)
    core.set(1, ReadOut=1)
    core.set(4, AbortExposure=1)
    assert core.done(6.1) == [1]
    shot = core.frames.buffers[0].shot
    assert shot is not None
    assert shot.light_seconds == 4


def test_an_abort_that_waits_ends_the_next_integration_at_once(core: Core) -> None:
    core.set(0, AbortExposure=1)
    assert core["AbortExposure"] == 1
    core.set(1, IntMS=1000, Exposures=1)
    assert core.phase(1.01) is Phase.IDLE
    assert core["AbortExposure"] == 0


def test_a_script_that_does_not_ask_for_an_abort_goes_on(separate: Acf) -> None:
    core = Core(separate.with_value("LINE1", "X; AbortExposure--"))
    core.set(0, IntMS=10_000, Exposures=1)
    core.set(4, AbortExposure=1)
    assert core.phase(9.9) is Phase.INTEGRATING


def test_hold_leaves_a_frame_incomplete_for_ever(core: Core) -> None:
    core.set(0, ReadOut=1)
    core.sequencer.advance(1.1)
    core.sequencer.hold(1.1)
    assert core.phase(50) is Phase.HELD
    assert core.done(50) == []
    assert core.frames.buffers[0].lines == 2


def test_a_held_core_does_not_look_at_its_parameters_until_it_is_released(core: Core) -> None:
    core.sequencer.hold(0)
    core.set(1, IntMS=1000, Exposures=1)
    assert core.phase(5) is Phase.HELD
    core.sequencer.release(5)
    assert core.phase(5.5) is Phase.INTEGRATING


def test_reset_starts_again_with_the_parameters_as_they_are(core: Core) -> None:
    core.set(0, IntMS=1000, Exposures=1)
    core.sequencer.advance(0.9)
    core.sequencer.reset(0.9)
    assert core.phase(1.5) is Phase.INTEGRATING
    assert core.phase(1.95) is Phase.IDLE


def test_reset_does_not_release_cores_that_are_held(core: Core) -> None:
    core.sequencer.hold(0)
    core.set(1, IntMS=1000, Exposures=1)
    core.sequencer.reset(2)
    assert core.phase(5) is Phase.HELD
    core.sequencer.release(5)
    assert core.phase(5.5) is Phase.INTEGRATING


def test_load_forgets_what_was_set(core: Core, separate: Acf) -> None:
    core.set(0, IntMS=1000)
    core.sequencer.load(separate, 1)
    assert core["IntMS"] == 0


def test_a_stored_exposure_starts_when_the_script_is_loaded(separate: Acf) -> None:
    core = Core(separate.with_values({"PARAMETER1": "Exposures=1", "PARAMETER2": "IntMS=1000"}))
    assert core.phase(0.5) is Phase.INTEGRATING


# Continuous, flush


def test_continuous_exposures_go_on_until_they_are_ended(core: Core) -> None:
    core.set(0, IntMS=1000, ContinuousExposures=1)
    assert core.done(9.1) == [1, 2, 3]
    core.set(9.1, ContinuousExposures=0)
    assert core.phase(10.5) is Phase.IDLE


def test_a_flush_takes_its_time(core: Core) -> None:
    core.set(0, DoFlush=1)
    assert core["DoFlush"] == 0
    assert core.phase(1.9) is Phase.FLUSHING
    assert core.phase(2.1) is Phase.IDLE


def test_a_demand_waits_for_the_end_of_an_automatic_flush(core: Core) -> None:
    core.set(0, AutoFlush=1)
    core.set(100.4, ReadOut=1)
    assert core.phase(100.9) is Phase.FLUSHING
    assert core.phase(101.1) is Phase.READING


def test_a_flush_between_integration_and_readout_loses_the_light(core: Core) -> None:
    core.set(0, IntMS=1000, Exposures=1)
    core.set(1.5, DoFlush=1)
    core.set(10, ReadOut=1)
    core.sequencer.advance(10)
    shot = core.frames.buffers[0].shot
    assert shot is not None
    assert shot.light_seconds == 0


# Light


@pytest.mark.parametrize(("forced", "light"), [(None, 2.0), (False, 0.0), (True, 2.0)])
def test_light_falls_while_the_shutter_is_open(core: Core, forced: bool | None, light: float) -> None:
    core.sequencer.set_shutter(forced, 0)
    core.set(0, IntMS=2000, Exposures=1)
    core.set(3, ReadOut=1)
    shot = core.frames.buffers[0].shot
    assert shot is not None
    assert (shot.light_seconds, shot.dark_seconds) == (light, 2.0)


def test_a_shutter_that_is_forced_closed_meanwhile_ends_the_light(core: Core) -> None:
    core.set(0, IntMS=2000, Exposures=1, ReadOut=1)
    core.sequencer.advance(0.5)
    core.sequencer.set_shutter(False, 0.5)
    core.sequencer.advance(2.0)
    shot = core.frames.buffers[0].shot
    assert shot is not None
    assert shot.light_seconds == 0.5


def test_without_power_only_bias_is_read(core: Core) -> None:
    core.sequencer.is_powered = False
    core.set(0, IntMS=2000, Exposures=1, ReadOut=1)
    core.sequencer.advance(2)
    shot = core.frames.buffers[0].shot
    assert shot is not None
    assert (shot.light_seconds, shot.dark_seconds) == (0, 0)


def test_a_readout_takes_the_light_away(core: Core) -> None:
    core.set(0, IntMS=1000, Exposures=1, ReadOut=1)
    core.set(10, Exposures=1, ReadOut=1)
    core.sequencer.advance(20)
    assert [b.shot.light_seconds for b in core.frames.buffers if b.shot] == [1, 1]


def test_without_a_readout_the_light_adds_up(core: Core) -> None:
    core.set(0, IntMS=1000, Exposures=2, ReadOut=1)
    core.sequencer.advance(20)
    assert [b.shot.light_seconds for b in core.frames.buffers if b.shot] == [2]


# Frames


def test_skipped_lines_come_before_the_frame(separate: Acf) -> None:
    core = Core(separate.with_value("PARAMETER8", "PreSkipLines=20"))
    core.set(0, ReadOut=1)
    assert core.phase(0.9) is Phase.CLOSING
    assert core.frames.write_buffer == 0
    assert core.phase(1.1) is Phase.READING
    assert core.frames.buffers[0].started == pytest.approx(20 * 0.1 * LINE * 1e8)


@pytest.mark.parametrize(("key", "value"), [("Lines=3", 3), ("Pixels=4", 4)])
def test_with_too_few_clocks_a_frame_never_completes(separate: Acf, key: str, value: int) -> None:
    core = Core(separate.with_value("PARAMETER8", key))
    core.set(0, ReadOut=1)
    assert core.done(1000) == []
    assert core.frames.buffers[0].lines == 3


def test_without_geometry_there_is_no_frame() -> None:
    core = Core(Acf.parse("[CONFIG]\nPARAMETERS=1\nPARAMETER0=ContinuousExposures=1"))
    assert core.done(1) == []
    assert core.frames.frame == 0


def test_without_a_given_time_a_line_takes_what_its_sampling_windows_say(separate: Acf) -> None:
    acf = Acf.parse("[CONFIG]\nPIXELCOUNT=2060\nSHP2=440\nSHD2=890")
    assert estimate_line_seconds(acf) == pytest.approx(2060 * 1.01e-5 + 1e-4)


# The script that reads after each integration


def test_one_demand_integrates_and_reads(at_once: Acf) -> None:
    core = Core(at_once)
    core.set(0, IntMS=1000, Exposures=2)
    assert core["Exposures"] == 1
    assert core.phase(1.5) is Phase.READING
    assert core.done(3) == [1]
    assert core.done(6) == [1, 2]
    assert core.phase(6.1) is Phase.IDLE


def test_a_pause_follows_the_readout(at_once: Acf) -> None:
    core = Core(at_once)
    core.set(0, WaitMS=5000, Exposures=2)
    assert core.phase(4) is Phase.WAITING
    assert core.phase(7.1) is Phase.READING


def test_with_an_external_trigger_nothing_begins_before_a_reset(at_once: Acf) -> None:
    core = Core(at_once)
    core.set(0, ExternalTrigger=1)
    core.set(1, Exposures=2, IntMS=1000)
    assert core.phase(50) is Phase.ARMED
    core.sequencer.reset(50)
    assert core.done(53) == [1]
    assert core.phase(60) is Phase.ARMED
    core.set(60, ExternalTrigger=0)
    assert core.phase(60.5) is Phase.INTEGRATING


# No time at all


def test_instant_exposures_are_done_when_they_are_demanded(separate: Acf) -> None:
    core = Core(separate, instant=True)
    core.set(5, IntMS=1000)
    core.set(5, Exposures=1)
    core.set(5, ReadOut=1)
    assert core.done(5) == [1]
    shot = core.frames.buffers[0].shot
    assert shot is not None
    assert shot.light_seconds == 1


def test_instant_continuous_exposures_leave_time_for_others(separate: Acf) -> None:
    core = Core(separate, instant=True)
    core.set(0, ContinuousExposures=1)
    core.sequencer.advance(1)
    assert 90 <= core.frames.frame <= 101


def test_instant_automatic_flush_ends(separate: Acf) -> None:
    core = Core(separate)
    core.set(0, AutoFlush=1)
    core.sequencer.set_instant()
    assert core.phase(3) is Phase.IDLE
    core.set(4, ReadOut=1)
    assert core.done(4) == [1]

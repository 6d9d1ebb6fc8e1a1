"""The simulated controller, command by command, at chosen times."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import SystemInfo, parse_timer
from archon_ioc.protocol.wire import BLOCK_SIZE
from archon_ioc.sim.answers import REJECTED, RESTART, BlockRequest
from archon_ioc.sim.device import SimArchon

Desk = Any  # of conftest.py
BASE = 0xA0000000
SLOW_LINE = 1.0  # seconds: what a line of ``ready`` takes, and so the time until the first sample


# Which commands there are


UNKNOWN = """
status PING Frame ERASE00 VERIFY APPLYNET AUTOFETCH1 FASTAUTOFETCH1 LOCKT1 CLEARAD0 CALAD0,1 FASTLOADPARAM
"""

BAD = """
WCONFIG00G0A=1
WCONFIG01
WCONFIG4000A=1
RCONFIG1
RCONFIG 001
LOCK
LOCK4
LOCK12
FETCHA000000000000001X
FETCHA000000000000000
FETCH9FFFFC0000000001
APPLYMOD1
APPLYDIOXX
FASTLOADPARAM IntMS
FASTLOADPARAM IntMS -1
FASTLOADPARAM IntMS 1048576
FASTLOADPARAM Nothing 1
FASTPREPPARAM Nothing 1
LOADPARAM Nothing
PREPPARAM Nothing
POWERON
"""


@pytest.mark.parametrize("command", ["", *UNKNOWN.split()])
def test_unknown_commands_are_answered_with_silence(desk: Desk, command: str) -> None:
    assert desk.device.handle(command, 0) is None
    assert desk.ask("FETCHLOG") == "(null)"


def test_commands_are_recognised_by_their_beginning(desk: Desk) -> None:
    assert desk.ask("TIMERS").startswith("TIMER=")


@pytest.mark.parametrize("command", [f"WCONFIG0000{'x' * 2049}", *BAD.strip().splitlines()])
def test_bad_commands_fail_with_a_reason_in_the_log(ready: Desk, command: str) -> None:
    assert ready.refused(command).startswith(command.split(" ", maxsplit=1)[0][:20])


def test_the_log_is_counted_and_taken_oldest_first(desk: Desk) -> None:
    for command in ("LOCK7", "LOCK8"):
        assert desk.device.handle(command, 0) is REJECTED
    assert desk.status().log_entries == 2
    assert "'7'" in desk.ask("FETCHLOG")
    assert "'8'" in desk.ask("FETCHLOG")
    assert desk.ask("FETCHLOG") == "(null)"
    assert desk.status().log_entries == 0


def test_the_timer_counts_ticks_of_10_ns(desk: Desk) -> None:
    assert parse_timer(desk.ask("TIMER", 1.25)) == 125_000_000


def test_system_is_what_the_flash_says(desk: Desk) -> None:
    text = desk.ask("SYSTEM")
    assert text.endswith(" ")
    assert len(text.split()) == 54
    system = SystemInfo.parse(text)
    assert [(m.slot, m.type.label) for m in system.modules] == [
        (2, "HeaterX"),
        (4, "LVXBias"),
        (5, "AD"),
        (9, "HVXBias"),
    ]
    assert system.fields["MOD_PRESENT"] == "11A"
    assert system.fields["MOD1_ID"] == "0" * 16


# Configuration


def test_the_configuration_memory_is_read_as_written(desk: Desk) -> None:
    desk.ask("WCONFIG0abcMOD4/LVLC_LABEL1=Reset > drain")
    assert desk.ask("RCONFIG0ABC") == "MOD4/LVLC_LABEL1=Reset > drain"
    assert desk.ask("RCONFIG3FFF") == ""
    desk.ask("CLEARCONFIG")
    assert desk.ask("RCONFIG0ABC") == ""


def test_the_flash_is_in_the_memory_but_not_applied(desk: Desk, separate: Acf) -> None:
    assert desk.ask("RCONFIG0000") == separate.lines[0]
    assert desk.status().power is Power.NOT_CONFIGURED
    assert "APPLYALL first" in desk.refused("POWERON")
    assert "no parameter 'IntMS'" in desk.refused("FASTLOADPARAM IntMS 1")


def test_the_memory_and_what_is_applied_are_apart(ready: Desk) -> None:
    ready.ask("CLEARCONFIG")
    assert ready.device.applied.pixel_count == 6
    ready.set(ReadOut=1)
    assert ready.frames(20).newest.width == 12


def test_apply_all_turns_the_power_off(ready: Desk) -> None:
    assert ready.status().power is Power.ON
    ready.ask("APPLYALL")
    assert ready.status().power is Power.OFF
    ready.ask("POWERON")
    assert ready.status(10.5).power is Power.INTERMEDIATE
    assert ready.status(11.1).power is Power.ON


def test_after_apply_all_only_bias_is_read(ready: Desk) -> None:
    ready.ask("APPLYALL")
    ready.set(IntMS=1000, Exposures=1, ReadOut=1)
    ready.frames(20)
    assert ready.device.frames.buffers[0].shot.dark_seconds == 0


def test_power_off_ramps_down_and_reads_bias_only(ready: Desk) -> None:
    ready.ask("POWEROFF")
    assert ready.status(10.5).power is Power.INTERMEDIATE
    assert ready.status(11.1).power is Power.OFF
    ready.set(IntMS=1000, Exposures=1, ReadOut=1)
    ready.frames(20)
    assert ready.device.frames.buffers[0].shot.dark_seconds == 0


def test_a_bad_configuration_is_refused_and_the_old_one_kept(ready: Desk, separate: Acf) -> None:
    ready.ask(f"WCONFIG{separate.line_number('PIXELCOUNT'):04X}PIXELCOUNT=many")
    assert "PIXELCOUNT='many'" in ready.refused("APPLYALL")
    assert ready.status().power is Power.ON
    assert ready.device.applied.pixel_count == 6


def write(desk: Desk, acf: Acf, key: str, value: str) -> None:
    desk.ask(f"WCONFIG{acf.line_number(key):04X}{key}={value}")


def test_apply_cds_changes_the_next_frame(ready: Desk, separate: Acf) -> None:
    write(ready, separate, "PIXELCOUNT", "3")
    ready.set(ReadOut=1)
    assert ready.frames(15).newest.width == 12
    ready.ask("APPLYCDS")
    ready.set(ReadOut=1)
    assert ready.frames(20).newest.width == 6
    assert ready.status().power is Power.ON


def test_load_params_takes_stored_values_and_leaves_the_core_running(ready: Desk, separate: Acf) -> None:
    ready.set(IntMS=5000, Exposures=1)
    write(ready, separate, "PARAMETER2", "IntMS=700")
    write(ready, separate, "PARAMETER3", "NoIntMS=80")
    ready.ask("LOADPARAM intms")
    assert (ready.device.parameters["INTMS"], ready.device.parameters["NOINTMS"]) == (700, 0)
    ready.ask("LOADPARAMS")
    assert ready.device.parameters["NOINTMS"] == 80
    assert ready.device.parameters["EXPOSURES"] == 0


def test_load_timing_restarts_with_stored_values(ready: Desk, separate: Acf) -> None:
    write(ready, separate, "PARAMETER4", "ReadOut=1")
    ready.set(IntMS=5000)
    ready.ask("LOADTIMING")
    assert ready.device.parameters["INTMS"] == 0
    assert ready.frames(20).newest.frame == 1


def test_prepared_parameters_become_active_with_the_next_load(ready: Desk, separate: Acf) -> None:
    write(ready, separate, "PARAMETER3", "NoIntMS=80")
    ready.ask("FASTPREPPARAM IntMS 700")
    ready.ask("PREPPARAM NoIntMS")
    assert (ready.device.parameters["INTMS"], ready.device.parameters["NOINTMS"]) == (0, 0)
    ready.ask("FASTLOADPARAM FlushCount 3")
    assert (ready.device.parameters["INTMS"], ready.device.parameters["NOINTMS"]) == (700, 80)
    ready.set(IntMS=5)
    ready.set(FlushCount=4)
    assert ready.device.parameters["INTMS"] == 5


def test_modules_are_applied_one_by_one(ready: Desk) -> None:
    ready.ask("WCONFIG0800MOD4/LVLC_V1=5")
    ready.ask("WCONFIG0801MOD9/HVLC_V1=12")
    ready.ask("APPLYMOD03")
    biases = ready.status(11)
    assert biases.modules[4].biases["LVLC1"].volts == pytest.approx(5, abs=0.1)
    assert biases.modules[9].biases["HVLC1"].volts == pytest.approx(0, abs=0.1)
    assert ready.ask("APPLYDIO08") == ""
    assert "MOD9/HVLC_V1" not in ready.device.applied


def test_apply_system_closes_the_shutter(ready: Desk, separate: Acf) -> None:
    ready.set(DoFlush=1, FlushCount=1)
    write(ready, separate, "TRIGOUTFORCE", "1")
    ready.ask("APPLYSYSTEM")
    ready.set(10.1, IntMS=1000, Exposures=1, ReadOut=1)
    ready.frames(20)
    shot = ready.device.frames.buffers[0].shot
    assert shot.light_seconds == 0
    assert shot.dark_seconds == pytest.approx(0.1 + 1 + SLOW_LINE, abs=0.01)


def test_a_shutter_that_is_forced_open_lets_light_in_all_the_time(ready: Desk, separate: Acf) -> None:
    ready.set(DoFlush=1, FlushCount=1)
    write(ready, separate, "TRIGOUTFORCE", "1")
    write(ready, separate, "TRIGOUTLEVEL", "1")
    ready.ask("APPLYSYSTEM", 20)
    ready.set(25, IntMS=1000, Exposures=1)
    ready.set(30, ReadOut=1)
    ready.frames(50)
    shot = ready.device.frames.buffers[0].shot
    assert shot.light_seconds == pytest.approx(10 + SLOW_LINE, abs=0.01)
    assert shot.dark_seconds == pytest.approx(20 + SLOW_LINE, abs=0.01)


# Exposures


def test_an_exposure_from_command_to_pixels(ready: Desk) -> None:
    ready.set(IntMS=2000, Exposures=1, ReadOut=1)
    assert ready.frames(12.9).newest is None
    assert ready.frames(12.9).write_buffer == 0
    writing = ready.frames(14.5).writing
    assert (writing.number, writing.lines) == (1, 2)
    done = ready.frames(16.1).newest
    assert (done.frame, done.width, done.height, done.base) == (1, 12, 4, BASE)
    assert [done.rising_edge, done.falling_edge, done.timestamp] == pytest.approx([1e9, 1.2e9, 1.3e9], abs=1e5)
    assert ready.device.handle(f"FETCH{BASE:08X}00000001", 16.1) == BlockRequest(BASE, 1)
    assert len(ready.device.read(BASE, BLOCK_SIZE, 16.1)) == BLOCK_SIZE


def test_reset_hold_and_release(ready: Desk) -> None:
    ready.set(IntMS=2000, Exposures=1)
    ready.ask("HOLDTIMING", 11)
    ready.set(ReadOut=1)
    assert ready.frames(30).write_buffer == 0
    ready.ask("RELEASETIMING", 30)
    assert ready.frames(34.5).writing.frame == 1
    ready.ask("RESETTIMING", 34.5)
    assert ready.frames(50).newest is None


def test_a_rev_h_keeps_completed_frames_for_pushing_if_a_client_asks_for_it(
    slow: Acf, desk_of: Callable[..., Desk]
) -> None:
    desk = desk_of(replace(slow, system={**slow.system, "BACKPLANE_REV": "7"}), applied=True)
    desk.set(ReadOut=1)
    desk.frames(20)
    assert not desk.device.frames.completed
    assert desk.ask("FASTAUTOFETCH1") == ""
    desk.set(ReadOut=1)
    desk.frames(30)
    assert [buffer.shot.frame for buffer in desk.device.frames.completed] == [2]
    desk.ask("FASTAUTOFETCH0")
    assert not desk.device.frames.completed
    assert "'2'" in desk.refused("FASTAUTOFETCH2")


def test_a_trigger_pulse_restarts_the_script_if_it_is_enabled(desk_of: Callable[..., Desk], at_once: Acf) -> None:
    for enabled, frames in ((1, 1), (0, 0)):
        acf = at_once.with_value("TRIGINENABLE", f"{enabled}")
        desk = desk_of(acf, applied=True)
        desk.set(ExternalTrigger=1, IntMS=1000)
        desk.set(Exposures=1)
        desk.device.trigger_in(10)
        assert desk.frames(20).buffers[0].frame == frames


def test_a_trigger_pulse_does_not_release_cores_that_are_held(desk_of: Callable[..., Desk], at_once: Acf) -> None:
    desk = desk_of(at_once.with_value("TRIGINENABLE", "1"), applied=True)
    desk.set(ExternalTrigger=1, IntMS=1000)
    desk.ask("HOLDTIMING", 5)
    desk.set(Exposures=1)
    desk.device.trigger_in(10)
    assert desk.frames(20).buffers[0].frame == 0
    desk.ask("RELEASETIMING", 20)
    assert desk.frames(30).buffers[0].frame == 1


def test_locks_are_shown_at_once(desk: Desk) -> None:
    desk.ask("LOCK2")
    assert desk.frames().read_buffer == 2
    desk.ask("LOCK0")
    assert desk.frames().read_buffer == 0


# Polling, faults, restart


def test_without_polling_the_status_is_frozen(ready: Desk) -> None:
    before = ready.status()
    assert ready.status(11).count > before.count
    ready.ask("POLLOFF")
    frozen = ready.status(12)
    assert ready.status(20).fields == frozen.fields
    ready.ask("POLLON")
    assert ready.status(21).count == frozen.count + 10


def test_a_broken_rail_opens_the_relays_until_the_next_apply_all(ready: Desk) -> None:
    ready.device.faults.rail = "P5V"
    status = ready.status(11)
    assert (status.power, status.power_good) == (Power.OFF, False)
    assert ready.ask("FETCHLOG") == "Power supply fault: P5V"
    ready.device.faults.clear()
    assert "APPLYALL" in ready.refused("POWERON", 12)
    ready.ask("APPLYALL")
    ready.ask("POWERON")
    assert ready.status(14).power is Power.ON


def test_a_reboot_forgets_everything_a_warm_boot_not_the_frame_number(ready: Desk, separate: Acf) -> None:
    for command, number in (("WARMBOOT", 2), ("REBOOT", 1)):
        ready.set(ready.now + 10, ReadOut=1)
        ready.ask("WCONFIG0000A=1", ready.now + 10)
        assert ready.device.handle(command, ready.now) is RESTART
        assert ready.ask("RCONFIG0000") == separate.lines[0]
        assert parse_timer(ready.ask("TIMER")) == 0
        status = ready.status()
        assert (status.power, status.valid) == (Power.NOT_CONFIGURED, False)
        assert ready.status(ready.now + 1).valid
        ready.ask("APPLYALL")
        ready.set(ReadOut=1)
        assert ready.frames(ready.now + 10).newest.frame == number


def test_without_a_configuration_there_is_a_chassis_of_its_own(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of()
    assert SystemInfo.parse(desk.ask("SYSTEM")).revision_letter == "F"
    assert desk.ask("RCONFIG0000") == ""
    assert desk.status().valid


def test_an_instant_device_takes_no_time(separate: Acf, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(separate, applied=True, instant=True)
    desk.ask("POWERON", 1)
    assert desk.status().power is Power.ON
    desk.set(IntMS=5000, Exposures=1, ReadOut=1)
    assert desk.frames().newest.frame == 1


def test_real_configurations_expose(real: Acf) -> None:
    check_exposure(real)


def test_the_demonstration_exposes(demo: Acf) -> None:
    check_exposure(demo)


def check_exposure(acf: Acf) -> None:
    device = SimArchon()
    now = 0.0

    def ask(command: str) -> str:
        answer = device.handle(command, now)
        assert isinstance(answer, str), f"{command}: {answer} {device.handle('FETCHLOG', now)}"
        return answer

    for number, line in enumerate(acf.lines):
        ask(f"WCONFIG{number:04X}{line}")
    ask("APPLYALL")
    ask("POWERON")
    now = 10.0
    integration = "IntCS" if acf.parameter_name("IntCS") else "IntMS"
    for name in ("AutoFlush", "ExternalTrigger"):
        if acf.parameter_name(name):
            ask(f"FASTLOADPARAM {name} 0")
    now = 20.0
    ask(f"FASTLOADPARAM {integration} 100")
    ask("FASTLOADPARAM Exposures 1")
    if acf.parameter_name("ReadOut"):
        now = 20.01
        ask("FASTLOADPARAM ReadOut 1")
    now = 500.0
    device.advance(now)
    (done,) = (b for b in device.frames.buffers if b.complete)
    assert done.shot is not None
    assert (done.shot.geometry.height, done.shot.geometry.width) == acf.frame_shape
    assert done.shot.light_seconds == pytest.approx(1.0 if integration == "IntCS" else 0.1, rel=1e-3)

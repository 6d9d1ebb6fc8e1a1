"""Commands of the simulated controller that concern the hardware around the timing core."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.enums import Power
from archon_ioc.sim.answers import RESTART

Desk = Any  # of conftest.py
Change = Callable[..., Acf]
GAUGE = {"MOD4/VCPU_LINES": 1, "MOD4/VCPU_LINE0": "anything"}


@pytest.mark.parametrize("command", ["ERASEMOD03", "FLASH00", "FLASHMOD03", "VERIFYMOD03"])
def test_commands_of_the_firmware_are_answered_with_silence(desk: Desk, command: str) -> None:
    assert desk.device.handle(command, 0) is None


# Flash memory


def test_the_memory_may_be_stored_for_the_next_start(ready: Desk) -> None:
    ready.ask("WCONFIG0900SHP1=3")
    ready.ask("FLASHACTIVECONFIG")
    ready.ask("CLEARCONFIG")
    assert ready.device.handle("REBOOT", 20) is RESTART
    assert ready.ask("RCONFIG0900", 21) == "SHP1=3"
    ready.ask("ERASESTOREDCONFIG")
    assert ready.ask("RCONFIG0900") == "SHP1=3"
    assert ready.device.handle("WARMBOOT", 30) is RESTART
    assert ready.ask("RCONFIG0900", 31) == ""


@pytest.mark.parametrize(
    ("keys", "power"),
    [({"APPLYALL": 1}, Power.OFF), ({"APPLYALL": 1, "POWERON": 1}, Power.ON), ({"POWERON": 1}, Power.NOT_CONFIGURED)],
)
def test_stored_keys_apply_and_switch_on_at_the_start(
    separate: Acf, desk_of: Callable[..., Desk], changed: Change, keys: dict[str, int], power: Power
) -> None:
    desk = desk_of(changed(separate, **keys))
    assert desk.status(3).power is power
    assert desk.device.handle("REBOOT", 10) is RESTART
    assert desk.status(13).power is power


def test_a_stored_configuration_that_is_wrong_is_not_applied(
    separate: Acf, desk_of: Callable[..., Desk], changed: Change
) -> None:
    desk = desk_of(changed(separate, APPLYALL=1, PIXELCOUNT=0))
    assert desk.status(1).power is Power.NOT_CONFIGURED
    assert "PIXELCOUNT" in desk.ask("FETCHLOG")


# Power


def test_a_shorted_bias_keeps_the_power_from_coming_up(ready: Desk) -> None:
    ready.ask("WCONFIG0900MOD9/HVHC_V1=20")
    ready.ask("APPLYALL")
    ready.device.faults.bias_short = "MOD9/HVHC1"
    ready.ask("POWERON")
    assert ready.status(20).power is Power.OFF
    assert "MOD9/HVHC1" in ready.ask("FETCHLOG")
    ready.device.faults.clear()
    ready.ask("POWERON")
    assert ready.status(30).power is Power.ON


def test_a_bias_that_is_shorted_later_sags_and_nothing_else_tells(ready: Desk) -> None:
    ready.ask("WCONFIG0900MOD9/HVHC_V1=20")
    ready.ask("APPLYMOD08")
    ready.device.faults.bias_short = "MOD9/HVHC1"
    status = ready.status(20)
    assert (status.power, status.power_good) == (Power.ON, True)
    assert status.modules[9].biases["HVHC1"].volts < 1


# Polling


def test_whether_there_is_an_external_clock(separate: Acf, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of(replace(separate, system={**separate.system, "BACKPLANE_VERSION": "1.0.1271"}))
    assert desk.status(1).fields["EXTCLKPRESENT"] == "0"
    desk.device.is_led = True
    assert desk.status(2).fields["EXTCLKPRESENT"] == "1"


def test_biases_may_be_frozen_alone(ready: Desk) -> None:
    ready.ask("BIASPOLLOFF")
    before = ready.status(11)
    after = ready.status(12)
    assert after.modules[4].biases == before.modules[4].biases
    assert after.rails != before.rails
    ready.ask("BIASPOLLON")
    assert ready.status(13).modules[4].biases != before.modules[4].biases


# VCPU and digital lines


def counter(desk: Desk, at: float) -> int:
    return desk.status(at).modules[4].vcpu[15]


@pytest.mark.parametrize(
    ("command", "restarts"),
    [("APPLYALL", True), ("APPLYMOD03", True), ("APPLYDIO03", True), ("APPLYMOD08", False), ("APPLYSYSTEM", False)],
)
def test_which_commands_restart_a_vcpu(
    separate: Acf, desk_of: Callable[..., Desk], changed: Change, command: str, restarts: bool
) -> None:
    desk = desk_of(changed(separate, **GAUGE), applied=True)
    assert counter(desk, 100) == pytest.approx(100, abs=1)
    before = desk.status(100).modules[4].vcpu[:15]
    desk.ask(command, 100)
    assert counter(desk, 110) == pytest.approx(10 if restarts else 110, abs=1)
    assert desk.status(110).modules[4].vcpu[:15] == before


def test_digital_lines_are_wired_from_outside(separate: Acf, desk_of: Callable[..., Desk], changed: Change) -> None:
    desk = desk_of(changed(separate, **{"MOD4/DIO_DIR34": 1, "MOD4/DIO_SOURCE4": 1}), applied=True)
    lines = desk.device.hardware.modules[4].lines
    lines.set_input(1, True)
    assert desk.status(1).modules[4].digital_inputs == "10010000"
    assert lines.outputs() == {3: False, 4: True}


def test_the_state_of_the_script_drives_lines_and_biases(
    separate: Acf, desk_of: Callable[..., Desk], changed: Change
) -> None:
    keep = ",".join(["1,1"] * 7)
    acf = changed(
        separate,
        **{"CONSTANTS": 1, "CONSTANT0": "OPEN=-7", "MOD4/DIO_DIR12": 1, "MOD4/DIO_SOURCE1": 2},
        **{f"STATE{n}/MOD4": f"1,0,{keep},1,2,open" for n in range(separate.number("STATES"))},
    )
    desk = desk_of(acf, applied=True)
    desk.ask("POWERON")
    module = desk.status(5).modules[4]
    assert module.digital_inputs[0] == "1"
    assert module.biases["LVLC2"].volts == pytest.approx(-7, abs=0.1)


# Cryostat


def test_a_cryostat_stays_cold_while_the_controller_restarts(
    separate: Acf, desk_of: Callable[..., Desk], changed: Change
) -> None:
    heater = {"HEATERAENABLE": 1, "HEATERATARGET": -110, "HEATERAP": 30, "HEATERAI": 1}
    sensor = {"SENSORATYPE": 4, "SENSORALABEL": "CCD"}
    acf = changed(separate, **{f"MOD2/{key}": value for key, value in (heater | sensor).items()})
    desk = desk_of(acf, applied=True)
    assert desk.status(3000).modules[2].sensors["A"] == pytest.approx(-110, abs=0.1)
    assert desk.device.handle("REBOOT", 3600) is RESTART
    assert desk.status(3600.5).modules[2].sensors["A"] < -273, "nothing is configured"
    desk.ask("APPLYALL")
    assert desk.status(3601).modules[2].sensors["A"] == pytest.approx(-110, abs=0.1)


@pytest.mark.parametrize(("revision", "base"), [("5", 0xA0000000), ("7", 0x20000000)])
def test_the_big_buffers_are_where_the_backplane_has_them(
    separate: Acf, changed: Any, desk_of: Any, revision: str, base: int
) -> None:
    acf = replace(changed(separate, BIGBUF=1), system={**separate.system, "BACKPLANE_REV": revision})
    desk = desk_of(acf, applied=True)
    assert desk.frames().buffer(1).base == base
    for command in ("WARMBOOT", "REBOOT"):
        assert desk.device.handle(command, 10) is RESTART
        assert desk.frames(10).buffer(1).base == 0xA0000000
        desk.ask("APPLYALL", 10)
        assert desk.frames().buffer(1).base == base

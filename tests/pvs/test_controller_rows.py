"""The controller's rows: ADArchon's names, the readings of a real controller, alarms, and none without a link."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.acf.estimate import estimate_readout
from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ControllerState
from archon_ioc.exposure.state import CameraState
from archon_ioc.protocol.replies import DeviceStatus, Rail, SystemInfo
from archon_ioc.pvs.controller_rows import CONTROLLER_ROWS, IOC_ROWS, IocState
from archon_ioc.pvs.render import Reading, reading
from archon_ioc.pvs.row import Severity

DEMO = Path(__file__).parents[2] / "config" / "demo.acf"

NAMES = """
    ArchonPowerMode ArchonPowerMode_RBV ArchonPowerStatus_RBV ArchonOverheated_RBV ArchonLink_RBV
    ArchonBackplaneType_RBV ArchonBackplaneRev_RBV ArchonBackplaneTemp_RBV ArchonConfigFile ArchonConfigFile_RBV
    ArchonConfigLoad ArchonConfigStatus_RBV
"""


@pytest.fixture
def up(states: dict[str, CameraState]) -> ControllerState:
    return states["connected"].controller


@pytest.fixture
def status(up: ControllerState) -> DeviceStatus:
    assert up.status
    return up.status


def shown(state: ControllerState, suffix: str) -> Reading:
    row = next(row for row in CONTROLLER_ROWS if suffix in {record.suffix for record in row.records()})
    return reading(row, state, linked=state.is_up)


def test_the_names_that_clients_know() -> None:
    suffixes = {record.suffix for row in CONTROLLER_ROWS for record in row.records()}
    rails = ["P2V5", "P5V", "P6V", "N6V", "P17V", "N17V", "P35V", "N35V", "P100V", "N100V", "USER", "HEATER"]
    wanted = {*NAMES.split(), *(f"ArchonRail:{rail}:{unit}_RBV" for rail in rails for unit in "VI")}
    assert wanted - suffixes == set()


def test_no_record_twice() -> None:
    suffixes = [record.suffix for row in CONTROLLER_ROWS for record in row.records()]
    assert len(suffixes) == len(set(suffixes))


def test_every_row_has_a_reading_in_every_state(
    states: dict[str, CameraState], faults: Callable[..., list[str]]
) -> None:
    found = {
        what: faults(CONTROLLER_ROWS, state.controller, linked=state.controller.is_up) for what, state in states.items()
    }
    assert {what: wrong for what, wrong in found.items() if wrong} == {}
    assert faults(IOC_ROWS, IocState(), linked=False) == []


@pytest.mark.parametrize(
    ("suffix", "value"),
    [
        ("ArchonLink_RBV", 1),
        ("ArchonBackplaneType_RBV", 1),
        ("ArchonBackplaneRev_RBV", 4),
        ("ArchonBackplaneRevLetter_RBV", "E"),
        ("ArchonBackplaneTemp_RBV", 28.187),
        ("ArchonPowerMode_RBV", 1),
        ("ArchonPowerStatus_RBV", 1),
        ("ArchonOverheated_RBV", 0),
        ("ArchonStatusCount_RBV", 2156),
        ("ArchonRail:P2V5:V_RBV", 2.555),
        ("ArchonRail:N17V:I_RBV", 0.090),
        ("ArchonConfigLines_RBV", 30),
        ("ArchonActiveTaplines_RBV", 2),
        ("ArchonTotalTaplines_RBV", 4),
        ("MOD2:ArchonModuleTypeName_RBV", "HeaterX"),
        ("MOD2:ArchonModuleTemp_RBV", 26.25),
        ("MOD1:ArchonModuleTypeName_RBV", "None"),
        ("MOD9:ArchonModuleFirmware_RBV", "1.0.833"),
        ("SENA:ArchonSensorTemperature_RBV", -273.150016),
        ("HTRB:ArchonHeaterOutput_RBV", 0.9),
    ],
)
def test_readings_of_a_real_controller(suffix: str, value: object, up: ControllerState) -> None:
    assert shown(up, suffix).value == value


@pytest.mark.parametrize("suffix", ["ArchonPowerMode_RBV", "ArchonRail:P5V:V_RBV", "MOD2:ArchonModuleTemp_RBV"])
def test_without_a_link_readings_are_invalid(suffix: str, states: dict[str, CameraState]) -> None:
    assert shown(states["connected"].controller, suffix).severity < Severity.INVALID
    lost = shown(states["disconnected"].controller, suffix)
    assert (lost.status, lost.severity) == ("COMM", Severity.INVALID)
    assert shown(states["disconnected"].controller, "ArchonLink_RBV") == Reading(0, "STATE", Severity.MAJOR)


@pytest.mark.parametrize(
    ("changes", "suffix", "severity"),
    [
        ({"overheat": True}, "ArchonOverheated_RBV", Severity.MAJOR),
        ({"power_good": False}, "ArchonPowerStatus_RBV", Severity.MAJOR),
        ({"rails": {"P5V": Rail(5.61, 1)}}, "ArchonRail:P5V:V_RBV", Severity.MAJOR),
        ({"rails": {"N6V": Rail(-6.61, 1)}}, "ArchonRail:N6V:V_RBV", Severity.MAJOR),
        ({"rails": {"N6V": Rail(-6.0, 1)}}, "ArchonRail:N6V:V_RBV", Severity.NO_ALARM),
        ({"rails": {"N100V": Rail(0, 0)}}, "ArchonRail:N100V:V_RBV", Severity.NO_ALARM),  # not installed
        ({"rails": {}}, "ArchonRail:P5V:V_RBV", Severity.INVALID),
        ({"fan_rpm": None}, "ArchonFan_RBV", Severity.INVALID),
    ],
)
def test_alarms(
    changes: dict[str, Any], suffix: str, severity: Severity, up: ControllerState, status: DeviceStatus
) -> None:
    assert shown(replace(up, status=replace(status, **changes)), suffix).severity is severity


@pytest.mark.parametrize("code", [6, 16, 19, 42])
def test_a_module_of_another_type_is_unknown(code: int, up: ControllerState) -> None:
    assert up.system
    system = SystemInfo.from_fields({**up.system.fields, "MOD12_TYPE": str(code)})
    row = next(row for row in CONTROLLER_ROWS if row.name == "MOD12:ArchonModuleType")
    assert row.kind.labels[row.read(replace(up, system=system))] == "Unknown"  # type: ignore[union-attr]


def test_predicted_times(up: ControllerState) -> None:
    assert shown(replace(up, readout=None), "ArchonReadoutTime_RBV").severity is Severity.INVALID
    state = replace(up, readout=estimate_readout(Acf.read(DEMO)))
    assert shown(state, "ArchonReadoutTime_RBV").value == pytest.approx(0.01009108 + 1.36236573)
    assert shown(state, "ArchonLineTime_RBV").value == pytest.approx(2.58052)


def test_log_and_texts_of_any_length_fit(up: ControllerState) -> None:
    state = replace(up, log=("x" * 5000, "the last line"))
    value = shown(state, "ArchonLog_RBV").value
    assert isinstance(value, str)
    assert len(value) == 2047
    assert value.endswith("the last line")

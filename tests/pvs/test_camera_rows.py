"""The camera's rows: areaDetector's names and words, and a sensible reading in every state."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.state import CameraState
from archon_ioc.plugins.ndarray import DATA_TYPES
from archon_ioc.pvs.camera_rows import CAMERA_ROWS, detector_state
from archon_ioc.pvs.pool_rows import POOL_ROWS
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Choice, Pv, Record, Severity

# Channel Access sees these records as numbers and choices, which here are records of other types.
SEEN_AS = {"calc": ("ai", "longin"), "calcout": ("ai",), "busy": ("bi", "bo"), "fanout": ("bo",)}

ALL_ROWS: dict[str, tuple[Pv[Any, Any], ...]] = {
    "cam1": (*CAMERA_ROWS, *POOL_ROWS),
}


def golden(table: str) -> list[dict[str, str]]:
    lines = (Path(__file__).parents[1] / "golden" / "areadetector.csv").read_text(encoding="ascii").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [row for row in rows if row["table"] == table]


def records(table: str) -> dict[str, Record[Any, Any]]:
    return {record.suffix: record for row in ALL_ROWS[table] for record in row.records()}


@pytest.mark.parametrize("table", ALL_ROWS)
def test_records_are_those_of_areadetector(table: str) -> None:
    ours, wrong = records(table), []
    for row in golden(table):
        record = ours.get(row["suffix"])
        types = [kind for name in row["record"].split("|") for kind in SEEN_AS.get(name, (name,))]
        if record is None:
            wrong.append(f"{row['suffix']} is missing")
        elif record.record_type not in types:
            wrong.append(f"{row['suffix']} is a {record.record_type}, not a {row['record']}")
        elif isinstance(record.row.kind, Choice) and row["choices"] not in ("*", "|".join(record.row.kind.labels)):
            wrong.append(f"{row['suffix']} has {record.row.kind.labels}, not {row['choices']}")
    assert wrong == []


@pytest.mark.parametrize("table", ALL_ROWS)
def test_every_record_is_one_of_areadetector(table: str) -> None:
    known = {row["suffix"] for row in golden(table)}
    ours = {suffix for suffix in records(table) if "EPICS" not in suffix.partition(".")[0] or "." not in suffix}
    assert ours - known == set()


@pytest.mark.parametrize("table", ALL_ROWS)
def test_a_setpoint_and_its_readback_are_of_one_kind(table: str) -> None:
    ours = records(table)
    pairs = [(record, ours[f"{name}_RBV"]) for name, record in ours.items() if f"{name}_RBV" in ours]
    assert pairs
    assert [one.suffix for one, other in pairs if type(one.row.kind) is not type(other.row.kind)] == []


@pytest.mark.parametrize("name", ALL_ROWS)
def test_no_record_twice(name: str) -> None:
    suffixes = [record.suffix for row in ALL_ROWS[name] for record in row.records()]
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("rows", [CAMERA_ROWS], ids=["cam1"])
def test_every_row_has_a_reading_in_every_state(
    rows: tuple[Pv[Any, Any], ...], states: dict[str, CameraState], faults: Callable[..., list[str]]
) -> None:
    found = {what: faults(rows, state, linked=state.controller.is_up) for what, state in states.items()}
    assert {what: wrong for what, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("initial", "Disconnected"),
        ("never connected", "Disconnected"),
        ("disconnected", "Disconnected"),
        ("connected", "Idle"),
        ("idle", "Idle"),
        ("PREPARING", "Initializing"),
        ("INTEGRATING", "Acquire"),
        ("READING", "Readout"),
        ("FETCHING", "Readout"),
        ("SAVING", "Saving"),
        ("WAITING", "Waiting"),
        ("ABORTING", "Aborting"),
        ("failed", "Error"),
        ("aborted", "Aborted"),
    ],
)
def test_detector_state(what: str, expected: str, states: dict[str, CameraState]) -> None:
    assert detector_state(states[what]) == expected


def test_every_phase_has_a_state(states: dict[str, CameraState]) -> None:
    idle = states["idle"]
    assert all(detector_state(replace(idle, phase=phase)) for phase in Phase)
    assert all(detector_state(replace(idle, outcome=outcome)) for outcome in Outcome)


def value(rows: tuple[Pv[Any, Any], ...], name: str, state: CameraState, *, rbv: bool = True) -> Any:
    row = next(row for row in rows if row.name == name and row.rbv is rbv)
    return reading(row, state, linked=True).value


def test_an_alarm_for_what_is_wrong(states: dict[str, CameraState]) -> None:
    row = next(row for row in CAMERA_ROWS if row.name == "DetectorState")
    assert reading(row, states["failed"], linked=True).severity is Severity.MAJOR
    assert reading(row, states["initial"], linked=True).severity is Severity.INVALID
    assert reading(row, states["idle"], linked=True).severity is Severity.NO_ALARM


def test_the_state_is_posted_before_acquire_ends() -> None:
    names = [row.name for row in CAMERA_ROWS]
    order = ["NumImagesCounter", "StatusMessage", "DetectorState", "Acquire"]
    assert sorted(order, key=names.index) == order


def test_sizes_before_and_after_the_first_image(states: dict[str, CameraState]) -> None:
    before, after = states["connected"], states["idle"]
    assert [value(CAMERA_ROWS, name, before) for name in ("MaxSizeX", "MaxSizeY", "SizeX", "SizeY")] == [30, 40, 30, 40]
    assert value(CAMERA_ROWS, "ArraySizeX", before) == 30
    assert value(CAMERA_ROWS, "ArraySizeY", after) == 40
    assert value(CAMERA_ROWS, "ArraySize", after) == 30 * 40 * 4
    assert list(value(CAMERA_ROWS, "Dimensions", after))[:3] == [30, 40, 0]


def test_the_rest_of_the_readout_follows_that_of_the_exposure(states: dict[str, CameraState]) -> None:
    state = states["INTEGRATING"]
    state = replace(state, remaining=1.5, controllers=(replace(state.controller, readout_left=43.7),))
    assert value(CAMERA_ROWS, "TimeRemaining", state) == 1.5
    assert value(CAMERA_ROWS, "TimeRemaining", replace(state, phase=Phase.READING)) == 43.7


def test_time_stamps_count_from_1990(states: dict[str, CameraState]) -> None:
    assert value(CAMERA_ROWS, "TimeStamp", states["idle"]) == 1.8e9 - 631_152_000
    assert value(CAMERA_ROWS, "TimeStamp", states["connected"]) == 0
    assert value(CAMERA_ROWS, "EpicsTSSec", states["idle"]) == 1_800_000_002 - 631_152_000
    assert value(CAMERA_ROWS, "EpicsTSNsec", states["idle"]) == 500_000_000
    assert value(CAMERA_ROWS, "EpicsTSSec", states["connected"]) == 0


def test_who_the_controller_is(states: dict[str, CameraState]) -> None:
    names = ("Manufacturer", "Model", "SerialNumber", "FirmwareVersion", "PortName")
    assert [value(CAMERA_ROWS, name, states["connected"]) for name in names] == [
        "STA", "Archon X12 rev E", "0078F5C1427AF054", "1.0.876", "ARCHON",
    ]  # fmt: skip
    model = next(row for row in CAMERA_ROWS if row.name == "Model")
    assert reading(model, states["initial"], linked=False).status == "COMM"


def test_sizes_follow_the_settings_at_once(states: dict[str, CameraState]) -> None:
    idle = states["idle"]
    windowed = replace(idle, settings=idle.settings.changed(min_x=10, size_x=15, size_y=100))
    assert [value(CAMERA_ROWS, f"ArraySize{axis}", windowed) for axis in "XYZ"] == [15, 40, 0]


def test_the_type_of_the_pixels_can_be_set_between_two_images(states: dict[str, CameraState]) -> None:
    idle = states["idle"]
    acf = idle.controller.acf
    assert acf
    assert idle.image.data_type == "UInt32"
    short = replace(idle, controllers=(replace(idle.controller, acf=acf.with_value("SAMPLEMODE", "0")),))
    names = ("UInt16", "UInt32")
    found = [value(CAMERA_ROWS, "DataType", state) for state in (short, idle)]
    assert found == [list(DATA_TYPES).index(name) for name in names], (
        "a client waits for the readback of what it has put"
    )
    summed = replace(short, settings=short.settings.changed(num_exposures=2))
    assert value(CAMERA_ROWS, "DataType", summed) == list(DATA_TYPES).index("UInt32")

"""The camera's rows: areaDetector's names and words, and a sensible reading in every state."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.state import CameraState
from archon_ioc.pvs.camera_rows import CAMERA_ROWS, FITS_ROWS, IMAGE_ROWS, detector_state
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Choice, Pv, Severity

# ADBase and NDArrayBase of ADCore 3.15; what has a readback is followed by +.
NAMES = """
    MaxSizeX_RBV MaxSizeY_RBV BinX+ BinY+ MinX+ MinY+ SizeX+ SizeY+ ReverseX+ ReverseY+ AcquireTime+ AcquirePeriod+
    TimeRemaining_RBV Gain+ FrameType+ ImageMode+ TriggerMode+ NumExposures+ NumExposuresCounter_RBV NumImages+
    NumImagesCounter_RBV DetectorState_RBV StatusMessage_RBV StringToServer_RBV StringFromServer_RBV ReadStatus
    ShutterMode+ ShutterControl+ ShutterStatus_RBV ShutterOpenDelay+ ShutterCloseDelay+ Temperature+ TemperatureActual
    AsynIO.CNCT
    ADCoreVersion_RBV DriverVersion_RBV PortName_RBV Manufacturer_RBV Model_RBV SerialNumber_RBV SDKVersion_RBV
    FirmwareVersion_RBV Acquire+ AcquireBusy AcquireBusyCB WaitForPlugins NDimensions+ Dimensions+
    ArraySize0+ ArraySize1+ ArraySize2+ ArraySize3+ ArraySize4+ ArraySize5+ ArraySize6+ ArraySize7+ ArraySize8+
    ArraySize9+ ArraySizeX_RBV ArraySizeY_RBV ArraySizeZ_RBV ArraySize_RBV BayerPattern_RBV Codec_RBV
    CompressedSize_RBV DataType+ ColorMode+ UniqueId_RBV TimeStamp_RBV EpicsTSSec_RBV EpicsTSNsec_RBV ArrayCounter+
    ArrayRate_RBV ArrayCallbacks+ NDAttributesFile NDAttributesMacros NDAttributesStatus PoolMaxMem PoolUsedMem
    PoolPollStats PoolAllocBuffers PoolFreeBuffers PoolUsedBuffers EmptyFreeList PreAllocBuffers NumPreAllocBuffers+
    NumQueuedArrays PoolMaxBuffers
"""

WORDS = {
    "ImageMode": "Single Multiple Continuous",
    "TriggerMode": "Internal External",
    "FrameType": "Normal Background FlatField DblCorrelation",
    "ShutterMode": "None|EPICS PV|Detector output",
    "ShutterControl": "Close Open",
    "ReverseX": "No Yes",
    "ArrayCallbacks": "Disable Enable",
    "WaitForPlugins": "No Yes",
    "DataType": "Int8 UInt8 Int16 UInt16 Int32 UInt32 Int64 UInt64 Float32 Float64",
    "ColorMode": "Mono Bayer RGB1 RGB2 RGB3 YUV444 YUV422 YUV421",
    "BayerPattern": "RGGB GBRG GRBG BGGR",
    "DetectorState": ("Idle Acquire Readout Correct Saving Aborting Error Waiting Initializing Disconnected Aborted"),
}

ALL_ROWS = {"camera": CAMERA_ROWS, "image": IMAGE_ROWS, "fits": FITS_ROWS}


def wanted() -> set[str]:
    names = NAMES.split()
    return {name.rstrip("+") for name in names} | {name[:-1] + "_RBV" for name in names if name.endswith("+")}


def test_the_interface_of_areadetector_is_complete() -> None:
    assert wanted() - {record.suffix for row in CAMERA_ROWS for record in row.records()} == set()


def test_words_stand_in_the_order_of_areadetector() -> None:
    found = {row.name: row.kind.labels for row in CAMERA_ROWS if isinstance(row.kind, Choice) and row.name in WORDS}
    assert found == {name: tuple(words.split("|" if "|" in words else None)) for name, words in WORDS.items()}


@pytest.mark.parametrize("name", ALL_ROWS)
def test_no_record_twice(name: str) -> None:
    suffixes = [record.suffix for row in ALL_ROWS[name] for record in row.records()]
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("name", ALL_ROWS)
def test_every_row_has_a_reading_in_every_state(
    name: str, states: dict[str, CameraState], faults: Callable[..., list[str]]
) -> None:
    found = {what: faults(ALL_ROWS[name], state, linked=state.controller.is_up) for what, state in states.items()}
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
    status = next(row for row in FITS_ROWS if row.name == "WriteStatus")
    assert reading(status, states["failed"], linked=True).severity is Severity.MAJOR


def test_the_state_is_posted_before_acquire_ends() -> None:
    names = [row.name for row in CAMERA_ROWS]
    order = ["NumImagesCounter", "StatusMessage", "DetectorState", "Acquire"]
    assert sorted(order, key=names.index) == order


def test_sizes_before_and_after_the_first_image(states: dict[str, CameraState]) -> None:
    before, after = states["connected"], states["idle"]
    assert [value(CAMERA_ROWS, name, before) for name in ("MaxSizeX", "MaxSizeY", "SizeX", "SizeY")] == [30, 40, 30, 40]
    assert value(IMAGE_ROWS, "ArraySizeX", before) == 30
    assert value(IMAGE_ROWS, "ArraySizeY", after) == 40
    assert value(IMAGE_ROWS, "ArraySize", after) == 30 * 40 * 4
    assert list(value(IMAGE_ROWS, "Dimensions", after))[:3] == [30, 40, 0]


def test_time_stamps_count_from_1990(states: dict[str, CameraState]) -> None:
    assert value(IMAGE_ROWS, "TimeStamp", states["idle"]) == 1.8e9 - 631_152_000
    assert value(IMAGE_ROWS, "TimeStamp", states["connected"]) == 0

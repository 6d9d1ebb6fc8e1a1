"""Typed replies, against replies of real controllers and against what newer firmware may add."""

import dataclasses
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.errors import ProtocolError
from archon_ioc.protocol.enums import BackplaneType, FrameMode, ModuleType, Power, SampleMode
from archon_ioc.protocol.replies import (
    RAILS,
    Bias,
    DeviceStatus,
    FrameStatus,
    HeaterOutput,
    Rail,
    SystemInfo,
    parse_pairs,
    parse_timer,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "replies"


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text(encoding="ascii").splitlines()[0]


SYSTEM_E, SYSTEM_F = golden("SYSTEM-revE-876"), golden("SYSTEM-revF-1104")
STATUS, FRAME = golden("STATUS-revE-876"), golden("FRAME-revE-876")


def changed(text: str, **values: object) -> str:
    """Return the reply with other values; keys that it does not have are added at its end."""
    pairs = {**parse_pairs(text), **{key: str(value) for key, value in values.items()}}
    return " ".join(f"{key}={value}" for key, value in pairs.items())


def without(text: str, key: str) -> str:
    return " ".join(word for word in text.split() if not word.startswith(key + "="))


def shuffled(text: str) -> str:
    words = text.split()
    random.Random(7).shuffle(words)
    return " ".join(words)


# SYSTEM


def test_system_of_a_revision_e() -> None:
    system = SystemInfo.parse(SYSTEM_E)
    assert system.backplane_type is BackplaneType.X12
    assert system.revision_letter == "E"
    assert system.backplane_version == "1.0.876"
    assert system.backplane_id == "0078F5C1427AF054"
    assert system.power_id == "000000E73C20"
    assert [(m.slot, m.type.label) for m in system.modules] == [
        (2, "HeaterX"), (3, "Driver"), (4, "LVXBias"), (5, "AD"), (6, "AD"), (7, "AD"), (8, "AD"),
        (9, "HVXBias"), (10, "Driver"), (11, "Driver"),
    ]  # fmt: skip
    heater = system.module(2)
    assert heater is not None
    assert (heater.type_code, heater.revision, heater.version, heater.id) == (11, 0, "1.0.797", "01388E0AE6240B9F")
    assert system.module(1) is None
    assert system.fields["MOD_PRESENT"] == "7FE"


def test_system_of_a_revision_f() -> None:
    system = SystemInfo.parse(SYSTEM_F)
    assert system.revision_letter == "F"
    assert len(system.modules) == 12
    assert [m.slot for m in system.modules if m.type is ModuleType.DRIVERX] == [3, 8, 10, 11]
    assert [m.slot for m in system.modules if m.type is ModuleType.XVBIAS] == [1]


def test_system_with_a_module_of_the_future() -> None:
    module = SystemInfo.parse(changed(SYSTEM_E, MOD12_TYPE=42, MOD13_TYPE=1)).module(12)
    assert module is not None
    assert (module.type, module.type_code, module.type.label) == (ModuleType.UNKNOWN, 42, "Unknown")


def test_system_of_sixteen_slots_with_little_about_them() -> None:
    system = SystemInfo.parse("BACKPLANE_TYPE=2 BACKPLANE_REV=7 MOD16_TYPE=17 NEW_KEY=x MODX_TYPE=1")
    assert (system.backplane_type, system.revision_letter) == (BackplaneType.X16, "H")
    assert [(m.slot, m.type.label, m.version) for m in system.modules] == [(16, "ADM", "")]


@pytest.mark.parametrize("revision", [-1, 26, 99])
def test_a_revision_without_letter(revision: int) -> None:
    assert SystemInfo.parse(changed(SYSTEM_E, BACKPLANE_REV=revision)).revision_letter == "?"


@pytest.mark.parametrize("key", ["BACKPLANE_TYPE", "BACKPLANE_REV"])
def test_system_without_what_is_needed(key: str) -> None:
    with pytest.raises(ProtocolError, match=f"no {key}"):
        SystemInfo.parse(without(SYSTEM_E, key))


def test_system_with_a_word_for_a_number() -> None:
    with pytest.raises(ProtocolError, match="MOD5_TYPE='AD' is not a whole number"):
        SystemInfo.parse(changed(SYSTEM_E, MOD5_TYPE="AD"))


# STATUS


def test_status_of_a_revision_e() -> None:
    status = DeviceStatus.parse(STATUS)
    assert (status.valid, status.count, status.log_entries) == (True, 2156, 0)
    assert (status.power, status.power_good, status.overheat) == (Power.NOT_CONFIGURED, True, False)
    assert status.backplane_temperature == 28.187
    assert status.fan_rpm is None
    assert tuple(status.rails) == RAILS
    assert status.rails["P2V5"] == Rail(2.555, 2.838)
    assert status.rails["N17V"] == Rail(-17.080, 0.090)
    assert status.rails["HEATER"] == Rail(27.883, 0.003)
    assert sorted(status.modules) == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]


def test_status_of_a_heater() -> None:
    heater = DeviceStatus.parse(STATUS).modules[2]
    assert heater.temperature == 26.25
    assert heater.sensors == {"A": -273.150016, "B": -273.150016, "C": -273.150016}
    assert heater.heaters["A"] == HeaterOutput(volts=0.9, proportional=0, integral=0, derivative=0)
    assert set(heater.heaters) == {"A", "B"}
    assert heater.digital_inputs == "00000000"
    assert heater.vcpu == (0,) * 16
    assert heater.biases == {}
    assert heater.other == {}


def test_status_of_bias_modules() -> None:
    modules = DeviceStatus.parse(STATUS).modules
    assert len(modules[4].biases) == len(modules[9].biases) == 24 + 6
    assert modules[4].biases["LVLC1"] == Bias(0.012, -0.007)
    assert modules[4].biases["LVLC7"] == Bias(-0.006, 0.019)
    assert {key[:4] for key in modules[9].biases} == {"HVLC", "HVHC"}
    assert modules[4].other == modules[9].other == {}
    assert modules[3].temperature == 24.937
    assert modules[3].biases == {}


def test_every_captured_status() -> None:
    lines = (GOLDEN / "STATUS-revE-876.txt").read_text(encoding="ascii").splitlines()
    assert [DeviceStatus.parse(line).count for line in lines] == [2156, 2111, 2133]


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [("XVN", "XVN4", -94.5), ("XVP", "XVP1", 94.5), ("MAG", "MAG12", 14.0), ("OFS", "OFS1", -13.9)],
)
def test_status_of_the_other_bias_modules(key: str, name: str, value: float) -> None:
    number = name.removeprefix(key)
    text = changed(STATUS, **{f"MOD12/{key}_V{number}": value, f"MOD12/{key}_I{number}": 1.5})
    assert DeviceStatus.parse(text).modules[12].biases == {name: Bias(value, 1.5)}


def test_a_channel_without_current() -> None:
    text = changed(STATUS, **{"MOD12/XVP_V1": 5})
    assert DeviceStatus.parse(text).modules[12].biases == {"XVP1": Bias(5.0, 0.0)}


def test_newer_firmware_may_say_more() -> None:
    more = {"EXTCLKPRESENT": 1, "FANTACH": 3300, "MOD12/RTD1": 22.5, "MOD12/TEMP": 25.5, "NEW/KEY": "x"}
    status = DeviceStatus.parse(changed(STATUS, **more))
    assert status.fan_rpm == 3300
    assert status.modules[12].temperature == 25.5
    assert status.modules[12].other == {"RTD1": "22.5"}
    assert status.fields["EXTCLKPRESENT"] == "1"
    assert status.fields["NEW/KEY"] == "x"


def test_rails_that_are_not_reported_are_left_out() -> None:
    status = DeviceStatus.parse(without(without(STATUS, "N100V_I"), "USER_V"))
    assert set(RAILS) - set(status.rails) == {"N100V", "USER"}


@pytest.mark.parametrize(
    ("key", "field", "value", "expected"),
    [
        ("VALID", "valid", 0, False),
        ("POWER", "power", 4, Power.ON),
        ("POWER", "power", 9, Power.UNKNOWN),
        ("POWERGOOD", "power_good", 0, False),
        ("OVERHEAT", "overheat", 1, True),
        ("LOG", "log_entries", 3, 3),
        ("BACKPLANE_TEMP", "backplane_temperature", -20.5, -20.5),
    ],
)
def test_one_value_of_status(key: str, field: str, value: object, expected: object) -> None:
    assert getattr(DeviceStatus.parse(changed(STATUS, **{key: value})), field) == expected


@pytest.mark.parametrize("key", ["VALID", "COUNT", "LOG", "POWER", "POWERGOOD", "OVERHEAT"])
def test_status_without_what_is_needed(key: str) -> None:
    with pytest.raises(ProtocolError, match=f"no {key}"):
        DeviceStatus.parse(without(STATUS, key))


@pytest.mark.parametrize("key", ["P5V_V", "MOD2/TEMPA", "MOD4/LVLC_V1", "MOD4/LVLC_I1", "BACKPLANE_TEMP"])
def test_status_with_a_word_for_a_reading(key: str) -> None:
    with pytest.raises(ProtocolError, match=f"{key.rsplit('/', maxsplit=1)[-1]}='hot' is not a number"):
        DeviceStatus.parse(changed(STATUS, **{key: "hot"}))


# FRAME


def test_frame_before_the_first_exposure() -> None:
    frame = FrameStatus.parse(FRAME)
    assert (frame.timer, frame.read_buffer, frame.write_buffer) == (0x24AFC6CA1, 0, 0)
    assert [b.base for b in frame.buffers] == [0xA0000000, 0xC0000000, 0xE0000000]
    assert [b.number for b in frame.buffers] == [1, 2, 3]
    assert not any(b.complete or b.frame or b.width or b.timestamp for b in frame.buffers)
    assert frame.newest is None
    assert frame.writing is None


def buffer(number: int, **values: object) -> dict[str, object]:
    return {f"BUF{number}{key}": value for key, value in values.items()}


DONE = changed(
    FRAME,
    RBUF=2,
    WBUF=2,
    **buffer(1, FRAME=6, COMPLETE=1, TIMESTAMP="00000000000000FF", WIDTH=4800, HEIGHT=300),
    **buffer(
        2, FRAME=7, COMPLETE=1, MODE=2, SAMPLE=1, WIDTH=12360, HEIGHT=4080, PIXELS=2060, LINES=2040,
        RAWBLOCKS=3, RAWLINES=4, RAWOFFSET=201728000,
        TIMESTAMP="0000000000000A00", RETIMESTAMP="0000000000000100", FETIMESTAMP="00000000000009FF",
    ),
)  # fmt: skip


def test_frame_with_images() -> None:
    frame = FrameStatus.parse(DONE)
    info = frame.buffer(2)
    assert frame.newest is info
    assert frame.read_buffer == 2
    assert (info.frame, info.complete, info.mode, info.sample_mode) == (
        7,
        True,
        FrameMode.SPLIT,
        SampleMode.BITS32,
    )
    assert (info.width, info.height, info.pixels, info.lines) == (12360, 4080, 2060, 2040)
    assert (info.raw_blocks, info.raw_lines, info.raw_offset) == (3, 4, 201728000)
    assert (info.timestamp, info.rising_edge, info.falling_edge) == (0xA00, 0x100, 0x9FF)
    assert info.image_bytes == 12360 * 4080 * 4
    assert info.image_blocks == 196988  # 196987.5 rounded up


@pytest.mark.parametrize(
    ("width", "height", "blocks"), [(0, 0, 0), (1, 1, 1), (512, 1, 1), (513, 1, 2), (8704, 4224, 71808)]
)
def test_blocks_to_fetch(width: int, height: int, blocks: int) -> None:
    assert FrameStatus.parse(changed(FRAME, **buffer(1, WIDTH=width, HEIGHT=height))).buffer(1).image_blocks == blocks


def test_the_newest_frame_is_the_latest_not_the_highest() -> None:
    # After a reboot the numbers start again.
    text = changed(DONE, **buffer(3, FRAME=1, COMPLETE=1, TIMESTAMP="0000000000000A01"))
    newest = FrameStatus.parse(text).newest
    assert newest is not None
    assert newest.number == 3


def test_an_incomplete_frame_is_being_written() -> None:
    text = changed(DONE, WBUF=3, **buffer(3, FRAME=8, COMPLETE=0, LINES=17, TIMESTAMP="0000000000000B00"))
    frame = FrameStatus.parse(text)
    assert frame.writing is frame.buffer(3)
    assert frame.newest is frame.buffer(2)


@pytest.mark.parametrize("write_buffer", [0, 1, 2, 3, 4, -1])
def test_nothing_is_being_written_when_the_buffer_is_complete_or_unused(write_buffer: int) -> None:
    assert FrameStatus.parse(changed(DONE, WBUF=write_buffer)).writing is None


@pytest.mark.parametrize("key", ["BUF2FRAME", "BUF2TIMESTAMP"])
def test_a_replaced_frame_is_not_the_same(key: str) -> None:
    before = FrameStatus.parse(DONE).buffer(2)
    assert before.is_same_frame(FrameStatus.parse(changed(DONE, TIMER="F", RBUF=0)).buffer(2))
    assert not before.is_same_frame(FrameStatus.parse(changed(DONE, **{key: 8})).buffer(2))
    assert not before.is_same_frame(dataclasses.replace(before, number=3))


@pytest.mark.parametrize("key", ["TIMER", "RBUF", "WBUF", "BUF1BASE", "BUF3WIDTH", "BUF2COMPLETE"])
def test_frame_without_what_is_needed(key: str) -> None:
    with pytest.raises(ProtocolError, match=f"no {key}"):
        FrameStatus.parse(without(FRAME, key))


def test_the_base_is_decimal() -> None:
    with pytest.raises(ProtocolError, match="BUF1BASE='A0000000' is not a whole number"):
        FrameStatus.parse(changed(FRAME, BUF1BASE="A0000000"))


# All of them


@pytest.mark.parametrize(
    ("kind", "text"),
    [(SystemInfo, SYSTEM_F), (DeviceStatus, STATUS), (FrameStatus, DONE)],
    ids=lambda v: str(v)[:6],
)
def test_the_order_of_keys_does_not_matter(kind: type[SystemInfo], text: str) -> None:
    assert kind.parse(shuffled(text)) == kind.parse(text)


@pytest.mark.parametrize("kind", [SystemInfo, DeviceStatus, FrameStatus])
@given(text=st.text(st.characters(max_codepoint=255)) | st.just("") | st.just("(null)"))
def test_any_text_is_understood_or_refused(kind: type[SystemInfo], text: str) -> None:
    with pytest.raises(ProtocolError):
        kind.parse(text)


@given(cut=st.integers(0, len(STATUS) - 1))
def test_a_status_that_ends_early_is_understood_or_refused(cut: int) -> None:
    try:
        status = DeviceStatus.parse(STATUS[:cut])
    except ProtocolError:
        return
    assert status.count == 2156


def test_pairs() -> None:
    assert parse_pairs("A=1  B= C=x=y ") == {"A": "1", "B": "", "C": "x=y"}
    assert parse_pairs("") == {}
    with pytest.raises(ProtocolError, match="'word' is not KEY=VALUE"):
        parse_pairs("A=1 word")


def test_timer() -> None:
    assert parse_timer("TIMER=FFFFFFFFFFFFFFFF") == 2**64 - 1
    with pytest.raises(ProtocolError, match="no TIMER"):
        parse_timer("")
    with pytest.raises(ProtocolError, match="not a whole number"):
        parse_timer("TIMER=now")

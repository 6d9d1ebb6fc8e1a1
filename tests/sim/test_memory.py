"""The configuration memory, and what is accepted from it."""

from collections.abc import Callable

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.errors import ConfigError
from archon_ioc.protocol.enums import ModuleType
from archon_ioc.protocol.replies import SystemInfo
from archon_ioc.sim.memory import ConfigMemory, Part, constants, module_keys, stored_commands

Change = Callable[..., Acf]


def test_lines_are_kept_until_they_are_cleared() -> None:
    memory = ConfigMemory()
    memory.write(0x3FFF, "A=1")
    assert (memory.read(0x3FFF), memory.read(0)) == ("A=1", "")
    memory.clear()
    assert memory.read(0x3FFF) == ""


def test_there_are_16384_lines_of_2048_characters() -> None:
    memory = ConfigMemory()
    memory.write(0, "x" * 2048)
    with pytest.raises(ConfigError, match="2049 characters are too many"):
        memory.write(0, "x" * 2049)
    with pytest.raises(ConfigError, match="no configuration line 4000"):
        memory.write(16384, "A=1")
    with pytest.raises(ConfigError, match="no configuration line 4000"):
        memory.read(16384)


def test_flash_memory_is_copied(separate: Acf) -> None:
    assert ConfigMemory(separate).read(1) == separate.lines[1]


def test_the_whole_is_every_line_in_order(separate: Acf) -> None:
    memory = ConfigMemory()
    for number, line in reversed(list(enumerate(separate.lines))):
        memory.write(2 * number, line)
    assert memory.whole().lines == separate.lines


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("garbage", "line 01F4: 'garbage' is not KEY=VALUE"),
        ("[SYSTEM]", r"line 01F4: '\[SYSTEM\]' is not KEY=VALUE"),
        ('PIXELCOUNT="6"', "PIXELCOUNT"),
        ('TAPLINE0="AD1L, 1, 0"', "TAPLINE0"),
        ('MOD4/LVLC_V1="5"', "not a number"),
        ("PARAMETER0=Exposures", "PARAMETER0"),
        ("PIXELCOUNT=many", "PIXELCOUNT"),
        ("TAPLINE0=AD17L, 1, 0", "AD17L"),
        ("MOD4/LVLC_V1=high", "not a number and no constant's name"),
        ("MOD2/HEATERAENABLE=2", "not one of 0"),
        ("SHP1=70000", "not from"),
        ("TRIGOUTFORCE=yes", "not one of"),
        ("STATE0/CONTROL=x", "hexadecimal"),
    ],
)
def test_wrong_lines_are_named(separate: Acf, line: str, reason: str) -> None:
    memory = ConfigMemory(separate)
    key = line.partition("=")[0]
    memory.write(separate.line_number(key) if key in separate else 500, line)
    with pytest.raises(ConfigError, match=reason):
        memory.whole()


@pytest.mark.parametrize(
    "line",
    [
        "MOD4/LVLC_V1=99",
        "MOD9/HVHC_IL1=5000",
        "MOD4/WHATEVER=x",
        "WHATEVER=x",
        "MOD4/LVLC_V1=",
        "MOD2/LABEL1=x",
    ],
)
def test_modules_clip_to_their_ranges_and_unknown_keys_are_ignored(separate: Acf, line: str) -> None:
    memory = ConfigMemory(separate)
    memory.write(500, line)
    assert line.partition("=")[0] in memory.whole()


def test_lines_are_taken_literally(separate: Acf) -> None:
    memory = ConfigMemory(separate)
    for number, line in enumerate(('WHATEVER="a, b"', r"MOD4\LVLC_V1=x", r"NAME=\x41"), 500):
        memory.write(number, line)
    whole = memory.whole()
    assert whole.keys["WHATEVER"] == '"a, b"'
    assert whole.keys["MOD4\\LVLC_V1"] == "x"
    assert whole.keys["NAME"] == r"\x41"
    assert not memory.part(module_keys(4)).keys() & {"MOD4/LVLC_V1", "MOD4\\LVLC_V1"}


def test_a_section_header_hides_nothing() -> None:
    memory = ConfigMemory()
    memory.write(0, "[SYSTEM]")
    memory.write(1, "TRIGOUTFORCE=1")
    assert memory.part(Part.SYSTEM.value) == {"TRIGOUTFORCE": "1"}
    with pytest.raises(ConfigError, match="SYSTEM"):
        memory.whole()


def test_a_key_with_two_values_is_named_with_its_line() -> None:
    memory = ConfigMemory()
    for number, value in ((0, "1"), (0x1A, "1"), (0x1B, "0")):
        memory.write(number, f"TRIGOUTFORCE={value}")
    with pytest.raises(ConfigError, match="line 001B: TRIGOUTFORCE was given another value before"):
        memory.whole()


def test_a_bias_may_be_a_constant(separate: Acf, changed: Change) -> None:
    acf = changed(separate, **{"CONSTANTS": 1, "CONSTANT0": "VDD = 5", "MOD4/LVLC_V1": "vdd", "MOD4/LVLC_V2": ""})
    assert ConfigMemory(acf).whole().lines == acf.lines


def test_constants_are_found_without_comments() -> None:
    acf = Acf({"CONSTANTS": "3", "CONSTANT0": "# A=1", "CONSTANT1": "b = -2", "CONSTANT2": ""})
    assert constants(acf) == {"B": "-2"}


def test_a_copy_has_the_lines_and_its_own_life(separate: Acf) -> None:
    memory = ConfigMemory(separate)
    copy = memory.copy()
    memory.clear()
    assert (copy.read(1), memory.read(1)) == (separate.lines[1], "")


@pytest.mark.parametrize(
    ("lines", "version", "commands"),
    [
        (["APPLYALL=0", "POWERON=0"], "1.0.1252", []),
        (["APPLYALL=1", "POWERON=0"], "1.0.1252", ["APPLYALL"]),
        (["POWERON=1", "APPLYALL=1"], "1.0.1054", ["APPLYALL", "POWERON"]),
        (["POWERON=1", "APPLYALL=1"], "1.0.1053", []),
        ([], "1.0.1252", []),
    ],
)
def test_what_the_firmware_does_by_itself(lines: list[str], version: str, commands: list[str]) -> None:
    memory = ConfigMemory()
    for number, line in enumerate(lines):
        memory.write(number, line)
    assert list(stored_commands(memory, version)) == commands


@pytest.mark.parametrize(
    ("part", "key", "belongs"),
    [
        (Part.CDS, "TAPLINE12", True),
        (Part.CDS, "SHD2", True),
        (Part.CDS, "TRIGOUTFORCE", False),
        (Part.SYSTEM, "TRIGOUTFORCE", True),
        (Part.TIMING, "LINE3", True),
        (Part.TIMING, "STATE3/MOD4", True),
        (Part.TIMING, "LINECOUNT", False),
        (Part.PARAMETERS, "PARAMETER3", True),
        (Part.PARAMETERS, "LINE3", False),
    ],
)
def test_each_narrow_command_has_its_keys(part: Part, key: str, belongs: bool) -> None:
    assert bool(part.value.fullmatch(key)) is belongs


def test_a_module_has_its_keys() -> None:
    assert module_keys(1).fullmatch("MOD1/LABEL1")
    assert not module_keys(1).fullmatch("MOD11/LABEL1")
    assert module_keys(4, only_dio=True).fullmatch("MOD4/DIO_POWER")
    assert not module_keys(4, only_dio=True).fullmatch("MOD4/LVLC_V1")


def test_an_update_replaces_the_part_and_keeps_the_rest(separate: Acf) -> None:
    memory = ConfigMemory()
    memory.write(0, "PIXELCOUNT=9")
    memory.write(1, "LINECOUNT=9")
    memory.write(2, "MOD4/LVLC_V1=x")
    acf = memory.update(separate, Part.CDS.value)
    assert acf.pixel_count == 9
    assert acf.taps == ()
    assert acf.parameters == separate.parameters
    assert "MOD4/LVLC_V1" not in acf
    with pytest.raises(ConfigError, match="not a number"):
        memory.update(separate, module_keys(4))


def test_keys_of_another_type_of_module_are_ignored(separate: Acf, changed: Change) -> None:
    acf = changed(separate, **{"MOD4/HVLC_V1": "x", "MOD9/HEATERASENSOR": 2, "MOD12/HEATERASENSOR": "y"})
    installed = {2: ModuleType.HEATERX, 4: ModuleType.LVXBIAS, 9: ModuleType.HEATERX}
    assert ConfigMemory(acf, installed).whole().lines == acf.lines
    with pytest.raises(ConfigError, match="HEATERASENSOR"):
        ConfigMemory(acf, installed | {9: ModuleType.HEATER}).copy().whole()


def test_a_part_is_read_even_if_another_is_wrong(separate: Acf) -> None:
    memory = ConfigMemory(separate)
    memory.write(500, "TRIGOUTFORCE=1")
    memory.write(501, "LINECOUNT=many")
    with pytest.raises(ConfigError):
        memory.part(Part.CDS.value)
    assert memory.part(Part.PARAMETERS.value)["PARAMETER1"] == "Exposures=0"


def test_real_configurations_are_accepted(real: Acf) -> None:
    installed = {module.slot: module.type for module in SystemInfo.from_fields(real.system).modules}
    assert ConfigMemory(real, installed).whole().lines == real.lines


def test_the_demonstration_is_accepted(demo: Acf) -> None:
    assert ConfigMemory(demo).whole().lines == demo.lines

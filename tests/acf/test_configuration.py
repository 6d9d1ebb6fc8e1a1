"""What the keys of a configuration say, whatever file or controller they came from."""

from pathlib import Path

import pytest

from archon_ioc.acf.configuration import Configuration
from archon_ioc.acf.file import Acf
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.enums import FrameMode, ModuleType, SampleMode
from archon_ioc.protocol.replies import SystemInfo

SMALL = Path(__file__).parents[1] / "golden" / "acf" / "small.acf"


@pytest.fixture
def small() -> Acf:
    return Acf.read(SMALL)


def config(*lines: str) -> str:
    return "\n".join(("[CONFIG]", *lines))


def test_a_keys_position_is_its_line_number(small: Acf) -> None:
    for number, line in enumerate(small.lines):
        assert small.line_number(line.partition("=")[0]) == number


@pytest.mark.parametrize("key", ["MOD9/HVHC_V1", "MOD9\\HVHC_V1", "mod9/hvhc_v1", "Mod9\\HvHc_v1"])
def test_keys_are_found_however_they_are_written(small: Acf, key: str) -> None:
    assert key in small
    assert small.find(key) == "MOD9/HVHC_V1"
    assert small.lines[small.line_number(key)] == "MOD9/HVHC_V1=15.5"
    assert small.with_value(key, "16").keys["MOD9/HVHC_V1"] == "16"


def test_parameters(small: Acf) -> None:
    assert dict(small.parameters) == {"ContinuousExposures": 0, "Exposures": 0, "IntMS": 1048575}
    assert small.parameter_name("INTMS") == "IntMS"
    assert small.parameter_name("IntCS") is None


def test_only_the_counted_parameters_are_there() -> None:
    acf = Acf.parse(config("PARAMETER0=A=1", "PARAMETER1=B=2", "PARAMETERS=1"))
    assert dict(acf.parameters) == {"A": 1}


def test_taps_and_geometry(small: Acf) -> None:
    assert [(tap.name, tap.gain, tap.offset) for tap in small.taps] == [("AD1L", -1.5, 1000), ("AD4R", 1, 1100)]
    assert (small.pixel_count, small.line_count) == (30, 20)
    assert small.frame_mode is FrameMode.SPLIT
    assert small.sample_mode is SampleMode.BITS32
    assert small.frame_shape == (40, 30)
    assert small.with_value("FRAMEMODE", "0").frame_shape == (20, 60)


def test_the_system_section_is_like_a_reply(small: Acf) -> None:
    system = SystemInfo.from_fields(small.system)
    assert system.revision_letter == "F"
    assert [(m.slot, m.type.label) for m in system.modules] == [(5, "AD"), (9, "HVXBias")]


def test_numbers(small: Acf) -> None:
    assert small.number("LINECOUNT") == 20
    assert small.number("RAWSEL", 7) == 7
    with pytest.raises(ConfigError, match="RAWSEL='' is not a whole number"):
        small.number("RAWSEL")
    with pytest.raises(ConfigError, match=r"HVHC_V1='15.5' is not a whole number"):
        small.number("MOD9/HVHC_V1", 7)


def test_more_keys_than_the_controller_holds() -> None:
    full = [f"LABEL{n}=x" for n in range(16384)]
    assert len(Acf.parse(config(*full)).lines) == 16384
    with pytest.raises(ConfigError, match="16385 keys, the controller holds 16384"):
        Acf.parse(config(*full, "ONE=more"))


def test_constants_and_where_they_stand(small: Acf) -> None:
    assert dict(small.constants) == {"RG_HIGH": 8.0}
    assert small.constant_name("rg_high") == "RG_HIGH"
    assert small.constant_name("RG") is None
    assert small.constant_key("Rg_High") == "CONSTANT1"
    assert small.parameter_key("INTMS") == "PARAMETER4"
    for find in (small.constant_key, small.parameter_key):
        with pytest.raises(InputError, match=r"has no (constant|parameter) 'Nothing'"):
            find("Nothing")


@pytest.mark.parametrize("text", ["", "# A=1", "A", "A=", "A=x", "A=1=2", "A=inf", "1A=2"])
def test_what_is_no_constant(text: str) -> None:
    assert dict(Configuration({"CONSTANTS": "1", "CONSTANT0": text}).constants) == {}


def test_lists_are_as_long_as_they_are_counted() -> None:
    acf = Configuration({"LINES": "2", "LINE0": "X", "LINE5": "Y"})
    assert list(acf.entries("LINE")) == [("LINE0", "X"), ("LINE1", "")]
    assert list(acf.entries("TAPLINE")) == []
    with pytest.raises(ConfigError, match="LINES='many' is not a whole number"):
        list(Configuration({"LINES": "many"}).entries("LINE"))


def test_the_modules_that_it_is_made_for(small: Acf) -> None:
    assert dict(small.modules) == {5: ModuleType.AD, 9: ModuleType.HVXBIAS}
    assert dict(Configuration(small.keys).modules) == {}
    odd = {"MOD1_TYPE": "1", "MOD2_TYPE": "", "MOD3_TYPE": "x", "MOD4_TYPE": "0", "MOD5_TYPE": "99", "MOD0_TYPE": "1"}
    assert dict(Configuration({}, odd).modules) == {1: ModuleType.DRIVER, 5: ModuleType.UNKNOWN}


def test_letters_that_cannot_be_sent() -> None:
    assert Configuration({"MOD1/LABEL1": "5 €"}).problems() == ["MOD1/LABEL1='5 €': a letter that is not in Latin-1"]

"""What is known of a key: its row, whether a value can be right, and which command makes it take effect."""

import pytest

from archon_ioc.acf.keys import apply_for, normal, objection, pattern_of, slot_of, spec_of
from archon_ioc.acf.keyspec import Apply
from archon_ioc.protocol.enums import ModuleType


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("PARAMETER0", "LOADPARAMS"),
        ("PARAMETERS", "LOADPARAMS"),
        ("LINE12", "LOADTIMING"),
        ("LINES", "LOADTIMING"),
        ("STATE3/NAME", "LOADTIMING"),
        ("STATE3\\MOD10", "LOADTIMING"),
        ("STATES", "LOADTIMING"),
        ("CONSTANT1", "LOADTIMING"),
        ("CONSTANTS", "LOADTIMING"),
        ("TAPLINE0", "APPLYCDS"),
        ("TAPLINES", "APPLYCDS"),
        ("PIXELCOUNT", "APPLYCDS"),
        ("LINECOUNT", "APPLYCDS"),
        ("FRAMEMODE", "APPLYCDS"),
        ("SAMPLEMODE", "APPLYCDS"),
        ("SHP1", "APPLYCDS"),
        ("SHD2", "APPLYCDS"),
        ("RAWENABLE", "APPLYCDS"),
        ("LINESCAN", "APPLYCDS"),
        ("BIGBUF", "APPLYCDS"),
        ("TRIGOUTLEVEL", "APPLYSYSTEM"),
        ("TRIGINENABLE", "APPLYSYSTEM"),
        ("FANDISABLE", "APPLYSYSTEM"),
        ("EXTCLOCK", "APPLYSYSTEM"),
        ("MOD1/XVP_V1", "APPLYMOD00"),
        ("mod9\\hvhc_v1", "APPLYMOD08"),
        ("MOD10/HEATERATARGET", "APPLYMOD09"),
        ("MOD12/LABEL1", "APPLYMOD0B"),
        ("MOD11/DIO_SOURCE1", "APPLYDIO0A"),
        ("MOD2/VCPU_LINE0", "APPLYDIO01"),
        ("MOD2/SOMETHING_NEW", "APPLYMOD01"),
    ],
)
def test_the_narrowest_command(key: str, command: str) -> None:
    apply = apply_for(key)
    assert apply is not None
    assert apply.text == command


@pytest.mark.parametrize("key", ["IP", "PORT", "GATEWAY", "NETMASK", "APPLYALL", "POWERON", "SOMETHING", "", "XLINE1"])
def test_nothing_is_applied_for_other_keys(key: str) -> None:
    assert apply_for(key) is None


@pytest.mark.parametrize(
    ("key", "module_type", "pattern"),
    [
        ("linecount", None, "LINECOUNT"),
        ("LINE12", None, "LINEn"),
        ("STATE3\\MOD10", None, "STATEn/MODm"),
        ("MOD3/LABEL8", ModuleType.DRIVER, "MODm/LABELi"),
        ("MOD3/LABEL12", ModuleType.DRIVERX, "MODm/LABELi"),
        ("MOD3/LABEL12", None, "MODm/LABELi"),
        ("MOD9/HVHC_IL6", ModuleType.HVYBIAS, "MODm/HVHC_ILi"),
        ("MOD2/HEATERBTARGET", ModuleType.HEATER, "MODm/HEATERxTARGET"),
        ("MOD2/SENSORCTYPE", ModuleType.HEATERX, "MODm/SENSORyTYPE"),
        ("MOD2/DIO_DIR78", ModuleType.LVXBIAS, "MODm/DIO_DIRi"),
        ("MOD2/DIO_DIR4", ModuleType.HS, "MODm/DIO_DIRi"),
        ("MOD2/VCPU_INREG15", ModuleType.LVDS, "MODm/VCPU_INREGi"),
    ],
)
def test_rows_of_keys(key: str, module_type: ModuleType | None, pattern: str) -> None:
    spec = spec_of(key, module_type)
    assert spec is not None
    assert spec.pattern == pattern


@pytest.mark.parametrize(
    ("key", "module_type"),
    [
        ("MOD3/LABEL12", ModuleType.DRIVER),
        ("MOD3/LABEL13", None),
        ("MOD3/HVLC_V1", ModuleType.LVBIAS),
        ("MOD3/LVLC_V25", ModuleType.LVBIAS),
        ("MOD3/LVLC_V0", None),
        ("MOD2/SENSORATYPE", ModuleType.HEATER),
        ("MOD2/DIO_DIR12", ModuleType.HS),
        ("MOD2/VCPU_INREG16", None),
        ("MOD5/CLAMP1", ModuleType.NONE),
        ("MOD5/CLAMP1", ModuleType.ADM),
        ("LINE2048", None),
        ("XLINE1", None),
        ("LINES1", None),
        ("", None),
    ],
)
def test_what_is_no_key(key: str, module_type: ModuleType | None) -> None:
    assert spec_of(key, module_type) is None


def test_the_type_of_the_module_decides() -> None:
    narrow, wide = (spec_of("MOD3/SOURCE1", kind) for kind in (ModuleType.DRIVER, ModuleType.DRIVERX))
    assert narrow is not None
    assert wide is not None
    assert (narrow.high, wide.high) == (8, 12)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("MOD4/LVLC_V1", "-14", None),
        ("MOD4/LVLC_V1", "14.1", "not from -14 to 14 V"),
        ("MOD9\\HVHC_V1", "31", None),
        ("MOD9\\HVHC_V1", "-1", "not from 0 to 31 V"),
        ("MOD1/XVN_V1", "-95", None),
        ("MOD1/XVN_V1", "1", "not from -95 to 0 V"),
        ("MOD4/LVHC_IL1", "501", "not from 0 to 500 mA"),
        ("MOD9/HVHC_IL1", "251", "not from 0 to 250 mA"),
        ("MOD9/HVHC_V1", "od_level", None),
        ("MOD9/HVHC_V1", "OD_LEVE", "not a number and no constant's name"),
        ("MOD9/HVHC_ORDER1", "OD_LEVEL", "not a whole number"),
        ("MOD2/HEATERATARGET", "OD_LEVEL", "not a number"),
        ("MOD2/HEATERALIMIT", "25.5", "not from 0 to 25 V"),
        ("MOD2/HEATERUPDATETIME", "0", "not from 1 to 30000 ms"),
        ("NOBODY/KNOWS", "anything", None),
    ],
)
def test_what_is_said_of_a_value(key: str, value: str, why: str | None) -> None:
    assert objection(key, value, constants=("OD_Level",)) == why


def test_a_key_of_another_module_is_not_judged() -> None:
    assert objection("MOD9/HVHC_V1", "99", ModuleType.LVBIAS) is None
    assert objection("MOD9/HVHC_V1", "99", ModuleType.HVBIAS) == "not from 0 to 31 V"


@pytest.mark.parametrize(
    ("key", "slot"),
    [("MOD12/TEMP", 12), ("mod1\\LABEL1", 1), ("MOD0/A", None), ("STATE1/MOD3", None), ("MOD1", None), ("MOD1/", None)],
)
def test_slots(key: str, slot: int | None) -> None:
    assert slot_of(key) == slot


def test_keys_are_compared_in_upper_case_with_slashes() -> None:
    assert normal("mod1\\Label1") == "MOD1/LABEL1"


def test_keys_that_one_command_applies() -> None:
    timing = pattern_of([Apply.TIMING, Apply.PARAMETERS])
    found = ["LINE12", "LINES", "STATE3/NAME", "STATE3/MOD12", "CONSTANT1", "PARAMETERS", "PARAMETER3"]
    assert all(timing.fullmatch(key) for key in found)
    assert not any(timing.fullmatch(key) for key in ("LINECOUNT", "LINESCAN", "MOD1/LABEL1", "PIXELCOUNT", "IP", ""))
    assert pattern_of([Apply.SYSTEM]).fullmatch("TRIGINEDGE")
    assert not pattern_of([Apply.SYSTEM]).fullmatch("APPLYALL")

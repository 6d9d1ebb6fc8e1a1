"""Which command makes a key take effect: the table of the manual, and no more than needed."""

import pytest

from archon_ioc.acf.keys import apply_for


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
    ],
)
def test_the_narrowest_command(key: str, command: str) -> None:
    apply = apply_for(key)
    assert apply is not None
    assert apply.text == command


@pytest.mark.parametrize("key", ["IP", "PORT", "GATEWAY", "NETMASK", "APPLYALL", "POWERON", "SOMETHING", "", "XLINE1"])
def test_nothing_is_applied_for_other_keys(key: str) -> None:
    assert apply_for(key) is None

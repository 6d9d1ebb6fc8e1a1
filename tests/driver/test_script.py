"""Which roles a timing script can play."""

from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import IntegrationConfig, ScriptConfig
from archon_ioc.driver.script import Script
from archon_ioc.errors import ConfigError, InputError

REAL = Path(__file__).parents[3] / "shared" / "data" / "acf"


def script(*parameters: str, names: ScriptConfig | None = None) -> Script:
    lines = [f"PARAMETER{n}={text}" for n, text in enumerate(parameters)]
    acf = Acf.parse("\n".join(["[CONFIG]", f"PARAMETERS={len(lines)}", *lines]), path="some.acf")
    return Script.of(acf, names or ScriptConfig())


def of_file(name: str) -> Script:
    path = REAL / f"{name}.acf"
    if not path.exists():
        pytest.skip(f"no {path.name} here")
    return Script.of(Acf.read(path), ScriptConfig())


def test_names_are_spelled_as_the_configuration_has_them() -> None:
    found = script("EXPOSURES=0", "intms=0", "autoflush=1", "ReadOut=0")
    assert (found.exposures, found.integration, found.readout) == ("EXPOSURES", "intms", "ReadOut")
    assert (found.auto_flush, found.auto_flush_value) == ("autoflush", 1)
    assert (found.abort, found.do_flush, found.flush_count, found.continuous) == (None, None, None, None)


def test_milliseconds_are_preferred_to_hundredths() -> None:
    assert script("Exposures=0", "IntCS=0", "IntMS=0").ticks_per_second == 1000
    assert script("Exposures=0", "IntCS=0").ticks_per_second == 100


def test_the_site_can_name_the_parameters() -> None:
    names = ScriptConfig(
        integration=IntegrationConfig(parameter="ExpTime", unit="cs"), exposures="Expose", readout="Read"
    )
    found = script("expose=0", "exptime=0", "READ=0", "IntMS=0", names=names)
    assert (found.exposures, found.integration, found.readout, found.ticks(1.0)) == ("expose", "exptime", "READ", 100)


@pytest.mark.parametrize(
    ("parameters", "names", "missing"),
    [
        (("IntMS=0",), ScriptConfig(), "'Exposures'"),
        (("Exposures=0",), ScriptConfig(), "neither IntMS nor IntCS"),
        (("Exposures=0", "IntMS=0"), ScriptConfig(integration=IntegrationConfig(parameter="T")), "'T'"),
        ((), ScriptConfig(), "'Exposures'"),
    ],
)
def test_a_script_that_cannot_expose_is_said_to_be_so(
    parameters: tuple[str, ...], names: ScriptConfig, missing: str
) -> None:
    with pytest.raises(ConfigError, match=missing) as raised:
        script(*parameters, names=names)
    assert raised.value.path == "some.acf"


@pytest.mark.parametrize(
    ("seconds", "ticks"), [(0, 0), (0.29, 29), (0.005, 0), (0.006, 1), (1.005, 100), (10_000, 1_000_000)]
)
def test_times_are_rounded_to_hundredths(seconds: float, ticks: int) -> None:
    assert script("Exposures=0", "IntCS=0").ticks(seconds) == ticks


@pytest.mark.parametrize(("seconds", "ticks"), [(0.29, 290), (0.0014, 1), (0.0016, 2), (1000, 1_000_000)])
def test_times_are_rounded_to_milliseconds(seconds: float, ticks: int) -> None:
    assert script("Exposures=0", "IntMS=0").ticks(seconds) == ticks


@pytest.mark.parametrize("seconds", [-0.001, 1000.001, 1e300, float("inf"), -float("inf"), float("nan")])
def test_times_that_cannot_be(seconds: float) -> None:
    with pytest.raises(InputError, match="IntMS allows 0 to 1000 s"):
        script("Exposures=0", "IntMS=0").ticks(seconds)


def test_a_quiet_script_has_nothing_to_do() -> None:
    found = script("Exposures=3", "IntMS=0", "ContinuousExposures=1", "DoFlush=1", "AutoFlush=1", "ExternalTrigger=1")
    assert found.quiet() == {"ContinuousExposures": 0, "Exposures": 0, "DoFlush": 0}
    assert next(iter(found.quiet())) == "ContinuousExposures"
    assert found.resting() == {"AutoFlush": 1, "ExternalTrigger": 1}
    assert script("Exposures=0", "IntMS=0").resting() == {}


@pytest.mark.needs_shared
def test_the_script_of_lvm() -> None:
    found = of_file("LVM_100kHz")
    assert (found.integration, found.ticks(1.0)) == ("IntCS", 100)
    assert (found.readout, found.abort, found.continuous) == ("ReadOut", "AbortExposure", "ContinuousExposures")
    assert (found.do_flush, found.flush_count, found.auto_flush) == ("DoFlush", "FlushCount", "AutoFlush")
    assert found.auto_flush_value == 1
    assert found.external_trigger is None


@pytest.mark.needs_shared
def test_the_script_of_boss() -> None:
    found = of_file("BOSS_extra")
    assert (found.integration, found.ticks(1.0)) == ("IntMS", 1000)
    assert (found.readout, found.abort, found.auto_flush_value) == ("ReadOut", "AbortExposure", 1)


@pytest.mark.needs_shared
def test_the_script_of_slac() -> None:
    found = of_file("STA4800")
    assert (found.exposures, found.integration, found.ticks(1.0)) == ("Exposures", "IntMS", 1000)
    assert (found.readout, found.abort, found.do_flush, found.auto_flush) == (None, None, None, None)
    assert found.resting() == {"ExternalTrigger": 1}


LONG = ScriptConfig.model_validate({"integration": {"parameter": "IntMS", "long": {"parameter": "intcs"}}})
SECONDS = ScriptConfig.model_validate(
    {"integration": {"parameter": "IntCS", "unit": "cs", "long": {"parameter": "IntS", "unit": "s"}}}
)
MULTIPLIED = ScriptConfig.model_validate({"integration": {"parameter": "IntMS", "multiplier": "IntMul"}})
ALL = ("Exposures=0", "IntMS=0", "IntCS=0", "IntS=0", "IntMul=1")


@pytest.mark.parametrize(
    ("names", "seconds", "values"),
    [
        (LONG, 1.2346, {"IntCS": 0, "IntMS": 1235}),
        (LONG, 1000.0, {"IntCS": 0, "IntMS": 1000000}),
        (LONG, 1000.0064, {"IntCS": 100000, "IntMS": 6}),
        (LONG, 7200.0, {"IntCS": 720000, "IntMS": 0}),
        (SECONDS, 36000.0, {"IntS": 36000, "IntCS": 0}),
        (SECONDS, 36000.126, {"IntS": 36000, "IntCS": 13}),
        (MULTIPLIED, 1.0, {"IntMS": 1000, "IntMul": 1}),
        (MULTIPLIED, 1000.002, {"IntMS": 500001, "IntMul": 2}),
        (MULTIPLIED, 36000.0, {"IntMS": 1000000, "IntMul": 36}),
    ],
)
def test_what_one_counter_cannot_hold_is_divided(names: ScriptConfig, seconds: float, values: dict[str, int]) -> None:
    assert script(*ALL, names=names).times(seconds) == values


def test_the_time_is_rounded_to_what_the_multiplied_counter_can_do() -> None:
    found = script(*ALL, names=MULTIPLIED)
    assert (found.ticks(1000.001), found.ticks(1000.003)) == (1000000, 1000004)
    assert abs(found.ticks(35999.99) - 35999990) <= 18


def test_a_long_time_needs_a_second_parameter() -> None:
    assert script(*ALL).times(2.0) == {"IntMS": 2000}
    with pytest.raises(InputError, match=r"1049 s: IntMS allows 0 to 1000 s"):
        script(*ALL).times(1049.0)
    with pytest.raises(InputError, match=r"allows 0 to 10000 s"):
        script(*ALL, names=LONG).times(36000.0)


@pytest.mark.parametrize("names", [LONG, SECONDS, MULTIPLIED])
def test_a_second_parameter_must_be_there(names: ScriptConfig) -> None:
    with pytest.raises(ConfigError, match="for long integrations"):
        script("Exposures=0", "IntMS=0", *(["IntCS=0"] if names is SECONDS else []), names=names)

"""Which parameters of a timing script play which role."""

from archon_ioc.acf.file import Acf
from archon_ioc.acf.roles import Roles
from archon_ioc.config import IntegrationConfig, ScriptConfig


def roles(*parameters: str, names: ScriptConfig | None = None) -> Roles:
    lines = [f"PARAMETER{n}={text}" for n, text in enumerate(parameters)]
    return Roles.of(Acf.parse("\n".join(["[CONFIG]", f"PARAMETERS={len(lines)}", *lines])), names or ScriptConfig())


def test_names_are_spelled_as_the_configuration_has_them() -> None:
    found = roles("EXPOSURES=0", "intms=0", "autoflush=1", "ReadOut=0")
    assert (found.exposures, found.integration, found.readout) == ("EXPOSURES", "intms", "ReadOut")
    assert (found.auto_flush, found.auto_flush_value) == ("autoflush", 1)


def test_a_script_may_lack_every_role() -> None:
    found = roles()
    assert (found.exposures, found.integration, found.readout, found.abort, found.auto_flush) == (None,) * 5
    assert (found.quiet(), found.resting()) == ({}, {})


def test_milliseconds_are_preferred_to_hundredths() -> None:
    assert roles("IntCS=0", "IntMS=0").integration == "IntMS"
    assert (roles("IntCS=0").integration, roles("IntCS=0").ticks_per_second) == ("IntCS", 100)


def test_an_integration_parameter_that_the_site_names_is_the_only_one() -> None:
    names = ScriptConfig(integration=IntegrationConfig(parameter="ExpTime", unit="cs"))
    assert roles("IntMS=0", names=names).integration is None
    found = roles("IntMS=0", "exptime=0", names=names)
    assert (found.integration, found.ticks_per_second) == ("exptime", 100)


def test_a_quiet_script_does_not_wait_in_a_pause() -> None:
    assert roles("Exposures=0", "PauseExposure=1").quiet() == {"Exposures": 0, "PauseExposure": 0}
    assert roles("Wait=0", names=ScriptConfig(pause="WAIT")).pause == "Wait"


def test_a_quiet_script_has_nothing_to_do() -> None:
    found = roles("Exposures=3", "ContinuousExposures=1", "DoFlush=1", "AutoFlush=1", "ExternalTrigger=1")
    assert found.quiet() == {"ContinuousExposures": 0, "Exposures": 0, "DoFlush": 0}
    assert found.resting() == {"AutoFlush": 1, "ExternalTrigger": 1}

"""Pausing: whether what is on the CCD survives when the timing cores are held and start anew."""

from collections.abc import Mapping

from archon_ioc.acf.edges import Edges
from archon_ioc.acf.file import Acf
from archon_ioc.acf.rehearsal import LONGEST, Rehearsal
from archon_ioc.acf.roles import DEFAULT_NAMES
from archon_ioc.acf.trace import Bit
from archon_ioc.config import ScriptConfig
from archon_ioc.errors import ConfigError


def objection(acf: Acf, parameters: Mapping[str, int], names: ScriptConfig = DEFAULT_NAMES) -> str:
    """Return why an integration cannot be paused by holding the cores, nothing if it can: by executing the script.

    ``parameters`` are those in force that differ from the stored ones.
    Held cores have the outputs of the script's first state and start at its first line (manual, HOLDTIMING). So INT
    must be low in that state, and the way from there to an integration must not shift the CCD.
    """
    try:
        rehearsal = Rehearsal.of(acf, parameters, names)
        core = rehearsal.start({rehearsal.roles.exposures: 1, rehearsal.roles.integration: 1})
        if core.control & Bit.INT:
            return "the timing script's first state has INT high: light would go on"
        trace = core.settle(LONGEST)
    except ConfigError as error:
        return f"it is not known what the timing script does: {error}"
    begin = Edges(Bit.INT).first(trace)
    if begin is None:
        return "the timing script does not raise INT to integrate"
    if any(tick <= begin for tick, _ in trace.shifted):
        return "the timing script shifts the CCD before it integrates: the light would be lost"
    return ""

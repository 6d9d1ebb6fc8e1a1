"""Inspection: a configuration is checked before it is loaded, a window before it is set."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from archon_ioc.acf.check import NOT_FOLLOWED, check, frame_problems, reasons_to_refuse
from archon_ioc.acf.file import Acf
from archon_ioc.acf.finding import Finding, Severity
from archon_ioc.config import ControllerConfig, ScriptConfig
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.replies import SystemInfo

log = logging.getLogger(__name__)

_SHOWN = 3
_LOGGED = 30


async def inspect(acf: Acf, system: SystemInfo | None, config: ControllerConfig, names: ScriptConfig) -> str:
    """Check ``acf`` against a controller's modules as its site wants it, log what is found, and return a summary.

    The summary is empty if nothing worse than a note was found.

    Raises:
        ConfigError: if the controller would refuse it or the detector is endangered, and the site refuses that.
    """
    if config.check == "off":
        return ""
    findings = await asyncio.to_thread(check, acf, system.fields if system else None, names)
    worse = [finding for finding in findings if finding.severity > Severity.NOTE]
    label = Path(acf.path).name or "the configuration"
    for finding in worse[:_LOGGED]:
        log.warning("%s: %s: %s %s", config.name, label, finding, finding.remedy)
    if (reasons := reasons_to_refuse(findings)) and config.check == "refuse":
        raise ConfigError(_refusal(reasons), path=acf.path)
    return _summary(worse)


async def require_readable(windowed: Acf, original: Acf, names: ScriptConfig) -> str:
    """Check that frames of a window will be whole: that the script clocks them, and that they fit into a buffer.

    What is wrong with the configuration as it was loaded is not held against the window. Return why nobody knows
    whether they will be, nothing if that is known.

    Raises:
        InputError: with the reasons.
    """
    # Some 20 ms.
    problems = await asyncio.to_thread(frame_problems, windowed, names)
    doubt = problems.pop(NOT_FOLLOWED, "")
    if problems and (new := set(problems) - set(await asyncio.to_thread(frame_problems, original, names))):
        raise InputError("; ".join(problems[kind] for kind in sorted(new)))
    return doubt


def _refusal(reasons: Sequence[Finding]) -> str:
    shown = "; ".join(f"{finding.key}: {finding.why}" for finding in reasons[:_SHOWN])
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return f"not loaded: {shown}{more} (controller: {{check: warn}} in the site file loads it all the same)"


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    words = [
        f"{counts[severity]} {severity.name.lower()}{'s' * (counts[severity] > 1)}"
        for severity in (Severity.ERROR, Severity.WARNING)
        if counts[severity]
    ]
    return f"the check found {' and '.join(words)}" if words else ""

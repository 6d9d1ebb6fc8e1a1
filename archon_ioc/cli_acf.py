"""The command ``archon-ioc acf``: look at an ACF, check, compare and edit it."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import click

from archon_ioc.acf.check import check as findings_of
from archon_ioc.acf.diff import Difference, Part, commands_for, compare
from archon_ioc.acf.edit import require_no_worse, with_setting
from archon_ioc.acf.file import Acf
from archon_ioc.acf.finding import Finding, Severity
from archon_ioc.cli_timing import times, timing
from archon_ioc.driver.connection import connect
from archon_ioc.errors import ArchonError, InputError
from archon_ioc.protocol import commands
from archon_ioc.protocol.enums import FrameMode
from archon_ioc.protocol.replies import SystemInfo

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_MIB = 1 << 20
_WIDTH = 100


class _Trouble(click.ClickException):
    """Something failed where exit code 1 means something else."""

    exit_code = 2


@click.group()
def acf() -> None:
    """Look at an ACF (or .ncf), check, compare and edit it."""


acf.add_command(timing)
_file = click.argument("file", type=click.Path(path_type=Path))


@acf.command(name="info")
@_file
def show(file: Path) -> None:
    """Show modules, geometry, times, parameters and constants of FILE."""
    shown = Acf.read(file)
    click.echo(f"{file}: {len(shown.keys)} keys{_controller(shown)}")
    _section("Modules", _modules(shown))
    _section("Geometry", _geometry(shown))
    _section("Times", times(shown))
    _section("Parameters", _columns(f"{name} = {value}" for name, value in shown.parameters.items()))
    _section("Constants", _columns(f"{name} = {value:.15g}" for name, value in shown.constants.items()))


@acf.command()
@_file
@click.option("--host", help="Compare with the modules of the controller at this address.")
@click.option("--port", type=click.IntRange(1, 65535), default=4242, show_default=True, help="Its port.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(file: Path, host: str | None, port: int, form: str) -> None:
    """Find mistakes in FILE before the detector does. The exit code is 1 if there are errors."""
    checked = Acf.read(file, strict=False)
    system = asyncio.run(_system_of(host, port)) if host else None
    findings = findings_of(checked, system)
    click.echo(_as_json(checked, findings) if form == "json" else _as_text(checked, findings))
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise click.exceptions.Exit(1)


@acf.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def diff(old: Path, new: Path) -> None:
    """Show how NEW differs from OLD in meaning. The exit code is 1 if it does, 2 in case of trouble."""
    try:
        differences = compare(Acf.read(old), Acf.read(new))
    except ArchonError as error:
        raise _Trouble(str(error)) from error
    _show(differences)
    if differences:
        raise click.exceptions.Exit(1)


@acf.command(name="set")
@_file
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--output", type=click.Path(path_type=Path), help="File to write instead of FILE.")
@click.option("--force", is_flag=True, help="Take values that cannot be right, and keys that are not known.")
def set_(file: Path, settings: Sequence[str], output: Path | None, force: bool) -> None:
    """Set keys of FILE. KEY may also be the name of a parameter or of a constant."""
    old = new = Acf.read(file)
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{setting!r} is not KEY=VALUE")
        new = with_setting(new, name.strip(), value.strip(), is_forced=force)
    if not force:
        require_no_worse(old, new)
    _show(compare(old, new))
    if output or new.keys != old.keys:
        new.write(output or file)
        click.echo(f"wrote {output or file}")


def _controller(shown: Acf) -> str:
    if "BACKPLANE_TYPE" not in shown.system:
        return ", no [SYSTEM]"
    system = SystemInfo.from_fields(shown.system)
    backplane = f"{system.backplane_type.name} Rev {system.revision_letter}"
    return f", for backplane {backplane} {system.backplane_id} with firmware {system.backplane_version}"


def _modules(shown: Acf) -> Iterator[str]:
    for slot, module_type in shown.modules.items():
        count = sum(key.startswith(f"MOD{slot}/") for key in shown.keys)
        yield f"slot {slot:<3} {module_type.label:<9} {shown.system.get(f'MOD{slot}_VERSION', ''):<10} {count:>4} keys"


def _geometry(shown: Acf) -> Iterator[str]:
    rows, columns = shown.frame_shape
    size = shown.sample_mode.bytes_per_pixel
    mode = shown.frame_mode.name.lower() if shown.frame_mode is not FrameMode.UNKNOWN else "unknown"
    yield f"frame      {columns} x {rows} pixels of {8 * size} bits, {_memory(rows * columns * size)}"
    yield f"each tap   {shown.pixel_count} pixels x {shown.line_count} lines, frame mode {mode}"
    yield f"{f'taps, {len(shown.taps)}':<11}{' '.join(tap.name for tap in shown.taps)}"


def _memory(size: int) -> str:
    return f"{size / _MIB:.1f} MiB" if size >= _MIB else f"{size / 1024:.1f} KiB"


def _section(heading: str, lines: Iterable[str]) -> None:
    """Print a section, or nothing if it is empty."""
    if shown := list(lines):
        click.echo("\n" + click.style(heading, bold=True))
        for line in shown:
            click.echo(f"  {line}")


def _columns(texts: Iterable[str]) -> Iterator[str]:
    """Yield texts in as many columns as fit, read from top to bottom."""
    items = list(texts)
    width = max((len(text) for text in items), default=0) + 3
    count = max(1, _WIDTH // width)
    height = -(-len(items) // count)
    for row in range(height):
        yield "".join(f"{text:<{width}}" for text in items[row::height]).rstrip()


async def _system_of(host: str, port: int) -> Mapping[str, str]:
    async with connect(host, port) as connection:
        return SystemInfo.parse(await connection.request(commands.system())).fields


def _as_text(checked: Acf, findings: Sequence[Finding]) -> str:
    lines: list[str] = []
    for remedy, alike in groupby(findings, key=lambda finding: finding.remedy):
        lines += [*(_told(checked, finding) for finding in alike), f"    {remedy}"]
    return "\n".join((*lines, f"{checked.path}: {_summary(findings)}"))


def _told(checked: Acf, finding: Finding) -> str:
    place = f"{checked.path}:{line}" if (line := _line(checked, finding)) else checked.path
    severity = click.style(finding.severity.name.lower(), fg=_COLORS[finding.severity], bold=True)
    return f"{place}: {severity}: {finding.key}: {finding.why}"


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    words = (f"{counts[kind]} {kind.name.lower()}{'s' * (counts[kind] > 1)}" for kind in _COLORS if counts[kind])
    return ", ".join(words) or "nothing was found"


def _as_json(checked: Acf, findings: Sequence[Finding]) -> str:
    found = [
        {
            "severity": finding.severity.name.lower(),
            "key": finding.key,
            "line": _line(checked, finding),
            "kind": finding.kind,
            "why": finding.why,
            "remedy": finding.remedy,
        }
        for finding in findings
    ]
    return json.dumps({"file": checked.path, "findings": found}, indent=2, ensure_ascii=False)


def _line(checked: Acf, finding: Finding) -> int | None:
    return finding.line or checked.source_line(finding.key)


def _show(differences: Sequence[Difference]) -> None:
    for part in Part:
        _section(part.value, (line for item in differences if item.part is part for line in _difference(item)))
    if not differences:
        click.echo("no difference in meaning")
    elif needed := commands_for(differences):
        click.echo("\nto apply: " + ", ".join(needed))


def _difference(item: Difference) -> Iterator[str]:
    if item.part not in (Part.SCRIPT, Part.TAP):
        yield f"{item.name:<24} {_value(item.old)} -> {_value(item.new)}"
        return
    yield item.name
    for mark, color, text in (("-", "red", item.old), ("+", "green", item.new)):
        for line in (text or "").split("\n") if text is not None else ():
            yield click.style(f"  {mark} {line}", fg=color)


def _value(text: str | None) -> str:
    return "(none)" if text is None else text or "(empty)"

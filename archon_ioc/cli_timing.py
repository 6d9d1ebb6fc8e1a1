"""The command ``archon-ioc acf timing``: how long the timing script of an ACF takes, as a table and as a picture."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from archon_ioc.acf.estimate import Duration, Estimate, IdleTimes, IntegrationTimes, ReadoutTimes, estimate
from archon_ioc.acf.file import Acf
from archon_ioc.acf.panel import Span, panels
from archon_ioc.acf.rehearsal import LONGEST
from archon_ioc.acf.roles import Roles
from archon_ioc.errors import ArchonError, InputError
from archon_ioc.export.plot import FORMATS, draw

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


class _Row(NamedTuple):
    what: str
    time: Duration | None
    note: str = ""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Another value of a parameter; repeat it.")
@click.option(
    "--span",
    type=click.Choice([span.value for span in Span]),
    help="Show only this in the picture.  [default: all three]",
)
@click.option("--output", type=click.Path(path_type=Path), help=f"Picture to write, {' or '.join(FORMATS)}.")
def timing(file: Path, settings: tuple[str, ...], span: str | None, output: Path | None) -> None:
    """Tell how long the timing script of FILE takes, and draw what the clocks do."""
    shown, changes = Acf.read(file), _changes(settings)
    found = estimate(shown, changes)
    click.echo(f"{'':<46}{'time':>14} {'ticks of 10 ns':>16}")
    for heading, rows in _sections(shown, found):
        click.echo(click.style(heading, bold=True))
        for row in rows:
            click.echo(f"  {row.what:<44}{_text(row.time):>14} {_ticks(row.time):>16}   {row.note}".rstrip())
    if warning := _warning(shown, found.readout):
        click.echo(click.style(warning, fg="red"))
    if output:
        spans = (Span(span),) if span else tuple(Span)
        captions = [_caption(shown, found, chosen) for chosen in spans]
        title = "  ".join((file.name, *(f"{name}={value}" for name, value in changes.items())))
        draw(output, panels(shown, spans, changes), title, captions)
        click.echo(f"wrote {output}")


def times(shown: Acf) -> Iterator[str]:
    """Yield the times of a script in a few lines, or why there are none."""
    try:
        found = estimate(shown)
    except ArchonError as error:
        yield f"unknown: {error}"
        return
    if readout := found.readout:
        yield f"readout      {_text(readout.length)}, first pixel {_text(readout.start)} after the start"
        yield f"line, pixel  {_text(readout.line)}, {_text(readout.pixel)}{_rate(readout.pixel)}"
    if integration := found.integration:
        yield f"integration  in steps of {_text(integration.unit)}, {_text(integration.longest)} at most"
    if found.idle.flush:
        yield f"flush        {_text(found.idle.flush)}"
    if warning := _warning(shown, found.readout):
        yield warning


def _changes(settings: Iterable[str]) -> dict[str, int]:
    changes: dict[str, int] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not (value.isascii() and value.strip().isdecimal()):
            raise InputError(f"{setting!r} is not NAME=VALUE with a whole number")
        changes[name.strip()] = int(value)
    return changes


def _sections(shown: Acf, found: Estimate) -> Iterator[tuple[str, Iterable[_Row]]]:
    if found.readout:
        yield "Readout", _readout_rows(shown, found.readout)
    if found.integration:
        yield "Integration", _integration_rows(Roles.of(shown), found.integration)
    yield "Idle", _idle_rows(found.idle)


def _readout_rows(shown: Acf, readout: ReadoutTimes) -> Iterator[_Row]:
    yield _Row("pixel", readout.pixel, _rate(readout.pixel).strip(" ()"))
    yield _Row("line", readout.line, f"{_pixels(readout)}, {shown.pixel_count} stored")
    yield _Row("first to last pixel", readout.length, f"{_lines(readout)}, {shown.line_count} stored")
    yield _Row("start of the script to first pixel", readout.start)
    yield _Row("shutter signal off to first pixel", readout.pause)
    yield _Row("last pixel to idle", readout.recovery)
    yield _Row("frame to frame, not integrating", readout.period, _per_second(readout.period))
    yield _Row("the same, continuous exposures", readout.continuous, _per_second(readout.continuous))


def _integration_rows(roles: Roles, integration: IntegrationTimes) -> Iterator[_Row]:
    yield _Row(f"one count of {roles.integration}", integration.unit)
    yield _Row("added to each integration", integration.offset)
    yield _Row("longest", integration.longest)
    yield _Row(
        "readout follows", None, "by itself" if integration.reads_by_itself else f"when {roles.readout or 'it'} is set"
    )
    note = "" if integration.abort else "not possible without a reset of the cores"
    yield _Row("abort, longest wait", integration.abort, note)


def _idle_rows(idle: IdleTimes) -> Iterator[_Row]:
    yield _Row("from one look at the parameters to the next", idle.loop)
    yield _Row("the same as the configuration rests", idle.deaf, "" if idle.deaf else "it does not look at them")
    yield _Row("flush", idle.flush)


def _warning(shown: Acf, readout: ReadoutTimes | None) -> str:
    if readout is None:
        return "The script reads no frame."
    days = f"{Duration(LONGEST).seconds / 86_400:.1f} days"
    if readout.completes:
        return f"A readout takes more than {days}: what the script does later is not known." if readout.is_cut else ""
    when = f"No frame completes within {days}" if readout.is_cut else "No frame ever completes"
    return (
        f"{when}: the script clocks {readout.pixels} pixels x {readout.lines} lines, "
        f"PIXELCOUNT x LINECOUNT is {shown.pixel_count} x {shown.line_count}."
    )


def _pixels(readout: ReadoutTimes) -> str:
    return f"{_more(readout)}{readout.pixels} pixels are clocked"


def _lines(readout: ReadoutTimes) -> str:
    return f"{_more(readout)}{readout.lines} lines are clocked"


def _more(readout: ReadoutTimes) -> str:
    return "more than " if readout.is_cut else ""


def _caption(shown: Acf, found: Estimate, span: Span) -> str:
    readout = found.readout
    if readout is None:
        return ""
    windows: Mapping[str, str] = {
        name: f"{name} {shown.number(f'{name}1', 0) / 100:g} to {shown.number(f'{name}2', 0) / 100:g} µs"
        for name in ("SHP", "SHD")
    }
    return {
        Span.PIXEL: f"{_text(readout.pixel)}{_rate(readout.pixel)}; {', '.join(windows.values())} after the PIXEL edge",
        Span.LINE: f"{_text(readout.line)}; {_pixels(readout)}, {shown.pixel_count} stored",
        Span.FRAME: f"first to last pixel {_text(readout.length)}; {_lines(readout)}, {shown.line_count} stored",
    }[span]


def _text(duration: Duration | None) -> str:
    """Return a time with seven digits in a unit that suits it."""
    if duration is None:
        return ""
    seconds = duration.seconds
    size, unit = next((pair for pair in _UNITS if abs(seconds) >= pair[0]), _UNITS[-1])
    return f"{seconds / size:.7g} {unit}"


def _ticks(duration: Duration | None) -> str:
    return f"{duration.ticks}" if duration else ""


def _rate(pixel: Duration | None) -> str:
    return f" ({1e-3 / pixel.seconds:.5g} kHz)" if pixel else ""


def _per_second(period: Duration | None) -> str:
    return f"{1 / period.seconds:.4g} per second" if period else ""

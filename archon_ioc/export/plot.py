# pyright: standard
"""A picture of what the outputs of a timing script do. Needs matplotlib, the extra ``plot``."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archon_ioc.acf.channels import CONTROL
from archon_ioc.acf.panel import Panel, Stretch, Window
from archon_ioc.acf.waveform import Piece, Signal
from archon_ioc.errors import InputError, SaveError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

FORMATS = (".png", ".svg")

_WIDTH = 10.0  # inches
_LANE = 0.27  # inches that a signal takes
_AROUND = 0.95  # inches for a panel's title and axis
_HEADER = 0.55
_AMPLITUDE = 0.66  # of a lane
_LEFT, _RIGHT = 0.16, 0.925  # of the width that the signals take
_NARROWEST = 0.13  # of the width that a stretch has
_TICKS_PER_MICROSECOND = 100
_UNITS = ((1e8, "s"), (1e5, "ms"), (1e2, "µs"), (1e-1, "ns"))  # ticks in a unit
_LABEL_LENGTH = 24
_CONTROL_NAMES = {channel.name for channel in CONTROL}

_CONTROL, _VOLTS, _DIGITAL, _SHADE = "#333333", "#1b5e9b", "#a3540b", "#d9a514"


def draw(path: Path, panels: Sequence[Panel], title: str, captions: Sequence[str]) -> None:
    """Write a picture of the panels, below each other, each with its caption.

    Raises:
        InputError: if the name of the file ends neither in .png nor in .svg, or matplotlib is not installed.
        SaveError: if the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path.name}: a picture's name ends in {' or '.join(FORMATS)}")
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an optional dependency
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise InputError("pictures need matplotlib: pip install 'archon-ioc[plot]'") from None
    heights = [_AROUND + _LANE * len(panel.stretches[0].signals) for panel in panels]
    with rc_context({"svg.hashsalt": "archon-ioc", "font.family": "DejaVu Sans", "font.size": 8}):
        figure = Figure(figsize=(_WIDTH, _HEADER + sum(heights)))
        figure.text(0.012, 1 - 0.3 / (_HEADER + sum(heights)), title, size=11, weight="bold", va="center")
        parts = figure.subfigures(len(panels) + 1, 1, height_ratios=[_HEADER, *heights], squeeze=False)
        for (part,), panel, caption, height in zip(parts[1:], panels, captions, heights, strict=True):
            _draw_panel(part, panel, caption, height)
        _save(figure, path)


def _save(figure: "Figure", path: Path) -> None:
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
    try:
        figure.savefig(path, dpi=130, metadata=metadata)
    except OSError as error:
        raise SaveError(str(path), error.strerror or str(error)) from error


def _draw_panel(part: "SubFigure", panel: Panel, caption: str, height: float) -> None:
    part.text(0.012, 1 - 0.16 / height, f"{panel.span.value.capitalize()}", size=9, weight="bold", va="center")
    part.text(0.16, 1 - 0.16 / height, caption, size=9, va="center")
    spans = [stretch.end - stretch.start for stretch in panel.stretches]
    widths = [max(span, _NARROWEST * sum(spans)) for span in spans]
    grid = part.add_gridspec(
        1,
        len(spans),
        width_ratios=widths,
        left=0.16,
        right=0.925,
        wspace=0.025,
        top=1 - 0.42 / height,
        bottom=0.42 / height,
    )
    scale, unit = _unit(sum(spans))
    all_axes = [part.add_subplot(grid[0, n]) for n in range(len(spans))]
    for n, (axes, stretch) in enumerate(zip(all_axes, panel.stretches, strict=True)):
        _draw_stretch(axes, panel, stretch, scale)
        _cut(axes, left=n > 0, right=n < len(spans) - 1)
    _name_lanes(all_axes[0], panel.stretches[0].signals)
    part.text((_LEFT + _RIGHT) / 2, 0.07 / height, f"time from {panel.origin} / {unit}", ha="center", va="bottom")
    _tell_levels(all_axes[-1], panel)


def _unit(ticks: int) -> tuple[float, str]:
    """Return the unit in which a time is easy to read, and its ticks."""
    return next((pair for pair in _UNITS if ticks >= 2 * pair[0]), _UNITS[-1])


def _draw_stretch(axes: "Axes", panel: Panel, stretch: Stretch, scale: float) -> None:
    start, end = ((tick - panel.zero) / scale for tick in (stretch.start, stretch.end))
    axes.set_xlim(start, end)
    axes.set_ylim(-len(stretch.signals) + 0.1, 1.3 if panel.windows else 0.85)
    axes.set_yticks([])
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    _mark_times(axes, start, end)
    for window in panel.windows:
        _shade(axes, window, panel.zero, scale, end)
    ranges = _ranges(panel)
    for lane, (signal, bounds) in enumerate(zip(stretch.signals, ranges, strict=True)):
        _draw_signal(axes, signal, lane, bounds, (panel.zero, scale))


def _mark_times(axes: "Axes", start: float, end: float) -> None:
    count = int(11 * axes.get_position().width)
    axes.locator_params(axis="x", nbins=max(count, 3))
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    if count < 2:  # there is room for one number
        inside = [tick for tick in axes.get_xticks() if start <= tick < start + 0.8 * (end - start)]
        axes.set_xticks(inside[len(inside) // 2 :][:1])


def _shade(axes: "Axes", window: Window, zero: int, scale: float, limit: float) -> None:
    left, right = (window.start - zero) / scale, min((window.end - zero) / scale, limit)
    axes.axvspan(left, right, color=_SHADE, alpha=0.22, linewidth=0)
    if right - left > 0.04 * limit:
        axes.text((left + right) / 2, 0.98, window.name, ha="center", va="center", size=7, color="#7a5c00")


def _ranges(panel: Panel) -> list[tuple[float, float]]:
    """Return the lowest and highest level of each signal in all stretches."""
    found: list[tuple[float, float]] = []
    for same in zip(*(stretch.signals for stretch in panel.stretches), strict=True):
        pieces = [piece for signal in same for piece in signal.pieces]
        found.append((min(piece.low for piece in pieces), max(piece.high for piece in pieces)))
    return found


def _draw_signal(axes: "Axes", signal: Signal, lane: int, bounds: tuple[float, float], time: tuple[int, float]) -> None:
    low, high = bounds
    zero, scale = time
    color = _color(signal)

    def height(level: float) -> float:
        return -lane + _AMPLITUDE * (level - low) / (high - low)

    points = [((tick - zero) / scale, height(level)) for tick, level in _outline(signal.pieces)]
    axes.plot(*zip(*points, strict=True), color=color, linewidth=0.9, solid_joinstyle="miter")
    for piece in signal.pieces:
        if piece.is_dense:
            left, right = ((tick - zero) / scale for tick in (piece.start, piece.end))
            axes.fill_between(
                [left, right], height(piece.low), height(piece.high), color=color, alpha=0.35, linewidth=0
            )


def _outline(pieces: Sequence[Piece]) -> Iterator[tuple[float, float]]:
    """Yield the corners of a signal's line: edges are as steep as the slew rate, bands have a lower edge only."""
    level = pieces[0].low
    for piece in pieces:
        yield piece.start, level
        target = piece.low
        if piece.is_dense or not piece.slew:
            level = target
            yield piece.start, level
        else:
            most = piece.slew * (piece.end - piece.start) / _TICKS_PER_MICROSECOND
            step = max(-most, min(most, target - level))
            yield piece.start + abs(step) / piece.slew * _TICKS_PER_MICROSECOND, level + step
            level += step
        yield piece.end, level


def _color(signal: Signal) -> str:
    if signal.names[0] in _CONTROL_NAMES:
        return _CONTROL
    return _VOLTS if signal.unit else _DIGITAL


def _name_lanes(axes: "Axes", signals: Sequence[Signal]) -> None:
    for lane, signal in enumerate(signals):
        axes.annotate(
            _label(signal.names), (0, -lane + _AMPLITUDE / 2), xycoords=("axes fraction", "data"), xytext=(-5, 0),
            textcoords="offset points", ha="right", va="center", size=7, color=_color(signal),
        )  # fmt: skip


def _label(names: Sequence[str]) -> str:
    """Return as many names as there is room for, and how many more there are."""
    for count in range(len(names), 1, -1):
        more = f" +{len(names) - count}" if count < len(names) else ""
        if len(label := ", ".join(names[:count]) + more) <= _LABEL_LENGTH:
            return label
    return names[0][:_LABEL_LENGTH] + (f" +{len(names) - 1}" if len(names) > 1 else "")


def _tell_levels(axes: "Axes", panel: Panel) -> None:
    """Write the levels of the clocks beside the last stretch."""
    for lane, (signal, (low, high)) in enumerate(zip(panel.stretches[-1].signals, _ranges(panel), strict=True)):
        if signal.unit:
            axes.annotate(
                f"{low:g} … {high:g} V".replace("-", "−"), (1, -lane + _AMPLITUDE / 2),
                xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points", ha="left", va="center",
                size=7, color="#555555",
            )  # fmt: skip


def _cut(axes: "Axes", *, left: bool, right: bool) -> None:
    """Mark the sides at which time is left out."""
    axes.spines["top"].set_visible(False)
    for side, at, is_cut in (("left", 0, left), ("right", 1, right)):
        axes.spines[side].set_visible(False)
        if is_cut:
            slash = [(-0.6, -1.0), (0.6, 1.0)]
            axes.plot([at, at], [0, 1], "k", transform=axes.transAxes, ls="none", marker=slash, ms=7, clip_on=False)

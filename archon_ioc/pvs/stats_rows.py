"""Rows of Stats1 and Stats2: areaDetector's NDStats."""

from collections.abc import Callable, Iterator
from typing import Any

from archon_ioc.plugins.ndarray import EPICS_EPOCH
from archon_ioc.plugins.statistics import Floats, histogram_axis
from archon_ioc.plugins.stats import MOST_STEPS, SIGNALS, StatsPlugin, StatsState
from archon_ioc.plugins.timeseries import MOST_POINTS
from archon_ioc.pvs.array_rows import NO_YES
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Array, Choice, Float, Int, Kind, Pv

MOST_PIXELS = 16_384
"""Pixels of a profile that its record has room for."""
_GROUP, _CENTROID, _PROFILES, _HISTOGRAM, _SERIES = "Statistics", "Centroid", "Profiles", "Histogram", "Time series"
_COMPUTED = "A put stays until the next image."

_LEVELS = (
    ("MinValue", "minimum", "adu", 0, "Lowest value"),
    ("MaxValue", "maximum", "adu", 0, "Highest value"),
    ("MeanValue", "mean", "adu", 3, "Mean"),
    ("SigmaValue", "sigma", "adu", 3, "Standard deviation"),
    ("Total", "total", "adu", 0, "Sum of all pixels"),
    ("Net", "net", "adu", 0, "Sum without the background of the edges"),
    ("MinX", "min_x", "px", 0, "Column of the first lowest value"),
    ("MinY", "min_y", "px", 0, "Row of the first lowest value"),
    ("MaxX", "max_x", "px", 0, "Column of the first highest value"),
    ("MaxY", "max_y", "px", 0, "Row of the first highest value"),
)
_MOMENTS = (
    ("CentroidTotal", "total", "adu", 0, "Sum of the pixels from the threshold on"),
    ("CentroidX", "x", "px", 3, "Their centroid in X"),
    ("CentroidY", "y", "px", 3, "Their centroid in Y"),
    ("SigmaX", "sigma_x", "px", 3, "Their standard deviation in X"),
    ("SigmaY", "sigma_y", "px", 3, "Their standard deviation in Y"),
    ("SigmaXY", "sigma_xy", "", 3, "Correlation of X and Y"),
    ("SkewX", "skew_x", "", 3, "Skewness in X"),
    ("SkewY", "skew_y", "", 3, "Skewness in Y"),
    ("KurtosisX", "kurtosis_x", "", 3, "Kurtosis in X, 0 for a Gaussian"),
    ("KurtosisY", "kurtosis_y", "", 3, "Kurtosis in Y, 0 for a Gaussian"),
    ("Eccentricity", "eccentricity", "", 3, "0 is round, 1 is a line"),
    ("Orientation", "orientation", "deg", 3, "Angle of the long axis from X"),
)
SIGNAL_NAMES = (
    "MinValue", "MinX", "MinY", "MaxValue", "MaxX", "MaxY", "MeanValue", "Sigma", "Total", "Net",
    "CentroidTotal", "CentroidX", "CentroidY", "SigmaX", "SigmaY", "SigmaXY", "SkewX", "SkewY", "KurtosisX",
    "KurtosisY", "Eccentricity", "Orientation", "Timestamp",
)  # fmt: skip
"""Statistics in the order in which they go out by address 1."""


def stats_rows(plugin: StatsPlugin) -> tuple[PluginPv, ...]:
    """Return the rows of a plugin that computes statistics."""
    return (
        *plugin_rows(plugin), *_level_rows(), *_centroid_rows(), *_profile_rows(), *_histogram_rows(),
        *_series_rows(), *_reset_rows(),
    )  # fmt: skip


def _level_rows() -> Iterator[PluginPv]:
    yield _setting("ComputeStatistics", NO_YES, "Whether these are computed", "compute_statistics", _GROUP)
    yield _setting("BgdWidth", Int("px", low=0), "Width of the edges, 0 is no background", "background_width", _GROUP)
    for name, field, unit, precision, doc in _LEVELS:
        yield from _result(name, Float(unit, precision), doc, ("levels", field), _GROUP)


def _centroid_rows() -> Iterator[PluginPv]:
    yield _setting("ComputeCentroid", NO_YES, "Whether these are computed", "compute_centroid", _CENTROID)
    yield _setting("CentroidThreshold", Float("adu", 1), "Pixels below it count as 0", "centroid_threshold", _CENTROID,
                   more="Another one takes effect on the last image at once.")  # fmt: skip
    for name, field, unit, precision, doc in _MOMENTS:
        yield from _result(name, Float(unit, precision), doc, ("centroid", field), _CENTROID)


def _profile_rows() -> Iterator[PluginPv]:
    yield _setting("ComputeProfiles", NO_YES, "Whether these are computed", "compute_profiles", _PROFILES)
    sizes: tuple[tuple[str, Callable[[StatsState], int]], ...] = (
        ("X", lambda s: s.source.width), ("Y", lambda s: s.source.height),
    )  # fmt: skip
    for axis, size in sizes:
        yield _show(f"ProfileSize{axis}", Int("px"), f"Pixels of a profile in {axis}", size, _PROFILES)
        yield _show(f"MaxSize{axis}", Int("px"), f"Pixels of a profile in {axis}", size, _PROFILES, rbv=False)
        yield _show(f"Set{axis}HOPR", Float("px", 0), f"Limit of Cursor{axis} on screens", size, _PROFILES, rbv=False)
        yield _setting(f"Cursor{axis}", Int("px", low=0), f"Place of the cursor in {axis}", f"cursor_{axis.lower()}",
                       _PROFILES, more="Another one takes effect on the last image at once.")  # fmt: skip
    yield _show("CursorVal", Float("adu", 0), "Value of the pixel at the cursor", lambda s: s.cursor_value, _PROFILES,
                rbv=False)  # fmt: skip
    for kind, doc in (
        ("Average", "Mean of all lines along"),
        ("Threshold", "The same of pixels from the threshold,"),
        ("Centroid", "Line through the centroid along"),
        ("Cursor", "Line through the cursor along"),
    ):
        for axis in "XY":
            yield _show(f"Profile{kind}{axis}", Array(MOST_PIXELS, "DOUBLE", "adu"), f"{doc} {axis}",
                        _profile(f"{kind}_{axis}".lower()), _PROFILES)  # fmt: skip


def _histogram_rows() -> Iterator[PluginPv]:
    yield _setting("ComputeHistogram", NO_YES, "Whether it is computed", "compute_histogram", _HISTOGRAM)
    yield _setting("HistSize", Int(low=1, high=MOST_STEPS), "Steps of the histogram", "histogram_size", _HISTOGRAM)
    yield _setting("HistMin", Float("adu", 1), "Value of the first step", "histogram_low", _HISTOGRAM)
    yield _setting("HistMax", Float("adu", 1), "Value of the last step", "histogram_high", _HISTOGRAM)
    yield from _result("HistBelow", Int("px"), "Pixels below the first step", ("histogram", "below"), _HISTOGRAM)
    yield from _result("HistAbove", Int("px"), "Pixels above the last step", ("histogram", "above"), _HISTOGRAM)
    yield from _result("HistEntropy", Float(precision=3), "Entropy of the histogram", ("histogram", "entropy"),
                       _HISTOGRAM)  # fmt: skip
    yield _show("Histogram", Array(MOST_STEPS, "DOUBLE", "px"), "Pixels by value", lambda s: s.histogram.counts,
                _HISTOGRAM)  # fmt: skip
    yield _show("HistogramX", Array(MOST_STEPS, "DOUBLE", "adu"), "Values of the steps", _histogram_axis, _HISTOGRAM)


def _series_rows() -> Iterator[PluginPv]:
    for index, name in enumerate(SIGNAL_NAMES):
        doc = f"{name} of several images" if index < SIGNALS.width - 1 else "Begin of integration since 1990"
        unit = "" if index < SIGNALS.width - 1 else "s"
        yield _show(f"TS{name}", Array(MOST_POINTS, "DOUBLE", unit), doc, _signal(index), _SERIES, rbv=False)


def _reset_rows() -> Iterator[PluginPv]:
    def reset(plugin: StatsPlugin, _value: int) -> None:
        plugin.set_result("levels", **{field: 0.0 for _, field, *_ in _LEVELS})
        reset_moments(plugin, 1)

    def reset_moments(plugin: StatsPlugin, _value: int) -> None:
        names = (field for _, field, *_ in _MOMENTS if field not in ("eccentricity", "orientation"))
        plugin.set_result("centroid", **dict.fromkeys(names, 0.0))
        reset_rest(plugin, 1)

    def reset_rest(plugin: StatsPlugin, _value: int) -> None:
        plugin.set_result("centroid", eccentricity=0.0, orientation=0.0)
        plugin.set_result("histogram", below=0, above=0, entropy=0.0)

    for name, put, doc in (
        ("Reset", reset, "Set all these numbers to 0"),
        ("Reset1", reset_moments, "Set all but the statistics to 0"),
        ("Reset2", reset_rest, "Set what is left to 0"),
    ):
        yield Pv(name=name, kind=Int(), doc=doc, group=_GROUP, read=lambda _: 0, put=put, rbv=False)


def _setting(name: str, kind: Kind, doc: str, field: str, group: str, *, more: str = "") -> PluginPv:
    async def put(plugin: StatsPlugin, value: Any) -> None:
        await plugin.configure(**{field: bool(value) if isinstance(kind, Choice) else value})

    return Pv(name=name, kind=kind, doc=doc, group=group, read=lambda s: getattr(s.stats, field), put=put,
              part=lambda s: s.stats, more=more)  # fmt: skip


def _result(name: str, kind: Kind, doc: str, field: tuple[str, str], group: str) -> Iterator[PluginPv]:
    """Yield a number that is computed, and that areaDetector lets clients overwrite."""

    def read(state: StatsState) -> Any:
        return getattr(getattr(state, field[0]), field[1])

    def put(plugin: StatsPlugin, value: Any) -> None:
        plugin.set_result(field[0], **{field[1]: value})

    if name != "SigmaValue":
        yield Pv(name=name, kind=kind, doc=doc, group=group, read=read, put=put, more=_COMPUTED)
        return
    yield Pv(name="Sigma", kind=kind, doc=doc, group=group, read=read)
    yield Pv(name=name, kind=kind, doc=f"{doc}, read as Sigma_RBV", group=group, read=read, put=put, rbv=False)


def _show(
    name: str, kind: Kind, doc: str, read: Callable[[StatsState], Any], group: str, *, rbv: bool = True
) -> PluginPv:
    return Pv(name=name, kind=kind, doc=doc, group=group, read=read, rbv=rbv)


def _profile(field: str) -> Callable[[StatsState], Floats]:
    return lambda state: getattr(state.profiles, field)[:MOST_PIXELS]


def _histogram_axis(state: StatsState) -> Floats:
    wanted = state.stats
    return histogram_axis(wanted.histogram_size, wanted.histogram_low, wanted.histogram_high)


def _signal(index: int) -> Callable[[StatsState], Floats]:
    if index < SIGNALS.width - 1:
        return lambda state: state.series[:, index]
    return lambda state: state.series[:, index] - EPICS_EPOCH

"""Window: which lines and pixels of each tap are read, and binning, as the timing script's parameters."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from archon_ioc.acf.file import Acf
from archon_ioc.config import ScriptConfig
from archon_ioc.errors import InputError, StateError

# Fields of Window and the script's parameters, as STA's script templates name them; a site may name binning otherwise.
_PARAMETERS = {
    "lines": "Lines",
    "pixels": "Pixels",
    "preskiplines": "PreSkipLines",
    "postskiplines": "PostSkipLines",
    "preskippixels": "PreSkipPixels",
    "postskippixels": "PostSkipPixels",
    "overscanlines": "OverscanLines",
    "overscanpixels": "OverscanPixels",
}
_BINNED = {"lines": "vbin", "overscanlines": "vbin", "pixels": "hbin", "overscanpixels": "hbin"}
_NAMES = ScriptConfig()

_LARGEST_COUNT = 65535  # manual, LINECOUNT and PIXELCOUNT
_CLOCKED_MORE = 64
"""Lines or pixels by which scripts are known to clock more, or fewer, than they store."""


@dataclass(frozen=True, slots=True)
class Window:
    """Unbinned lines and pixels of each tap, and binning factors (1 is none)."""

    lines: int
    pixels: int
    preskiplines: int = 0
    postskiplines: int = 0
    preskippixels: int = 0
    postskippixels: int = 0
    overscanlines: int = 0
    overscanpixels: int = 0
    hbin: int = 1
    vbin: int = 1

    @classmethod
    def of(cls, acf: Acf, names: ScriptConfig = _NAMES, original: Acf | None = None) -> "Window":
        """Return the window that a configuration has; of what was binned up to one bin too much.

        Where it is known which configuration was the ``original`` before the window was set, what was not changed is
        exact, and it is sure which value of a binning parameter means none.
        """
        stored = {field: acf.parameters[own] for field, own in _own_names(acf, names).items()}
        none = _unbinned(original or acf, names)
        window = {"lines": acf.line_count, "pixels": acf.pixel_count} | stored
        window |= {field: max(stored[field] - none[field] + 1, 1) for field in none}
        for field, factor in _BINNED.items():
            window[field] = window.get(field, 0) * window.get(factor, 1)
        found = cls(**window)
        return found if original is None else found._unrounded(acf, original, names)

    def _unrounded(self, acf: Acf, original: Acf, names: ScriptConfig) -> "Window":
        own = Window.of(original, names)
        near = {
            field: getattr(own, field)
            for field, factor in _BINNED.items()
            if 0 <= getattr(self, field) - getattr(own, field) < getattr(self, factor)
        }
        window = replace(self, **near)
        is_same = window == self or window.entries(original, names).items() <= acf.keys.items()
        return window if is_same else self

    def changed(self, changes: Mapping[str, int]) -> "Window":
        """Return a copy with other values.

        Raises:
            InputError: if a value cannot be one of a window.
        """
        if unknown := set(changes) - set(asdict(self)):
            raise InputError(f"a window has no {', '.join(sorted(unknown))}")
        window = replace(self, **changes)
        for field, value in asdict(window).items():
            least = 1 if field in ("lines", "pixels", "hbin", "vbin") else 0
            if not least <= value <= _LARGEST_COUNT:
                raise InputError(f"{field} is {least} to {_LARGEST_COUNT}, not {value}")
        return window

    def parameters(self, acf: Acf, names: ScriptConfig = _NAMES) -> dict[str, int]:
        """Return the script's parameters for this window; those that the script lacks must have no effect.

        Raises:
            StateError: if the script cannot do it.
        """
        values = asdict(self)
        own_names, default = _own_names(acf, names), asdict(Window.of(acf, names))
        for field, name in _wanted_names(names).items():
            if field not in own_names and values[field] != default[field]:
                raise StateError(f"this timing script has no parameter {name}")
        for field, factor in _BINNED.items():
            values[field] = _divided(values[field], getattr(self, factor))
        for field, none in _unbinned(acf, names).items():
            values[field] += none - 1
        return {own: values[field] for field, own in own_names.items()}

    def counts(self, acf: Acf, names: ScriptConfig = _NAMES) -> dict[str, int]:
        """Return LINECOUNT and PIXELCOUNT: what the controller stores of each tap.

        Raises:
            InputError: if nothing is left of a tap's lines, or they are too long.
            StateError: if the configuration's counts do not belong to its parameters.
        """
        own = Window.of(acf, names)
        more_lines = acf.line_count * own.vbin - own.lines - own.overscanlines
        more_pixels = acf.pixel_count * own.hbin - own.pixels - own.overscanpixels
        # A script may clock a few pixels that are not stored, or the other way round: that difference stays.
        if abs(more_lines) > _CLOCKED_MORE * own.vbin or abs(more_pixels) > _CLOCKED_MORE * own.hbin:
            raise StateError("LINECOUNT or PIXELCOUNT were changed before; load the configuration again")
        counts = {
            "LINECOUNT": (self.lines + self.overscanlines + more_lines) // self.vbin,
            "PIXELCOUNT": (self.pixels + self.overscanpixels + more_pixels) // self.hbin,
        }
        for key, count in counts.items():
            if not 1 <= count <= _LARGEST_COUNT:
                raise InputError(f"{key} would be {count}, it is 1 to {_LARGEST_COUNT}")
        return counts

    def entries(self, acf: Acf, names: ScriptConfig = _NAMES) -> dict[str, str]:
        """Return counts and parameters as keys of the configuration; equal numbers are spelled as before.

        Raises:
            InputError: if nothing is left of a tap's lines, or they are too long.
            StateError: if the script cannot do it, or the configuration's counts do not belong to its parameters.
        """
        keys = {key: f"{count}" for key, count in self.counts(acf, names).items() if acf.number(key) != count}
        places = _places(acf)
        for name, value in self.parameters(acf, names).items():
            if acf.parameters[name] != value:
                keys[places[name]] = f"{name}={value}"
        return {key: keys.get(key, acf.keys[key]) for key in window_keys(acf, names)}


def window_keys(acf: Acf, names: ScriptConfig = _NAMES) -> tuple[str, ...]:
    """Return the keys of a configuration that a window may change."""
    places = _places(acf)
    return ("LINECOUNT", "PIXELCOUNT", *(places[name] for name in _own_names(acf, names).values()))


def has_parameter(acf: Acf, field: str, names: ScriptConfig = _NAMES) -> bool:
    """Return whether the timing script has the parameter for a field of a window."""
    return field in _own_names(acf, names)


def _wanted_names(names: ScriptConfig) -> dict[str, str]:
    return _PARAMETERS | {"hbin": names.horizontal_binning, "vbin": names.vertical_binning}


def _own_names(acf: Acf, names: ScriptConfig) -> dict[str, str]:
    """Return those fields of a window that the script has a parameter for, with its spelling."""
    found = ((field, acf.parameter_name(name)) for field, name in _wanted_names(names).items())
    return {field: own for field, own in found if own is not None}


def _unbinned(acf: Acf, names: ScriptConfig) -> dict[str, int]:
    """Return the values of the binning parameters that mean none: a 0 that is stored can mean nothing else."""
    given = {"hbin": names.horizontal_binning_none, "vbin": names.vertical_binning_none}
    stored = {field: acf.parameters[own] for field, own in _own_names(acf, names).items() if field in given}
    return {field: min(value, 1) if (none := given[field]) is None else none for field, value in stored.items()}


def _places(acf: Acf) -> dict[str, str]:
    """Return the key of each parameter."""
    keys = (f"PARAMETER{n}" for n in range(acf.number("PARAMETERS", 0)))
    return {acf.keys[key].partition("=")[0].strip(): key for key in keys if key in acf.keys}


def _divided(count: int, factor: int) -> int:
    return -(-count // factor)  # rounded up: a script that clocks too few pixels never completes its frame

"""Window: which lines and pixels of each tap are read, and binning, as the timing script's parameters."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from archon_ioc.acf.file import Acf
from archon_ioc.errors import InputError, StateError

# Fields of Window and the script's parameters, as STA's script templates name them.
_PARAMETERS = {
    "lines": "Lines",
    "pixels": "Pixels",
    "preskiplines": "PreSkipLines",
    "postskiplines": "PostSkipLines",
    "preskippixels": "PreSkipPixels",
    "postskippixels": "PostSkipPixels",
    "overscanlines": "OverscanLines",
    "overscanpixels": "OverscanPixels",
    "hbin": "HorizontalBinning",
    "vbin": "VerticalBinning",
}

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
    def of(cls, acf: Acf) -> "Window":
        """Return the window that a configuration has when it is loaded."""
        found = {field: _stored(acf, name) for field, name in _PARAMETERS.items()}
        # In some scripts no binning is written as 0, in others as 1: the stored value says which.
        values = {field: value for field, value in found.items() if value is not None} | {"hbin": 1, "vbin": 1}
        return cls(**({"lines": acf.line_count, "pixels": acf.pixel_count} | values))

    def changed(self, changes: Mapping[str, int]) -> "Window":
        """Return a copy with other values.

        Raises:
            InputError: if a value cannot be one of a window.
        """
        if unknown := set(changes) - set(_PARAMETERS):
            raise InputError(f"a window has no {', '.join(sorted(unknown))}")
        window = replace(self, **changes)
        for field, value in asdict(window).items():
            least = 1 if field in ("lines", "pixels", "hbin", "vbin") else 0
            if not least <= value <= _LARGEST_COUNT:
                raise InputError(f"{field} is {least} to {_LARGEST_COUNT}, not {value}")
        return window

    def parameters(self, acf: Acf) -> dict[str, int]:
        """Return the script's parameters for this window; those that the script lacks must have no effect.

        Raises:
            StateError: if the script cannot do it.
        """
        values = asdict(self) | {
            "lines": _divided(self.lines, self.vbin),
            "pixels": _divided(self.pixels, self.hbin),
            "overscanlines": _divided(self.overscanlines, self.vbin),
            "overscanpixels": _divided(self.overscanpixels, self.hbin),
        }
        result: dict[str, int] = {}
        default = asdict(Window.of(acf))
        for field, name in _PARAMETERS.items():
            own = acf.parameter_name(name)
            if own is None and getattr(self, field) != default[field]:
                raise StateError(f"this timing script has no parameter {name}")
            if own is not None:
                none = acf.parameters[own] - 1 if field in ("hbin", "vbin") else 0
                result[own] = values[field] + none
        return result

    def counts(self, acf: Acf) -> dict[str, str]:
        """Return LINECOUNT and PIXELCOUNT: what the controller stores of each tap.

        Raises:
            InputError: if nothing is left of a tap's lines, or they are too long.
            StateError: if the configuration's counts do not belong to its parameters.
        """
        own = Window.of(acf)
        more_lines = acf.line_count - own.lines - own.overscanlines
        more_pixels = acf.pixel_count - own.pixels - own.overscanpixels
        # A script may clock a few pixels that are not stored, or the other way round: that difference stays.
        if max(abs(more_lines), abs(more_pixels)) > _CLOCKED_MORE:
            raise StateError("LINECOUNT or PIXELCOUNT were changed before; load the configuration again")
        counts = {
            "LINECOUNT": (self.lines + self.overscanlines + more_lines) // self.vbin,
            "PIXELCOUNT": (self.pixels + self.overscanpixels + more_pixels) // self.hbin,
        }
        for key, count in counts.items():
            if not 1 <= count <= _LARGEST_COUNT:
                raise InputError(f"{key} would be {count}, it is 1 to {_LARGEST_COUNT}")
        return {key: str(count) for key, count in counts.items()}


def _stored(acf: Acf, name: str) -> int | None:
    own = acf.parameter_name(name)
    return None if own is None else acf.parameters[own]


def _divided(count: int, factor: int) -> int:
    return -(-count // factor)  # rounded up: a script that clocks too few pixels never completes its frame

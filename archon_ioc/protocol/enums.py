"""Numbers of the controller with their names. Unknown numbers are allowed, never fatal."""

from enum import IntEnum
from typing import Self


class _Tolerant(IntEnum):
    """An enumeration whose unknown values become ``UNKNOWN``: firmware is newer than the manual."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls(-1) if isinstance(value, int) and value != -1 else None


class Power(IntEnum):
    """``POWER`` of STATUS: the state of the CCD power (manual, STATUS)."""

    UNKNOWN = 0
    NOT_CONFIGURED = 1
    OFF = 2
    INTERMEDIATE = 3
    ON = 4
    STANDBY = 5

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls(0) if isinstance(value, int) else None


class BackplaneType(_Tolerant):
    """``BACKPLANE_TYPE`` of SYSTEM."""

    UNKNOWN = -1
    NONE = 0
    X12 = 1
    X16 = 2

    @property
    def slots(self) -> int:
        """The number of module slots."""
        return 16 if self is BackplaneType.X16 else 12


class ModuleType(_Tolerant):
    """``MODn_TYPE`` of SYSTEM; 16 to 19 are newer than the manual of 2021."""

    UNKNOWN = -1
    NONE = 0
    DRIVER = 1
    AD = 2
    LVBIAS = 3
    HVBIAS = 4
    HEATER = 5
    ATLAS = 6
    HS = 7
    HVXBIAS = 8
    LVXBIAS = 9
    LVDS = 10
    HEATERX = 11
    XVBIAS = 12
    ADF = 13
    ADX = 14
    ADLN = 15
    DRIVERX = 16
    ADM = 17
    HVYBIAS = 18
    ADQ = 19

    @property
    def label(self) -> str:
        """The name as the manual writes it."""
        return _LABELS.get(self, self.name)

    @property
    def is_heater(self) -> bool:
        """Whether the module controls temperatures."""
        return self in (ModuleType.HEATER, ModuleType.HEATERX)


_LABELS = {
    ModuleType.UNKNOWN: "Unknown",
    ModuleType.NONE: "None",
    ModuleType.DRIVER: "Driver",
    ModuleType.LVBIAS: "LVBias",
    ModuleType.HVBIAS: "HVBias",
    ModuleType.HEATER: "Heater",
    ModuleType.ATLAS: "Atlas",
    ModuleType.HVXBIAS: "HVXBias",
    ModuleType.LVXBIAS: "LVXBias",
    ModuleType.HEATERX: "HeaterX",
    ModuleType.XVBIAS: "XVBias",
    ModuleType.DRIVERX: "DriverX",
    ModuleType.HVYBIAS: "HVYBias",
}


class FrameMode(_Tolerant):
    """``FRAMEMODE``: from which edge of the image the taps' lines come (manual, section on CDS)."""

    UNKNOWN = -1
    TOP = 0
    BOTTOM = 1
    SPLIT = 2


class SampleMode(_Tolerant):
    """``SAMPLEMODE``: how many bits a stored pixel has."""

    UNKNOWN = -1
    BITS16 = 0
    BITS32 = 1

    @property
    def bytes_per_pixel(self) -> int:
        """2 or 4 bytes."""
        return 4 if self is SampleMode.BITS32 else 2

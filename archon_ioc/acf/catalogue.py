"""The catalogue: every key of a configuration that is known, one row each (manual, configuration keys).

Ranges are those of the manual; where newer firmware takes more, the wider one stands, with ``found_in``.
"""

from dataclasses import replace

from archon_ioc.acf.keyspec import Apply, KeySpec, Kind
from archon_ioc.protocol.enums import ModuleType

_YES_NO = {0: "no", 1: "yes"}
_ENTRIES = range(256)


def _script(pattern: str, meaning: str, kind: Kind, high: int) -> KeySpec:
    """Return a row of the timing script; ``high`` is the highest number, of entries or of an entry."""
    if kind is Kind.INT:
        return KeySpec(pattern, meaning, kind, Apply.TIMING, low=0, high=high)
    return KeySpec(pattern, meaning, kind, Apply.TIMING, indices=range(high))


SCRIPT: tuple[KeySpec, ...] = (
    _script("LINES", "Number of lines of the timing script", Kind.INT, 2048),
    _script("LINEn", "Line of the timing script; # starts a comment", Kind.TEXT, 2048),
    _script("STATES", "Number of states", Kind.INT, 2047),
    _script("STATEn/NAME", "Name of a state, as the script uses it", Kind.TEXT, 2048),
    _script("STATEn/CONTROL", "Bits that the state sets, and bits that it keeps: 1 INT, 2 FRAME, 4 LINE, 8 PIXEL, "
            "10 TRIGA, 20 TRIGB", Kind.CONTROL, 2048),
    _script("STATEn/MODm", "Outputs of a module in the state; the form depends on its type", Kind.TEXT, 2048),
    _script("CONSTANTS", "Number of entries in the list of constants", Kind.INT, 255),
    _script("CONSTANTn", "NAME=number, a level, slew rate, clamp or count; those of modules need APPLYMOD too",
            Kind.CONSTANT, 256),
    KeySpec("PARAMETERS", "Number of entries in the list of parameters", Kind.INT, Apply.PARAMETERS, low=0, high=255),
    KeySpec("PARAMETERn", "Name=number, a number that can be changed while the script runs; 64 at most",
            Kind.PARAMETER, Apply.PARAMETERS, indices=_ENTRIES),
)  # fmt: skip

_TICKS = "ticks"


def _cds(pattern: str, meaning: str, high: float, *, low: float = 0, unit: str = "") -> KeySpec:
    return KeySpec(pattern, meaning, Kind.INT, Apply.CDS, unit=unit, low=low, high=high)


def _flag(pattern: str, meaning: str, apply: Apply, found_in: str = "") -> KeySpec:
    return KeySpec(pattern, meaning, Kind.CHOICE, apply, choices=_YES_NO, found_in=found_in)


CDS: tuple[KeySpec, ...] = (
    _cds("SHP1", "First sample of the reset level, counted from PIXEL", 65535, unit=_TICKS),
    _cds("SHP2", "Last sample of the reset level", 65535, unit=_TICKS),
    _cds("SHD1", "First sample of the video level", 65535, unit=_TICKS),
    _cds("SHD2", "Last sample of the video level", 65535, unit=_TICKS),
    KeySpec("PCLKDELAY", "Delay of the pixel clock to the AD modules", Kind.INT, Apply.CDS, low=0,
            found_in="Rev E, firmware 930 on"),
    _flag("ADXCDS", "Double sampling in ADX modules", Apply.CDS, "Rev E, firmware 930 on"),
    _flag("ADXRAW", "Raw samples of ADX modules at 400 MHz", Apply.CDS, "Rev E, firmware 930 on"),
    _cds("PIXELCOUNT", "Pixels per line of one tap", 65535, low=1),
    _cds("LINECOUNT", "Lines of one tap", 65535, low=1),
    KeySpec("FRAMEMODE", "From which edge of the frame the taps' lines come", Kind.CHOICE, Apply.CDS,
            choices={0: "top", 1: "bottom", 2: "split"}),
    KeySpec("SAMPLEMODE", "Bits of a pixel", Kind.CHOICE, Apply.CDS, choices={0: "16 bits", 1: "32 bits"}),
    _flag("LINESCAN", "FRAME starts a line, LINECOUNT lines go into one buffer", Apply.CDS, "Rev E, firmware 1028 on"),
    KeySpec("BIGBUF", "Frame buffers", Kind.CHOICE, Apply.CDS, choices={0: "three of 512 MiB", 1: "two of 768 MiB"}),
    _cds("TAPLINES", "Number of entries in the list of taps", 255),
    KeySpec("TAPLINEn", "Channel and side, gain, offset: pixel = (reset - video) x gain + offset", Kind.TAP,
            Apply.CDS, indices=_ENTRIES),
    _flag("RAWENABLE", "Keep raw samples of one channel", Apply.CDS),
    _cds("RAWSEL", "Channel of the raw samples, four per AD module; above 15 from firmware 1271 on", 71),
    _cds("RAWSTARTLINE", "First line with raw samples", 65535),
    _cds("RAWENDLINE", "Last line with raw samples", 65535),
    _cds("RAWSTARTPIXEL", "Pixel at which the samples of a line start", 65535),
    _cds("RAWSAMPLES", "Samples per line, in whole blocks of 1024; above 65535 from firmware 1271 on", 67_107_840,
         unit="samples"),
)  # fmt: skip

SYSTEM: tuple[KeySpec, ...] = (
    _flag("TRIGOUTFORCE", "Trigger Out is TRIGOUTLEVEL instead of INT", Apply.SYSTEM),
    KeySpec("TRIGOUTLEVEL", "Level of Trigger Out while it is forced", Kind.CHOICE, Apply.SYSTEM,
            choices={0: "low", 1: "high"}),
    _flag("TRIGOUTINVERT", "Invert Trigger Out", Apply.SYSTEM),
    _flag("TRIGOUTPOWER", "Drive Trigger Out", Apply.SYSTEM, "up to Rev E"),
    _flag("TRIGINENABLE", "Trigger In holds the timing cores in reset", Apply.SYSTEM),
    _flag("TRIGININVERT", "A low Trigger In holds, instead of a high one", Apply.SYSTEM, "firmware 876 on"),
    _flag("TRIGINEDGE", "An edge of Trigger In starts the script", Apply.SYSTEM, "Rev F, firmware 1179 on"),
    _flag("EXTCLOCK", "Use the external clock", Apply.SYSTEM, "up to Rev D"),
    _flag("FANDISABLE", "Switch the fan off", Apply.SYSTEM, "Rev F on"),
    _flag("APPLYALL", "Apply the stored configuration when the controller boots", Apply.BOOT, "firmware 1054 on"),
    _flag("POWERON", "Switch the CCD power on when the controller boots", Apply.BOOT, "firmware 1054 on"),
)  # fmt: skip

NETWORK: tuple[KeySpec, ...] = (
    KeySpec("IP", "Address of the controller", Kind.ADDRESS, Apply.NETWORK),
    KeySpec("PORT", "TCP port of the controller", Kind.INT, Apply.NETWORK, low=1, high=65535),
    KeySpec("GATEWAY", "Address of the gateway", Kind.ADDRESS, Apply.NETWORK, found_in="firmware 1259 on"),
    KeySpec("NETMASK", "Mask of the network", Kind.ADDRESS, Apply.NETWORK, found_in="firmware 1259 on"),
)

_DRIVER = frozenset({ModuleType.DRIVER})
_DRIVERX = frozenset({ModuleType.DRIVERX})
_AD = frozenset({ModuleType.AD, ModuleType.ADF, ModuleType.ADX, ModuleType.ADLN, ModuleType.ADQ})
_LV = frozenset({ModuleType.LVBIAS, ModuleType.LVXBIAS})
_HV = frozenset({ModuleType.HVBIAS, ModuleType.HVXBIAS, ModuleType.HVYBIAS})
_XV = frozenset({ModuleType.XVBIAS})
_HEATERS = frozenset({ModuleType.HEATER, ModuleType.HEATERX})
_HEATER = frozenset({ModuleType.HEATER})
_HEATERX = frozenset({ModuleType.HEATERX})
_HS = frozenset({ModuleType.HS})
_LVDS = frozenset({ModuleType.LVDS})
_EIGHT_DIO = _LV | _HEATERS
_FOUR_DIO = _HS | _LVDS

Modules = frozenset[ModuleType]
_Range = tuple[float | None, float | None]


def _text(name: str, meaning: str, modules: Modules, indices: range = range(0)) -> KeySpec:
    return KeySpec(f"MODm/{name}", meaning, Kind.TEXT, Apply.MODULE, modules=modules, indices=indices)


def _level(row: tuple[str, str, str], limits: _Range, modules: Modules, indices: range = range(0)) -> KeySpec:
    """Return a level or a slew rate, which a constant may give; ``row`` is name, meaning and unit."""
    return replace(_number(row, limits, modules, indices), may_name_constant=True)


def _number(row: tuple[str, str, str], limits: _Range, modules: Modules, indices: range = range(0)) -> KeySpec:
    name, meaning, unit = row
    return KeySpec(
        f"MODm/{name}", meaning, Kind.FLOAT, Apply.MODULE, unit=unit, low=limits[0], high=limits[1],
        modules=modules, indices=indices,
    )  # fmt: skip


def _whole(row: tuple[str, str, str], limits: _Range, modules: Modules, indices: range = range(0)) -> KeySpec:
    name, meaning, unit = row
    return KeySpec(
        f"MODm/{name}", meaning, Kind.INT, Apply.MODULE, unit=unit, low=limits[0], high=limits[1],
        modules=modules, indices=indices,
    )  # fmt: skip


def _choice(
    name: str, meaning: str, modules: Modules, choices: dict[int, str] = _YES_NO, indices: range = range(0)
) -> KeySpec:
    return KeySpec(
        f"MODm/{name}", meaning, Kind.CHOICE, Apply.MODULE, choices=choices, modules=modules, indices=indices
    )


def _clocks(modules: Modules, count: int) -> tuple[KeySpec, ...]:
    channels = range(1, count + 1)
    return (
        _text("LABELi", "Name of a clock", modules, channels),
        _level(("FASTSLEWRATEi", "Fast slew rate", "V/µs"), (0.001, 1000), modules, channels),
        _level(("SLOWSLEWRATEi", "Slow slew rate", "V/µs"), (0.001, 1000), modules, channels),
        _choice("ENABLEi", "Connect the output", modules, indices=channels),
        _whole(("SOURCEi", "Clock that the output follows, firmware 1064 on", ""), (1, count), modules, channels),
    )


def _biases(name: str, modules: Modules, volts: _Range, milliamperes: float | None = None) -> tuple[KeySpec, ...]:
    """Return the rows of a kind of bias; ``milliamperes`` is the highest limit, None for one without."""
    is_extreme, is_strong = name.startswith("XV"), milliamperes is not None
    channels = range(1, 5 if is_extreme else 7 if is_strong else 25)
    rows = [
        _text(f"{name}_LABELi", "Name of a bias", modules, channels),
        _level((f"{name}_Vi", "Level of a bias", "V"), volts, modules, channels),
        _whole((f"{name}_ORDERi", "Step of the power-up, from 0", ""), (0, None), modules, channels),
    ]
    if is_extreme or is_strong:
        rows.append(_choice(f"{name}_ENABLEi", "Connect the output", modules, indices=channels))
    if milliamperes is not None:
        rows.append(_number((f"{name}_ILi", "Limit of the current", "mA"), (0, milliamperes), modules, channels))
    return tuple(rows)


BIASES: tuple[KeySpec, ...] = (
    *_biases("LVLC", _LV, (-14, 14)),
    *_biases("LVHC", _LV, (-14, 14), 500),
    *_biases("HVLC", _HV, (0, 31)),
    *_biases("HVHC", _HV, (0, 31), 250),
    *_biases("XVP", _XV, (0, 95)),
    *_biases("XVN", _XV, (-95, 0)),
)

CLOCKS: tuple[KeySpec, ...] = (
    *_clocks(_DRIVER, 8),
    *_clocks(_DRIVERX, 12),
    _text("HS_LABELi", "Name of a high-speed output", _HS, range(1, 13)),
    _text("MAG_LABELi", "Name of an amplitude", _HS, range(1, 13)),
    _level(("MAG_Vi", "Amplitude of a high-speed output", "V"), (5, 14), _HS, range(1, 13)),
    _text("OFS_LABELi", "Name of an offset", _HS, range(1, 13)),
    _level(("OFS_Vi", "Offset of a high-speed output", "V"), (-14, 14), _HS, range(1, 13)),
    _text("LVDS_LABELi", "Name of an LVDS output", _LVDS, range(1, 17)),
)

CONVERTERS: tuple[KeySpec, ...] = (
    _level(("CLAMPi", "Clamp level of a channel, AD Rev D or newer", "V"), (-2.5, 2.5), _AD, range(1, 5)),
    _level(("CLAMPHIGH", "Upper clamp level, AD Rev C", "V"), (-2.5, 2.5), _AD),
    _level(("CLAMPLOW", "Lower clamp level, AD Rev C", "V"), (-2.5, 2.5), _AD),
    _choice("PREAMPGAIN", "Gain of the preamplifiers", _AD, {0: "low", 1: "high"}),
)

_SENSOR_TYPES = {0: "DT-670", 1: "DT-470", 2: "RTD 100", 3: "RTD 400", 4: "RTD 1000", 5: "RTD 2000"}

HEATERS: tuple[KeySpec, ...] = (
    _text("HEATERxLABEL", "Name of a heater", _HEATERS),
    _choice("HEATERxENABLE", "Control the temperature", _HEATERS),
    _choice("HEATERxFORCE", "Force the output to FORCELEVEL, past LIMIT and past the control", _HEATERS),
    _number(("HEATERxFORCELEVEL", "Forced output", "V"), (0, 25), _HEATERS),
    _number(("HEATERxLIMIT", "Limit of the controlled output", "V"), (0, 25), _HEATERS),
    _number(("HEATERxTARGET", "Temperature to be reached; from -150 before 1087", "°C"), (-250, 50), _HEATERS),
    _choice("HEATERxSENSOR", "Sensor of the control", _HEATER, {0: "A", 1: "B"}),
    _choice("HEATERxSENSOR", "Sensor of the control", _HEATERX, {0: "A", 1: "B", 2: "C"}),
    _number(("HEATERxP", "Proportional gain", ""), (None, None), _HEATERS),
    _number(("HEATERxI", "Integral gain", ""), (None, None), _HEATERS),
    _number(("HEATERxD", "Differential gain", ""), (None, None), _HEATERS),
    _number(("HEATERxIL", "Limit of the integral", ""), (None, None), _HEATERS),
    _choice("HEATERxRAMP", "Move the target in steps", _HEATERS),
    _whole(("HEATERxRAMPRATE", "Step of the target per update", "mK"), (1, 32767), _HEATERS),
    _whole(("HEATERUPDATETIME", "Time between updates of the control", "ms"), (1, 30000), _HEATERS),
    _choice("HEATERxSENSORTYPE", "Type of a sensor", _HEATER, _SENSOR_TYPES),
    _text("SENSORyLABEL", "Name of a sensor", _HEATERX),
    _choice("SENSORyTYPE", "Type of a sensor", _HEATERX, _SENSOR_TYPES),
    _whole(("SENSORyCURRENT", "Current through a sensor", "nA"), (0, None), _HEATERX),
    _number(("SENSORxLOWERLIMIT", "Heating is off while the sensor reads less", "°C"), (None, None), _HEATER),
    _number(("SENSORxUPPERLIMIT", "Heating is off while the sensor reads more", "°C"), (None, None), _HEATER),
    _number(("SENSORyLOWERLIMIT", "Heating is off while the sensor reads less", "°C"), (None, None), _HEATERX),
    _number(("SENSORyUPPERLIMIT", "Heating is off while the sensor reads more", "°C"), (None, None), _HEATERX),
    _whole(("SENSORyFILTER", "Average over 2^n readings", ""), (0, 8), _HEATERX),
)


_SWITCH = {0: "off", 1: "on", 2: "as it is"}
_ATLAS = frozenset({ModuleType.ATLAS})

ATLAS: tuple[KeySpec, ...] = (
    _choice("TECENABLE", "Thermoelectric cooler", _ATLAS, _SWITCH),
    _choice("IONENABLE", "Ion pump", _ATLAS, _SWITCH),
    _choice("LEDi", "Light", _ATLAS, _SWITCH, range(1, 9)),
)
"""The Atlas module, which the manual does not describe: as the vendor's program writes it."""


def _digital(name: str, meaning: str, modules: Modules, indices: range | tuple[int, ...]) -> KeySpec:
    return KeySpec(f"MODm/{name}", meaning, Kind.CHOICE, Apply.DIO, choices={0: "input", 1: "output"},
                   modules=modules, indices=indices)  # fmt: skip


_DIO_SOURCES = {0: "low", 1: "high", 2: "timing core", 3: "VCPU"}

DIGITAL: tuple[KeySpec, ...] = (
    *(
        KeySpec("MODm/DIO_LABELi", "Name of a digital line", Kind.TEXT, Apply.DIO, modules=modules, indices=channels)
        for modules, channels in ((_EIGHT_DIO, range(1, 9)), (_FOUR_DIO, range(1, 5)))
    ),
    *(
        KeySpec("MODm/DIO_SOURCEi", "What sets a digital output", Kind.CHOICE, Apply.DIO, choices=_DIO_SOURCES,
                modules=modules, indices=channels)
        for modules, channels in ((_EIGHT_DIO, range(1, 9)), (_FOUR_DIO, range(1, 5)))
    ),
    _digital("DIO_DIRi", "Direction of two digital lines", _EIGHT_DIO, (12, 34, 56, 78)),
    _digital("DIO_DIRi", "Direction of a digital line", _FOUR_DIO, range(1, 5)),
    KeySpec("MODm/DIO_POWER", "Power the digital lines", Kind.CHOICE, Apply.DIO, choices=_YES_NO,
            modules=_EIGHT_DIO | _FOUR_DIO),
    KeySpec("MODm/VCPU_LINES", "Number of lines of the module's own program", Kind.INT, Apply.DIO, low=0, high=511,
            modules=_EIGHT_DIO | _FOUR_DIO),
    KeySpec("MODm/VCPU_LINEi", "Line of the module's own program", Kind.TEXT, Apply.DIO,
            modules=_EIGHT_DIO | _FOUR_DIO, indices=range(511)),
    KeySpec("MODm/VCPU_INREGi", "Input register of the module's own program", Kind.INT, Apply.DIO, low=0,
            modules=_EIGHT_DIO | _FOUR_DIO, indices=range(16)),
)  # fmt: skip

GROUPS: tuple[tuple[str, tuple[KeySpec, ...]], ...] = (
    ("Timing script", SCRIPT),
    ("Geometry and sampling", CDS),
    ("Triggers and system", SYSTEM),
    ("Network", NETWORK),
    ("Clocks", CLOCKS),
    ("AD modules", CONVERTERS),
    ("Biases", BIASES),
    ("Heaters and sensors", HEATERS),
    ("Digital lines and VCPU", DIGITAL),
    ("Atlas module", ATLAS),
)
"""The whole catalogue in the order of the reference page, with the headings."""

CATALOGUE: tuple[KeySpec, ...] = tuple(spec for _, specs in GROUPS for spec in specs)

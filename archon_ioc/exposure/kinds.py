"""Kinds: what an exposure is for, and what follows from that for shutter, time and header."""

from collections.abc import Mapping
from typing import Any

from archon_ioc.config import BUILT_IN_TYPES, ExposureTypeConfig, SiteConfig
from archon_ioc.errors import InputError
from archon_ioc.exposure.settings import ExposureSettings, FrameType
from archon_ioc.image import header

Kinds = Mapping[str, ExposureTypeConfig]

_FRAME_TYPES = {"Normal": FrameType.NORMAL, "Background": FrameType.BACKGROUND, "FlatField": FrameType.FLAT_FIELD}
_NAMES = {kind: name for name, kind in _FRAME_TYPES.items()}


def of(site: SiteConfig) -> Kinds:
    """Return all exposure types: those that are always there, and the site's."""
    return {**BUILT_IN_TYPES, **site.exposure_types}


def changes(name: str, kinds: Kinds) -> dict[str, Any]:
    """Return the settings that belong to an exposure type.

    Raises:
        InputError: if there is no such type.
    """
    if name not in kinds:
        raise InputError(f"there is no exposure type {name!r}, but {', '.join(kinds)}")
    kind = kinds[name]
    return {
        "exposure_type": name,
        "image_type": kind.word or name,
        "opens_shutter": kind.shutter,
        "zero_time": kind.zero_time,
        "frame_type": _FRAME_TYPES[kind.frame_type],
    }


def checked(settings: ExposureSettings, kinds: Kinds) -> ExposureSettings:
    """Return settings of an earlier time with the exposure type as the site file has it now."""
    if not settings.exposure_type:
        return settings
    if settings.exposure_type not in kinds:
        return settings.changed(frame_type=settings.frame_type)
    return settings.changed(**changes(settings.exposure_type, kinds))


def word(settings: ExposureSettings) -> str:
    """Return the word of IMAGETYP.

    >>> word(ExposureSettings(seconds=0.0, frame_type=FrameType.BACKGROUND))
    'bias'
    """
    return settings.image_type or header.image_type(_NAMES[settings.frame_type], settings.seconds)


def shown(settings: ExposureSettings) -> str:
    """Return the exposure type that was chosen; without one, that of the FrameType."""
    return settings.exposure_type or word(settings)

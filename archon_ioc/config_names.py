"""The parts of the site file that say how process variables are called, and what plugins there are."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

OFF = "off"
"""In place of a plugin's prefix: it is not wanted."""

PvName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_:.\-]*$", max_length=40)]


def _word_of_yaml(value: object) -> object:
    return OFF if value is False else value  # which is what YAML makes of it


PluginName = Annotated[PvName, BeforeValidator(_word_of_yaml)]
"""Prefix of a plugin's process variables, or `OFF`."""


class NamesConfig(BaseModel, frozen=True, extra="forbid"):
    """Prefixes behind the IOC's own: areaDetector's R macros. A plugin that is called ``off`` is not there."""

    camera: PvName = "cam1:"
    image: PluginName = "image1:"
    image2: PluginName = "image2:"
    roi1: PluginName = "ROI1:"
    roi2: PluginName = "ROI2:"
    stats1: PluginName = "Stats1:"
    stats2: PluginName = "Stats2:"
    process: PluginName = "Proc1:"
    pva: PluginName = "Pva1:"
    fits: PvName = "FITS1:"
    hdf: PluginName = "HDF1:"
    tiff: PluginName = "TIFF1:"


class PluginsConfig(BaseModel, frozen=True, extra="forbid"):
    """What plugins may use."""

    memory_mb: float = Field(default=1024.0, ge=1.0)
    """MB of images that may wait in the queue of one plugin; two images may in any case."""

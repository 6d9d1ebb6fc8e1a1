"""Rows of image1 and image2: areaDetector's NDStdArrays."""

from archon_ioc.plugins.standard_arrays import StandardArrays
from archon_ioc.pvs.array_rows import IMAGE_GROUP
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Pixels, Pv

ARRAY_DATA = "ArrayData"
"""The record of the pixels."""


def image_rows(plugin: StandardArrays, pixels: Pixels) -> tuple[PluginPv, ...]:
    """Return the rows of a plugin that shows images in a record for these pixels."""
    return (
        *plugin_rows(plugin),
        Pv(name=ARRAY_DATA, kind=pixels, doc="Pixels, unsigned, row by row", group=IMAGE_GROUP, read=lambda _: None,
           rbv=False,
           more="Channel Access has no unsigned 16-bit type: the bits of UInt16 pixels are in signed numbers."),
    )  # fmt: skip

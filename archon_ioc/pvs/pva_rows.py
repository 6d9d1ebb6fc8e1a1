"""Rows of Pva1: areaDetector's NDPluginPva, and how its images are compressed."""

from typing import Any

from archon_ioc.plugins.codec import CODECS
from archon_ioc.plugins.pva import PvaPlugin, PvaState
from archon_ioc.pvs.array_rows import IMAGE_GROUP
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Choice, Float, Int, Pv, Text

IMAGE = "Image"
"""What the NTNDArray is called, behind the prefix of the plugin."""


def pva_rows(plugin: PvaPlugin, image_name: str) -> tuple[PluginPv, ...]:
    """Return the rows of the plugin whose images are shown under this full name."""
    own = _codec_rows(image_name)
    names = {row.name for row in own}
    return (*(row for row in plugin_rows(plugin) if row.name not in names), *own)


def _put_codec(plugin: PvaPlugin, index: int) -> None:
    plugin.set_codec(CODECS[index])


def _codec_rows(image_name: str) -> tuple[PluginPv, ...]:
    def name(_: PvaState) -> Any:
        return image_name

    return (
        Pv(name="PvName", kind=Text(256), doc="Name of the image for PVAccess", group=IMAGE_GROUP, read=name),
        Pv(name="Compressor", kind=Choice(("None", "LZ4", "BSLZ4", "Blosc")), doc="How images are compressed",
           group=IMAGE_GROUP, read=lambda s: CODECS.index(s.pva.codec), put=_put_codec,
           more="Phoebus shows LZ4 and what is not compressed; ImageJ and c2dataviewer show all."),
        Pv(name="Codec", kind=Text(), doc="Compression of the last image", group=IMAGE_GROUP,
           read=lambda s: s.sent_codec),
        Pv(name="CompressedSize", kind=Int("bytes"), doc="Size of the last image as it is sent", group=IMAGE_GROUP,
           read=lambda s: s.sent_bytes),
        Pv(name="CompFactor", kind=Float("", 2), doc="How many times smaller it is sent", group=IMAGE_GROUP,
           read=lambda s: s.compression_factor),
    )  # fmt: skip

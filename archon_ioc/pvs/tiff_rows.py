"""Rows of TIFF1: areaDetector's NDFileTIFF."""

from archon_ioc.plugins.tiff import TiffPlugin
from archon_ioc.pvs.array_rows import FILE_GROUP
from archon_ioc.pvs.ndfile_rows import ndfile_rows
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows


def tiff_rows(plugin: TiffPlugin) -> tuple[PluginPv, ...]:
    """Return the rows of the TIFF plugin."""
    return (*plugin_rows(plugin, FILE_GROUP), *ndfile_rows(plugin.file_format))

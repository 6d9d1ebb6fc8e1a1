"""Rows of the plugin that gives images to PVAccess."""

from archon_ioc.plugins.pva import PvaPlugin
from archon_ioc.pvs.pva_rows import pva_rows


def shown(plugin: PvaPlugin) -> dict[str, object]:
    return {row.name: row.read(plugin.state) for row in pva_rows(plugin, "T:Pva1:Image")}


def test_the_plugin_tells_where_its_images_are_and_how_they_are_sent() -> None:
    plugin = PvaPlugin("PVA1")
    assert shown(plugin)["PvName"] == "T:Pva1:Image"
    assert shown(plugin)["PluginType"] == "NDPluginPva"
    assert (shown(plugin)["Compressor"], shown(plugin)["Codec"], shown(plugin)["CompFactor"]) == (0, "", 1.0)


def test_the_codec_is_put_by_its_place_in_the_choices() -> None:
    plugin = PvaPlugin("PVA1")
    compressor = next(row for row in pva_rows(plugin, "T:Pva1:Image") if row.name == "Compressor")
    assert compressor.put is not None
    compressor.put(plugin, 1)
    assert plugin.state.pva.codec == "lz4"
    assert shown(plugin)["Compressor"] == 1

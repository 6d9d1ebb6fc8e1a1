"""image1 and image2."""

from archon_ioc.plugins.standard_arrays import Preview, StandardArrays
from archon_ioc.pvs.image_rows import ARRAY_DATA, image_rows
from archon_ioc.pvs.row import Pixels


def test_the_pixels_come_last() -> None:
    for plugin in (StandardArrays("Image1", 32), Preview("Image2")):
        rows = image_rows(plugin, Pixels(12, 32))
        assert [record.suffix for record in rows[-1].records()] == [ARRAY_DATA]
        assert rows[-1].kind == Pixels(12, 32)
        assert next(row for row in rows if row.name == "PluginType").read(plugin.state) == "NDPluginStdArrays"

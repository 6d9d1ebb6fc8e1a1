"""The plugins of a site: which there are, what their records are called, and the rows of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from archon_ioc.config import SiteConfig
from archon_ioc.config_names import OFF
from archon_ioc.exposure.fields import resolved
from archon_ioc.exposure.settings import default_files
from archon_ioc.plugins.fits import FitsPlugin
from archon_ioc.plugins.hdf5 import Hdf5Plugin
from archon_ioc.plugins.ndfile_state import NDFileSettings
from archon_ioc.plugins.plugin import Plugin
from archon_ioc.plugins.process import ProcessPlugin
from archon_ioc.plugins.pva import PvaPlugin
from archon_ioc.plugins.roi import RoiPlugin
from archon_ioc.plugins.standard_arrays import PREVIEW_PIXELS, Preview, StandardArrays
from archon_ioc.plugins.stats import StatsPlugin
from archon_ioc.plugins.tiff import TiffPlugin
from archon_ioc.plugins.timeseries import SeriesPlugin
from archon_ioc.pvs.camera_rows import CAMERA_PORT
from archon_ioc.pvs.file_rows import fits_rows
from archon_ioc.pvs.hdf5_rows import hdf5_rows
from archon_ioc.pvs.image_rows import image_rows
from archon_ioc.pvs.process_rows import process_rows
from archon_ioc.pvs.pva_rows import IMAGE, pva_rows
from archon_ioc.pvs.roi_rows import roi_rows
from archon_ioc.pvs.row import Pixels, Pv
from archon_ioc.pvs.series_rows import series_rows
from archon_ioc.pvs.stats_rows import stats_rows
from archon_ioc.pvs.tiff_rows import tiff_rows


@dataclass(frozen=True)
class Part:
    """A plugin and its rows. Records begin with ``name``, which a macro stands for in templates, and ``more``."""

    plugin: Plugin[Any]
    rows: Sequence[Pv[Any, Any]]
    macro: str
    name: str
    more: str = ""

    @property
    def prefix(self) -> str:
        """What stands before the names of its records, behind the prefix of the program."""
        return self.name + self.more


def build_plugins(site: SiteConfig, pixels: Pixels) -> tuple[Part, ...]:
    """Return the plugins that a site wants, in the order in which their records are shown.

    Args:
        site: prefixes, and what plugins may use.
        pixels: what the record of the whole image must hold.
    """
    parts = [part for part in _all_parts(site, pixels) if part.name != OFF]
    for part in parts:
        part.plugin.change(array_port=part.plugin.state.settings.array_port or CAMERA_PORT)
        part.plugin.memory_limit = int(site.plugins.memory_mb * (1 << 20))
    return tuple(parts)


def _all_parts(site: SiteConfig, pixels: Pixels) -> Iterator[Part]:
    names = site.names
    image, preview = StandardArrays("Image1", pixels.bits), Preview("Image2")
    yield Part(image, image_rows(image, pixels), "IMAGE", names.image)
    yield Part(preview, image_rows(preview, Pixels(PREVIEW_PIXELS, 16)), "IMAGE2", names.image2)
    for number, name in (("1", names.roi1), ("2", names.roi2)):
        roi = RoiPlugin(f"ROI{number}")
        yield Part(roi, roi_rows(roi), f"ROI{number}", name)
    for number, name in (("1", names.stats1), ("2", names.stats2)):
        stats = StatsPlugin(f"STATS{number}")
        series = SeriesPlugin(f"STATS{number}_TS", stats.name, stats.show_series)
        yield Part(stats, stats_rows(stats), f"STATS{number}", name)
        yield Part(series, series_rows(series), f"STATS{number}", name, "TS:")
    process = ProcessPlugin("PROC1")
    yield Part(process, process_rows(process), "PROC", names.process)
    pva = PvaPlugin("PVA1")
    yield Part(pva, pva_rows(pva, f"{site.prefix}{names.pva}{IMAGE}"), "PVA", names.pva)
    yield from _file_parts(site)


def _file_parts(site: SiteConfig) -> Iterator[Part]:
    """File plugins come last: what is in memory of an image has been shown when its file is there."""
    files, names = default_files(site.files), site.names
    own = NDFileSettings(path=files.path, name=files.name)
    fits = FitsPlugin("FileFITS1")
    yield Part(fits, fits_rows(fits), "FITS", names.fits)
    resolve = partial(resolved, site=site)
    hdf = Hdf5Plugin("FileHDF1", replace(own, template="%s%s_%4.4d.h5"), resolve)
    yield Part(hdf, hdf5_rows(hdf), "HDF", names.hdf)
    tiff = TiffPlugin("FileTIFF1", replace(own, template="%s%s_%4.4d.tiff"), resolve)
    yield Part(tiff, tiff_rows(tiff), "TIFF", names.tiff)

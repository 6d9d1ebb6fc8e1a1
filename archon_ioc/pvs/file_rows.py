"""Rows of FITS1: areaDetector's NDFile, and what FITS files of this camera have beyond it."""

from collections.abc import Awaitable

from archon_ioc.exposure.operations import Operations
from archon_ioc.plugins.fits import FitsPlugin
from archon_ioc.pvs.array_rows import FILE_GROUP, CameraPv
from archon_ioc.pvs.ndfile_rows import ndfile_rows
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Choice, Pv, Text


def _word_setting(name: str, labels: tuple[str, ...], doc: str, field: str, more: str = "") -> CameraPv:
    """Return the row of a file setting that is one of a few words, which are the labels in lower case."""
    words = [label.lower() for label in labels]

    async def put(operations: Operations, value: int) -> None:
        await operations.filing.change(**{field: words[value]})

    return Pv(
        name=name, kind=Choice(labels), doc=doc, group=FILE_GROUP,
        read=lambda state: words.index(getattr(state.settings.files, field)), put=put, more=more,
    )  # fmt: skip


def _put_header_file(operations: Operations, value: str) -> Awaitable[None]:
    return operations.camera.user_cards.set_file(value)


FITS_ROWS: tuple[CameraPv, ...] = (
    _word_setting("Layout", ("CCD", "MEF", "Controller"), "How images are divided among files", "layout",
                  more="CCD: a file per CCD; MEF: the same with an extension per amplifier; Controller: a file per"
                  " controller with an extension per CCD."),
    _word_setting("Compression", ("None", "gzip", "Rice"), "Compression of the files", "compression",
                  more="gzip adds .gz to the name, Rice .fz."),
    _word_setting("Checksum", ("None", "md5", "sha1", "sha256"), "Sum in a file beside each image", "checksum"),
    _word_setting("DateDir", ("None", "MJD", "SJD", "Date"), "Folder of the night below FilePath", "date_folder",
                  more="It is made where there is none."),
    Pv(name="NextFileName", kind=Text(512), doc="What the next file will be called", group=FILE_GROUP,
       read=lambda s: s.file.next_name, more="The first one of several; of the moment of the last change."),
    Pv(name="HeaderFile", kind=Text(512), doc="Further header cards: a JSON file", group=FILE_GROUP,
       read=lambda s: s.settings.header_file, put=_put_header_file, more="Read when it is named. See HeaderJSON."),
    Pv(name="HeaderJSON", kind=Text(8192), doc="Further header cards: JSON", group=FILE_GROUP,
       read=lambda s: s.settings.header_json, put=lambda o, value: o.camera.user_cards.set_text(value),
       more="An object of keywords with a value or [value, comment]; under the name of a CCD or controller one of its"
       " own. They stand above those of the file, the site and this program, and are kept until others are put."),
)  # fmt: skip
"""What areaDetector does not have; they read the camera's state."""


def fits_rows(plugin: FitsPlugin) -> tuple[PluginPv, ...]:
    """Return the rows that the plugin has as all file plugins have."""
    return (*plugin_rows(plugin, FILE_GROUP), *ndfile_rows(plugin.file_format))

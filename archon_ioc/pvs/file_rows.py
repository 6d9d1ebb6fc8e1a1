"""Rows of the files: areaDetector's NDFile, as its FITS plugin has them."""

from collections.abc import Awaitable, Callable
from typing import Any

from archon_ioc.exposure.operations import Operations
from archon_ioc.pvs.array_rows import FILE_GROUP, NO_YES, CameraPv
from archon_ioc.pvs.camera_rows import CAMERA_PORT
from archon_ioc.pvs.row import Choice, Int, Kind, Pv, Severity, Text

FITS_PORT = "FileFITS1"


def _same(value: Any) -> Any:
    return value


def _file_setting(
    name: str, kind: Kind, doc: str, field: str, *, convert: Callable[[Any], Any] = _same, more: str = ""
) -> CameraPv:
    """Return the row of a field of the file settings."""

    async def put(operations: Operations, value: Any) -> None:
        await operations.filing.change(**{field: convert(value)})

    return Pv(
        name=name, kind=kind, doc=doc, group=FILE_GROUP, read=lambda state: getattr(state.settings.files, field),
        put=put, more=more,
    )  # fmt: skip


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


FORMAT_ROWS: tuple[CameraPv, ...] = (
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

FITS_ROWS: tuple[CameraPv, ...] = (
    Pv(name="PortName", kind=Text(), doc="Name in the plugin graph", group=FILE_GROUP, read=lambda _: FITS_PORT),
    Pv(name="PluginType", kind=Text(), doc="Class of this plugin", group=FILE_GROUP, read=lambda _: "NDFileFITS"),
    Pv(name="NDArrayPort", kind=Text(), doc="Where images come from", group=FILE_GROUP, read=lambda _: CAMERA_PORT),
    _file_setting("FilePath", Text(256), "Folder of the files", "path",
                  more="%Y, %m, %d and fields such as {mjd} stand for the date; FullFileName_RBV tells what became"
                  " of it."),
    Pv(name="FilePathExists", kind=Choice(("No", "Yes"), {"No": Severity.MAJOR}), doc="Whether it can be written to",
       group=FILE_GROUP, read=lambda s: s.file.path_exists),
    _file_setting("CreateDirectory", Int(low=-100, high=100), "Levels of folders to create", "create_directory",
                  more="0: none; n: all below the first n; -n: at most the last n."),
    _file_setting("FileName", Text(256), "Name before the number", "name",
                  more="Fields: {ccd}, {controller}, {number:08d}, {observatory}, {hemisphere}, {mjd}, {sjd}, {date}."),
    _file_setting("FileNumber", Int(low=0), "Number of the next file", "number"),
    _file_setting("AutoIncrement", NO_YES, "Count the file number up", "auto_increment", convert=bool),
    _file_setting("FileTemplate", Text(256), "printf of path, name and number", "template"),
    _file_setting("AutoSave", NO_YES, "Write every image", "auto_save", convert=bool),
    Pv(name="FullFileName", kind=Text(512), doc="The last file", group=FILE_GROUP, read=lambda s: s.file.full_name),
    Pv(name="WriteMessage", kind=Text(256), doc="What went wrong with a file", group=FILE_GROUP,
       read=lambda s: s.file.message, rbv=False),
    Pv(name="WriteStatus", kind=Choice(("Write OK", "Write error"), {"Write error": Severity.MAJOR}),
       doc="What became of the last file", group=FILE_GROUP, read=lambda s: s.file.error, rbv=False),
    Pv(name="WriteFile", kind=Choice(("Done", "Write")), doc="Write the last image now", group=FILE_GROUP,
       read=lambda s: s.file.writing, put=lambda o, value: o.write_file(value), rbv=False),
    Pv(name="WriteFile", kind=Choice(("Done", "Writing")), doc="Whether a file is being written", group=FILE_GROUP,
       read=lambda s: s.file.writing),
    *FORMAT_ROWS,
)  # fmt: skip

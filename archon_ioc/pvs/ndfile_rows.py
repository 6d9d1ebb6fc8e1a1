"""Rows of areaDetector's NDFile: what every file plugin shows and takes."""

from collections.abc import Callable, Iterator
from typing import Any

from archon_ioc.errors import StateError
from archon_ioc.pvs.array_rows import FILE_GROUP, NO_YES
from archon_ioc.pvs.plugin_rows import PluginPv
from archon_ioc.pvs.row import Choice, Int, Kind, Pv, Severity, Text

WRITE_MODES = Choice(("Single", "Capture", "Stream"))


def ndfile_rows(file_format: str) -> tuple[PluginPv, ...]:
    """Return the rows that all file plugins have alike; they read a state like `NDFileState`, and put to its plugin.

    What a client waits for comes last: when Capture turns, counter, name and message are known.
    """
    return (*_place_rows(), *_mode_rows(file_format), *_result_rows(), *_action_rows())


def file_setting(
    name: str, kind: Kind, doc: str, field: str, *, convert: Callable[[Any], Any] | None = None, more: str = ""
) -> PluginPv:
    """Return the row of a field of the file settings."""

    async def put(plugin: Any, value: Any) -> None:
        await plugin.set_files(**{field: convert(value) if convert else value})

    return Pv(name=name, kind=kind, doc=doc, group=FILE_GROUP, read=lambda state: getattr(state.files, field), put=put,
              part=lambda state: state.files, more=more)  # fmt: skip


def _place_rows() -> Iterator[PluginPv]:
    yield file_setting("FilePath", Text(256), "Folder of the files", "path",
                       more="%Y, %m, %d and fields such as {mjd} stand for the date; FullFileName_RBV tells what"
                       " became of it.")  # fmt: skip
    yield _result("FilePathExists", Choice(("No", "Yes"), {"No": Severity.MAJOR}), "Whether it can be written to",
                  "path_exists")  # fmt: skip
    yield file_setting("CreateDirectory", Int(low=-100, high=100), "Levels of folders to create", "create_directory",
                       more="0: none; n: all below the first n; -n: at most the last n.")  # fmt: skip
    yield file_setting("FileName", Text(256), "Name before the number", "name")
    yield file_setting("FileNumber", Int(low=0), "Number of the next file", "number")
    yield file_setting("AutoIncrement", NO_YES, "Count the file number up", "auto_increment", convert=bool)
    yield file_setting("FileTemplate", Text(256), "printf of path, name and number", "template",
                       more="What comes last may be left out. Files that exist are never written over.")  # fmt: skip
    yield file_setting("TempSuffix", Text(), "Ending of a file that is not whole", "temp_suffix")


def _mode_rows(file_format: str) -> Iterator[PluginPv]:
    yield Pv(name="FileFormat", kind=Choice((file_format, "Invalid")), doc="Format, there is one", group=FILE_GROUP,
             read=lambda _: 0, put=_put_format)  # fmt: skip
    yield file_setting("FileWriteMode", WRITE_MODES, "Each image, a buffer or a stream", "write_mode")
    yield file_setting("AutoSave", NO_YES, "Write every image", "auto_save", convert=bool)
    yield file_setting("LazyOpen", NO_YES, "Open a file when its first image comes", "lazy_open", convert=bool)
    yield file_setting("DeleteDriverFile", NO_YES, "Delete the file DriverFileName", "delete_driver_file", convert=bool)
    yield file_setting("NumCapture", Int(low=0), "Images of a capture, 0 is no end", "num_capture")


def _result_rows() -> Iterator[PluginPv]:
    yield _result("FullFileName", Text(512), "The last file", "full_name")
    yield _result("WriteMessage", Text(256), "What went wrong with a file", "message", rbv=False)
    yield _result("WriteStatus", Choice(("Write OK", "Write error"), {"Write error": Severity.MAJOR}),
                  "What became of the last file", "error", rbv=False)  # fmt: skip
    yield _result("NumCaptured", Int(), "Images of this capture on the disk", "captured")


def _action_rows() -> Iterator[PluginPv]:
    yield from _action("WriteFile", ("Write", "Writing"), "Write the last image now", "writing", _write)
    yield from _action("ReadFile", ("Read", "Reading"), "Unused: files are not read", "", _read)
    yield _command("FreeCapture", "Free", "Forget the images of the buffer", _free)
    yield from _action("Capture", ("Capture", "Capturing"), "Capture images; done at its end", "capturing", _capture)


def _result(name: str, kind: Kind, doc: str, field: str, *, rbv: bool = True) -> PluginPv:
    return Pv(name=name, kind=kind, doc=doc, group=FILE_GROUP, read=lambda state: getattr(state, field), rbv=rbv)


def _action(name: str, words: tuple[str, str], doc: str, field: str, put: Callable[..., Any]) -> Iterator[PluginPv]:
    """Yield the rows of something that takes its time: the readback has another word than the setpoint."""

    def is_on(state: Any) -> bool:
        return bool(field) and bool(getattr(state, field))

    command, going = words
    yield Pv(name=name, kind=Choice(("Done", going)), doc=doc, group=FILE_GROUP, read=is_on)
    yield Pv(name=name, kind=Choice(("Done", command)), doc=doc, group=FILE_GROUP, read=is_on, put=put, rbv=False)


def _command(name: str, word: str, doc: str, put: Callable[..., Any]) -> PluginPv:
    return Pv(name=name, kind=Choice(("Done", word)), doc=doc, group=FILE_GROUP, read=lambda _: 0, put=put, rbv=False)


def _put_format(_: Any, value: int) -> None:
    if value:
        raise StateError("a file plugin has one format")


async def _write(plugin: Any, start: int) -> None:
    await plugin.write_file(start)


def _read(_: Any, start: int) -> None:
    if start:
        raise StateError("files are not read")


async def _free(plugin: Any, start: int) -> None:
    await plugin.free_capture(start)


async def _capture(plugin: Any, start: int) -> None:
    await plugin.capture(start)

"""HDF1: areaDetector's NDFileHDF5."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from archon_ioc.errors import InputError
from archon_ioc.plugins.hdf5_layout import Layout, parse
from archon_ioc.plugins.hdf5_settings import Hdf5Results, Hdf5Settings
from archon_ioc.plugins.hdf5_writer import HDF5_VERSION, Hdf5Writer
from archon_ioc.plugins.ndfile import FilePlugin
from archon_ioc.plugins.ndfile_state import NDFileSettings, NDFileState
from archon_ioc.plugins.open_file import Opening, Writer

_DEFAULT_SELECTED = "Default layout selected"


@dataclass(frozen=True, slots=True)
class Hdf5State(NDFileState):
    """The HDF5 plugin."""

    hdf5: Hdf5Settings = field(default_factory=Hdf5Settings)
    results: Hdf5Results = field(default_factory=Hdf5Results)


class Hdf5Plugin(FilePlugin[Hdf5State]):
    """Writes the images of a capture into one HDF5 file, which can be read meanwhile with SWMR."""

    plugin_type = f"NDFileHDF5 ver{HDF5_VERSION}"
    file_format = "HDF5"
    holds_many = True
    kept = ("settings", "files", "hdf5")

    def __init__(self, name: str, files: NDFileSettings, resolve: Callable[[str], str] = str) -> None:
        super().__init__(name, Hdf5State(files=files), resolve)
        self._writer: Hdf5Writer | None = None

    async def run(self) -> None:
        """Write images until cancelled; then the file is closed."""
        await self.set_hdf5(layout=self.state.hdf5.layout)
        await super().run()

    def create(self, opening: Opening) -> Writer:
        """Make a file."""
        settings = self.state.hdf5
        self._writer = Hdf5Writer(opening, settings, _layout(settings.layout))
        return self._writer

    def results(self) -> Mapping[str, object]:
        """Return what is known of the file: speed when it is closed, the rest at once."""
        writer, old = self._writer, self.state.results
        if writer is None:
            return {}
        new = replace(old, swmr_active=writer.swmr_active, flushes=writer.flushes)
        if not writer.is_open and writer.begun is not None:
            seconds = writer.ended - writer.begun
            new = replace(new, run_seconds=seconds, megabits=8e-6 * writer.image_bytes / max(seconds, 1e-9))
        return {"results": new} if new != old else {}

    async def set_hdf5(self, **changes: Any) -> None:
        """Change any of the `Hdf5Settings`; they hold for the next file. A layout that is none is told of.

        Raises:
            InputError: if a value makes no sense.
        """
        settings = self.state.hdf5.changed(**changes)
        self.update(hdf5=settings)
        if "layout" in changes:
            try:
                await asyncio.to_thread(_layout, settings.layout)
            except InputError as error:
                self._show_layout(str(error), is_valid=False)
            else:
                self._show_layout("" if settings.layout else _DEFAULT_SELECTED, is_valid=True)

    def _show_layout(self, message: str, *, is_valid: bool) -> None:
        self.update(results=replace(self.state.results, layout_valid=is_valid, layout_message=message[:255]))


def _layout(text: str) -> Layout:
    """The layout that XML, or a file of that name, describes. Blocks.

    Raises:
        InputError: if it is none.
    """
    if text.lstrip().startswith("<") or not text:
        return parse(text.lstrip())
    try:
        return parse(Path(text).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the layout {text} cannot be read: {error}") from error

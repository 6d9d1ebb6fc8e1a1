"""Windows: which lines and pixels are read, by number, by name, or as a region of the image."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window
from archon_ioc.errors import ArchonError, InputError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.region import lines_to_read
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.exposure.together import finished, together

log = logging.getLogger(__name__)

DEFAULT, CUSTOM = "default", "custom"
"""The window of the configuration as it was loaded, and any window that has no name."""

_ROWS = frozenset({"lines", "preskiplines", "postskiplines", "overscanlines"})
_COLUMNS = frozenset({"pixels", "preskippixels", "postskippixels", "overscanpixels"})

Changes = Mapping[str, int]


class Windows:
    """Sets the windows of some of the camera's controllers: of all, or of none when it fails.

    All is refused with a `StateError` during an acquisition. Whoever speaks last is heard: lines that are set by number
    or by name end a region of rows that was asked for before, and pixels one of columns.
    """

    def __init__(self, camera: Camera, controllers: Sequence[ArchonController]) -> None:
        self._camera = camera
        self._controllers = {controller.name: controller for controller in controllers}

    async def set(self, **changes: int) -> None:
        """Change the fields of `Window` that are given.

        Raises:
            InputError: for a value out of range, or a frame that would not fit or never be whole.
            StateError: if a timing script lacks the parameter.
            ArchonError: if a controller does not take it.
        """
        async with self._camera.undisturbed():
            await self._apply(dict.fromkeys(self._controllers, changes))
            self._end_region(is_rows=bool(_ROWS & changes.keys()), is_columns=bool(_COLUMNS & changes.keys()))

    async def set_text(self, text: str) -> None:
        """Change fields that are given as text, ``lines=100, hbin=2`` for instance, all together.

        Raises:
            InputError: if the text is not of this kind, and as `set`.
            ArchonError: as `set`.
        """
        await self.set(**parsed(text))

    async def choose(self, name: str) -> None:
        """Set the window of this name; what it does not give is as in the configuration that is loaded.

        Raises:
            InputError: if there is no such name, and as `set`.
            ArchonError: as `set`.
        """
        modes = self._camera.state.window_modes
        if name != DEFAULT and name not in modes:
            raise InputError(f"there is no window {name!r}, but {', '.join([DEFAULT, *modes])}")
        async with self._camera.undisturbed():
            await self._apply(dict.fromkeys(self._controllers, modes.get(name, {})), reset=True)
            update(self._camera.live, window_mode=name)
            self._end_region(is_rows=True, is_columns=True)

    async def set_region(self, **changes: int) -> None:
        """Set ``min_x``, ``min_y``, ``size_x`` or ``size_y``: the part of the image that is wanted, unbinned pixels.

        Rows are left out on the CCD where that is exact, see `region`; else the image is cut.

        Raises:
            InputError: for what is not inside the image, or if images are kept whole and it is not exact.
            ArchonError: as `set`.
        """
        state = self._camera.state
        for name, value in changes.items():
            full = state.full_size[0 if name.endswith("x") else 1]
            low, high = (0, full - 1) if name.startswith("min") else (1, full)
            if full and not low <= value <= high:
                raise InputError(f"{name} is {low} to {high}, not {value}")
            # The whole size is kept as such: another configuration may have another one.
            changes[name] = 0 if name.startswith("size") and value == full else value
        settings = state.settings.changed(**changes)
        rows = self._rows(settings.min_y, settings.size_y) if changes.keys() & {"min_y", "size_y"} else {}
        if state.keeps_whole and not rows and settings != state.settings:
            raise InputError("a window is possible only where the whole frame is one CCD")
        if new := {name: own for name, own in rows.items() if not self._is_set(name, own)}:
            async with self._camera.undisturbed():
                await self._apply(new)
        self._camera.change(**changes)

    def _rows(self, min_y: int, size_y: int) -> dict[str, Changes]:
        """Return the changes by controller; nothing if it is not exact for one of them."""
        found = {name: lines_to_read(c.status, min_y, size_y) for name, c in self._controllers.items()}
        exact = {name: changes for name, changes in found.items() if changes is not None}
        return dict(exact) if len(exact) == len(found) else {}

    def _is_set(self, name: str, changes: Changes) -> bool:
        window = self._controllers[name].status.window
        return window is not None and changes.items() <= asdict(window).items()

    async def _apply(self, changes: Mapping[str, Changes], *, reset: bool = False) -> None:
        units = self._controllers
        await together({name: units[name].check_window(reset, **own) for name, own in changes.items()})
        await finished(self._set_all(changes, reset))

    async def _set_all(self, changes: Mapping[str, Changes], reset: bool) -> None:
        units = self._controllers
        before = {name: units[name].status.window for name in changes}
        try:
            await together({name: units[name].set_window(reset, **own) for name, own in changes.items()})
        except ArchonError:  # a controller that fails undoes its own window
            changed = {name: old for name, old in before.items() if old and old != units[name].status.window}
            await self._put_back(changed)
            raise

    async def _put_back(self, windows: Mapping[str, Window]) -> None:
        for name, window in windows.items():
            try:
                await self._controllers[name].set_window(**asdict(window))
            except ArchonError as error:  # the one that led here is raised
                log.error("%s: the window could not be put back: %s", name, error)

    def _end_region(self, *, is_rows: bool, is_columns: bool) -> None:
        ends = {"min_y": 0, "size_y": 0} if is_rows else {}
        self._camera.change(**ends | ({"min_x": 0, "size_x": 0} if is_columns else {}))


def parsed(text: str) -> dict[str, int]:
    """Return the fields of a window that a text such as ``lines=100, hbin=2`` gives.

    Raises:
        InputError: if it is not of this kind.
    """
    pairs = [word.partition("=") for word in text.replace(",", " ").split()]
    if not pairs or not all(name and number.isdecimal() for name, _, number in pairs):
        raise InputError(f"{text!r} is not like 'lines=100, hbin=2'")
    return {name.lower(): int(number) for name, _, number in pairs}


def shown(window: Window) -> str:
    """Return a window as `parsed` understands it."""
    return " ".join(f"{field}={value}" for field, value in asdict(window).items())


def mode(state: CameraState) -> str:
    """Return the name of the window that all controllers have: the one chosen last, if several fit."""
    names = (state.window_mode, DEFAULT, *state.window_modes)
    return next((name for name in names if all(_has(unit, name, state) for unit in state.controllers)), CUSTOM)


def _has(controller: ControllerState, name: str, state: CameraState) -> bool:
    default = controller.default_window
    if default is None or (name != DEFAULT and name not in state.window_modes):
        return False
    try:
        return default.changed(state.window_modes.get(name, {})) == controller.window
    except InputError:  # not one for this configuration
        return False

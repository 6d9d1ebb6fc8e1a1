"""Adoption: what to think of a configuration that was found in the controller, by a program that was just started."""

import asyncio
import logging
from dataclasses import dataclass

from archon_ioc.acf.file import Acf
from archon_ioc.config import ScriptConfig
from archon_ioc.driver import upload
from archon_ioc.driver.state import ConfigState, ControllerState
from archon_ioc.driver.window import Window, window_keys
from archon_ioc.errors import ConfigError, InputError, StateError
from archon_ioc.protocol.enums import Power

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """The configuration that was found, None if there is no whole one; what is known of it, and a sentence.

    ``original`` is the file that was loaded, where only its window was changed since.
    """

    acf: Acf | None
    config: ConfigState
    message: str
    original: Acf | None = None


async def judge(found: Acf, state: ControllerState, names: ScriptConfig) -> Finding:
    """Return what to think of the lines that a controller's memory holds.

    The controller does not say what is applied: its power state and its last frame let guess. When it is what the
    offered file has, it is taken for that file.
    """
    if not found.keys:
        return Finding(None, ConfigState.UNLOADED, "the controller has no configuration")
    try:
        upload.require_whole(found)
    except ConfigError as error:
        return Finding(None, ConfigState.ERROR, f"the configuration in the controller: {error}")
    acf, original = await _recognised(found, state.config_file, names)
    message = f"{len(acf.keys)} lines were found in the controller"
    if not is_configured(state):
        return Finding(acf, ConfigState.LOADED, message, original)
    if not _fits_last_frame(acf, state):
        return Finding(acf, ConfigState.LOADED, f"{message}, perhaps not applied: load it again", original)
    own = original or acf
    try:
        Window.of(own, names).counts(own, names)
    except StateError as error:
        if not acf.path:  # the window of another program, or of an older version of this one
            return Finding(acf, ConfigState.ERROR, f"{message}: {error}")
    return Finding(acf, ConfigState.APPLIED, message, original)


def is_configured(state: ControllerState) -> bool:
    """Return whether any configuration was applied since the controller was switched on."""
    return state.status is not None and state.status.power not in (Power.UNKNOWN, Power.NOT_CONFIGURED)


async def _recognised(found: Acf, path: str, names: ScriptConfig) -> tuple[Acf, Acf | None]:
    """Return what was found, with the name of the file at ``path`` if it is that, and the file itself."""
    if not path:
        return found, None
    try:
        file = await asyncio.to_thread(Acf.read, path)
    except ConfigError as error:
        log.warning("not compared with what was found in the controller: %s", error)
        return found, None
    if file.digest == found.digest:
        return file, file
    windowed = _windowed(file, found, names)
    return (found, None) if windowed is None else (windowed, file)


def _windowed(file: Acf, found: Acf, names: ScriptConfig) -> Acf | None:
    """Return the file with a window that makes it what was found, None if there is none."""
    if list(file.keys) != list(found.keys):
        return None
    changes = {key: value for key, value in found.keys.items() if file.keys[key] != value}
    windowed = file.with_values(changes)
    if not changes.keys() <= set(window_keys(file, names)) or windowed.parameters.keys() != file.parameters.keys():
        return None
    try:
        entries = Window.of(windowed, names, file).entries(file, names)
    except (InputError, StateError):
        return None
    return windowed if entries.items() <= found.keys.items() else None


def _fits_last_frame(acf: Acf, state: ControllerState) -> bool:
    last = state.frames.newest if state.frames else None
    return last is None or ((last.height, last.width), last.mode) == (acf.frame_shape, acf.frame_mode)

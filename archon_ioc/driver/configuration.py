"""Configuration: what is in one controller's configuration memory, and changing it."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from archon_ioc.acf.file import Acf
from archon_ioc.acf.keys import apply_for
from archon_ioc.driver import upload
from archon_ioc.driver.connection import Connection
from archon_ioc.driver.keeper import Keeper
from archon_ioc.driver.state import ConfigState, Progress, Step
from archon_ioc.driver.timing import Timing
from archon_ioc.driver.window import Window
from archon_ioc.errors import ArchonError, InputError, StateError
from archon_ioc.protocol import commands
from archon_ioc.protocol.enums import Power

log = logging.getLogger(__name__)


class Configuration:
    """The owner of ``config``, ``acf``, ``parameters`` and ``window`` of a controller's state."""

    def __init__(self, keeper: Keeper, timing: Timing) -> None:
        self._keeper = keeper
        self._timing = timing
        self._original: Acf | None = None  # as it was loaded; the state's has the changes since

    def require(self) -> Acf:
        """Return the loaded configuration.

        Raises:
            StateError: if none is loaded.
        """
        acf = self._keeper.state.acf
        if acf is None:
            raise StateError("no configuration is loaded")
        return acf

    async def read(self) -> Acf:
        """Read back the configuration memory."""
        async with self._keeper.undisturbed():
            return await self._read(self._keeper.connection)

    async def write(
        self,
        source: Acf | str | PathLike[str],
        overrides: Mapping[str, str],
        apply_all: bool,
        slots: Sequence[int],
    ) -> None:
        """Replace the configuration memory, verify it, and apply all or the modules in ``slots``.

        Raises:
            ConfigError: if the file is wrong, or what was written cannot be read back.
            InputError: for an override of a key that the ACF does not have.
            RejectedError: if a line or an apply is refused; the state then says that nothing is sure.
        """
        acf = source if isinstance(source, Acf) else await asyncio.to_thread(Acf.read, Path(source))
        acf = acf.with_values({key: str(value) for key, value in overrides.items()})
        label = _label(acf)
        connection = self._keeper.connection
        async with self._keeper.undisturbed():
            self._set(ConfigState.LOADING, f"loading {label}", None)
            try:
                await upload.write_config(connection, acf, self._report)
                self._set(ConfigState.LOADED, f"{label} is loaded, not applied", acf)
                if apply_all:
                    await self._apply_all(acf)
                for slot in slots:
                    await self._keeper.request(commands.apply_module(slot))
            except ArchonError as error:
                # The memory, or what is applied, may be a mixture: say so until a whole one is loaded.
                self._set(ConfigState.ERROR, f"{label} is not fully loaded: {error}", None)
                raise
            finally:
                self._keeper.update(upload=None)
        await self._keeper.refresh()

    async def apply_all(self) -> None:
        """Make the loaded configuration take effect. CCD power is off afterwards.

        Raises:
            RejectedError: if the controller refuses it.
        """
        acf = self.require()
        async with self._keeper.undisturbed():
            try:
                await self._apply_all(acf)
            except ArchonError as error:
                self._set(ConfigState.ERROR, f"{_label(acf)} is not applied: {error}", acf)
                raise
            finally:
                self._keeper.update(upload=None)
        await self._keeper.refresh()

    async def write_line(self, key: str, value: float | str, apply: bool | str = True) -> None:
        """Change one key; see `ArchonController.write_line`."""
        acf = self.require()
        changed = acf.with_value(key, str(value))
        number = acf.line_number(key)
        command = commands.raw(apply) if isinstance(apply, str) else apply_for(acf.find(key)) if apply else None
        if apply and command is None:
            raise InputError(f"no command that this program sends makes {key} take effect; give apply=False")
        async with self._keeper.undisturbed():
            stored = await self._keeper.request(commands.read_config(number))
            if stored != acf.lines[number]:
                self._keeper.update(config=ConfigState.MODIFIED, config_message=f"line {number} is {stored!r}")
                raise StateError(
                    f"another program changed the configuration: line {number} is {stored!r}; load it again"
                )
            await self._keeper.request(commands.write_config(number, changed.lines[number]))
            try:
                if command is not None:
                    await self._keeper.request(command)
            except ArchonError:
                await self._keeper.request(commands.write_config(number, acf.lines[number]))
                raise
        log.info("%s: %s", self._keeper.config.name, changed.lines[number])
        self._keeper.update(acf=changed)

    async def set_window(self, changes: Mapping[str, int]) -> Window:
        """Change the window; see `ArchonController.set_window`."""
        original, current = self._original, self._keeper.state.window
        if original is None or current is None:
            raise StateError("no configuration is loaded")
        window = current.changed(changes)
        counts = window.counts(original)
        await self._timing.set_parameters(window.parameters(original))
        for key, count in counts.items():
            await self.write_line(key, count, apply=False)
        await self._keeper.request(commands.apply_cds())
        self._keeper.update(window=window)
        return window

    async def synchronise(self, connection: Connection) -> None:
        """Find out on a new link whether the configuration is still ours, or else which one there is."""
        status, acf = self._keeper.state.status, self._keeper.state.acf
        applied = status is not None and status.power not in (Power.UNKNOWN, Power.NOT_CONFIGURED)
        if acf is not None:
            changed = await upload.differing_keys(connection, acf)
            if not changed:
                state = ConfigState.APPLIED if applied else ConfigState.LOADED
                self._keeper.update(config=state, config_message=f"{_label(acf)} is still loaded")
                return
            log.warning("%s: the configuration was changed: %s", self._keeper.config.name, ", ".join(changed))
        await self._adopt(await self._read(connection), applied)

    async def _adopt(self, acf: Acf, applied: bool) -> None:
        """Take over what the controller's memory holds: after a restart of this program all goes on."""
        if not acf.keys:
            self._set(ConfigState.UNLOADED, "the controller has no configuration", None)
        elif problems := acf.problems():
            self._set(ConfigState.ERROR, f"the configuration in the controller: {problems[0]}", None)
        else:
            state = ConfigState.APPLIED if applied else ConfigState.LOADED
            self._set(state, f"{len(acf.keys)} lines were found in the controller", acf)

    async def _apply_all(self, acf: Acf) -> None:
        self._keeper.update(
            config=ConfigState.APPLYING,
            config_message=f"applying {_label(acf)}",
            upload=Progress(Step.APPLYING, 0, 1),
        )
        await self._keeper.request(commands.apply_all())
        self._set(ConfigState.APPLIED, f"{_label(acf)} is applied", acf)

    async def _read(self, connection: Connection) -> Acf:
        try:
            return await upload.read_config(connection, self._report)
        finally:
            self._keeper.update(upload=None)

    def _report(self, progress: Progress) -> None:
        self._keeper.update(upload=progress)

    def _set(self, state: ConfigState, message: str, acf: Acf | None) -> None:
        log.info("%s: %s", self._keeper.config.name, message)
        self._original = acf
        self._keeper.update(
            config=state,
            config_message=message,
            acf=acf,
            parameters=dict(acf.parameters) if acf else {},
            window=Window.of(acf) if acf else None,
        )


def _label(acf: Acf) -> str:
    return Path(acf.path).name or "the configuration"

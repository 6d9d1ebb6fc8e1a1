"""Operations: what a client can ask for beyond an exposure.

What changes the configuration or switches the power on is refused during an exposure. A heater's target is not: a long
exposure must not keep anybody from regulating the temperature.
"""

import asyncio
from collections.abc import Callable, Coroutine
from copy import copy
from typing import Any, Self

from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ControllerState
from archon_ioc.errors import InputError, StateError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.clearing import Clearing
from archon_ioc.exposure.filing import Filing
from archon_ioc.exposure.together import together
from archon_ioc.exposure.windows import Windows
from archon_ioc.protocol.enums import SampleMode

_LONGEST_STOP = 2.0
"""Seconds that switching off waits for the timing scripts to be stopped."""


class Operations:
    """The target of all puts: the camera, its files and its controllers, and what concerns more than one of them."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.filing: Filing = camera.filing
        self.controllers: tuple[ArchonController, ...] = camera.controllers
        """Those that power, configuration and reset are for."""
        self.windows = Windows(camera, camera.controllers)
        self.clearing = Clearing(camera, camera.controllers)
        self._switching: dict[asyncio.Task[None], tuple[ArchonController, ...]] = {}  # the CCD power on

    def of(self, controller: ArchonController) -> Self:
        """Return the same operations for one of several controllers."""
        own = copy(self)
        own.controllers = (controller,)
        own.windows = Windows(self.camera, own.controllers)
        return own

    @property
    def controller(self) -> ArchonController:
        """The only controller, or the one that leads."""
        return self.controllers[0]

    def refused(self, message: str) -> None:
        """Show why something could not be done."""
        self.camera.refused(message)

    def accepted(self) -> None:
        """Something could be done."""
        self.camera.accepted()

    async def acquire(self, start: int) -> None:
        """Start taking images and wait for their end, or stop."""
        await (self.camera.acquire() if start else self.clearing.abort())

    async def load_config(self, start: int) -> None:
        """Upload, verify and apply the chosen ACF. CCD power is off afterwards."""
        if not start:
            return
        async with self.camera.undisturbed():
            await self._each(_load_config)
        self._show(lambda state: state.config_message)

    async def power(self, on: int) -> None:
        """Switch the CCD power and wait until it has the new state.

        Off is for safety: it waits for nothing, cancels a switching on, and ends an exposure.
        """
        await (self._power_on() if on else self._power_off())
        self._show(lambda state: f"The CCD power is {state.power.name}")

    async def _power_on(self) -> None:
        switching = asyncio.create_task(self._switch_on(), name="CCD power on")
        self._switching[switching] = self.controllers
        switching.add_done_callback(self._switching.pop)
        try:
            await asyncio.wait([switching])
        finally:
            switching.cancel()  # where nobody waits any more
        if switching.cancelled():
            raise StateError("the CCD power was switched off meanwhile")
        switching.result()

    async def _switch_on(self) -> None:
        async with self.camera.undisturbed():
            await self._each(_switch_on)

    async def _power_off(self) -> None:
        if switching := {task for task, others in self._switching.items() if set(others) & set(self.controllers)}:
            for task in switching:
                task.cancel()
            await asyncio.wait(switching)
        ending = asyncio.create_task(self.camera.abort("aborted: the CCD power is switched off"), name="abort")
        resting = asyncio.create_task(self.camera.at_rest.wait(), name="abort stops the scripts")
        await asyncio.wait([ending, resting], timeout=_LONGEST_STOP, return_when=asyncio.FIRST_COMPLETED)
        resting.cancel()
        # At once, also in the middle of an upload, for whose end the other call waits.
        try:
            await self._each(_switch_off)
        finally:
            await ending  # a slow disk must not keep the voltages on

    async def set_data_type(self, index: int) -> None:
        """Choose 16 or 32 bits per pixel by areaDetector's index of UInt16 (3) or UInt32 (5)."""
        modes = {3: SampleMode.BITS16, 5: SampleMode.BITS32}
        if index not in modes:
            raise InputError("an Archon stores UInt16 or UInt32")
        async with self.camera.undisturbed():
            await self._each(lambda controller: controller.write_line("SAMPLEMODE", int(modes[index])))

    def require(self, is_possible: bool, reason: str) -> None:
        """Refuse what an Archon cannot do.

        Raises:
            InputError: with the reason.
        """
        if not is_possible:
            raise InputError(reason)

    async def write_file(self, start: int) -> None:
        """Write the last image to disk and wait until it is there."""
        if start:
            await self.filing.write()

    async def set_temperature(self, target: float) -> None:
        """Set the target of the first heater, °C. It heats only where the configuration enables it."""
        await self.controller.write_line(heater_key(self.controller.status), f"{target:g}")

    async def refresh(self, _: int = 1) -> None:
        """Read STATUS and FRAME now."""
        await self._each(lambda controller: controller.get_device_status())

    async def reset(self, start: int = 1) -> None:
        """Abort what is running, and restart the timing script idle."""
        if start:
            await self.camera.abort("aborted by a reset")
            async with self.camera.undisturbed():
                await self._each(lambda controller: controller.reset())

    async def _each(self, work: Callable[[ArchonController], Coroutine[Any, Any, object]]) -> None:
        await together({controller.name: work(controller) for controller in self.controllers})

    def _show(self, words: Callable[[ControllerState], str]) -> None:
        """Show what became of the controllers, in few words where all are alike."""
        said = {controller.name: words(controller.status) for controller in self.controllers}
        alike = len(set(said.values())) == 1
        self.camera.show(words(self.controller.status) if alike else "; ".join(f"{n}: {t}" for n, t in said.items()))


async def _load_config(controller: ArchonController) -> None:
    path = controller.status.config_file
    if not path:
        raise StateError("ArchonConfigFile names no file")
    await controller.write_config(path, applyall=True)


async def _switch_on(controller: ArchonController) -> None:
    try:
        await controller.power(True)
    except StateError:  # half powered is worse than off
        await controller.send_command("POWEROFF")
        raise


async def _switch_off(controller: ArchonController) -> None:
    await controller.send_command("POWEROFF")
    await controller.power(False)


def heater_key(state: ControllerState) -> str:
    """Return the key of the first heater's target.

    Raises:
        StateError: if the configuration has no heater.
    """
    keys = [f"MOD{slot}/HEATERATARGET" for slot in range(1, 17)]
    found = [key for key in keys if state.acf and key in state.acf]
    if not found:
        raise StateError("the configuration has no heater")
    return found[0]


def heater_target(state: ControllerState) -> float | None:
    """Return the target of the first heater in °C, None if there is none."""
    try:
        return float(state.acf.keys[heater_key(state)]) if state.acf else None
    except (StateError, ValueError):
        return None

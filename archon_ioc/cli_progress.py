"""Progress bars on the terminal: what a camera or a controller does, where somebody looks."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click

from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.prediction import readout_progress
from archon_ioc.driver.state import ControllerState, Progress, Step
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.state import CameraState
from archon_ioc.live import Live

_WIDTH = 70

T = TypeVar("T")


@asynccontextmanager
async def shown_camera(camera: Camera) -> AsyncGenerator[None]:
    """Show for the length of the block what a camera does."""
    async with _shown([_show(camera.live, of_camera)] if sys.stderr.isatty() else []):
        yield


@asynccontextmanager
async def shown_fetches(controllers: Sequence[ArchonController]) -> AsyncGenerator[None]:
    """Show for the length of the block what is fetched from controllers."""
    async with _shown([_show(one.live, of_fetch) for one in controllers] if sys.stderr.isatty() else []):
        yield


def of_camera(state: CameraState) -> str:
    """Return one line: the seconds of an integration, or the bar of the controller that is behind the others."""
    steps = [step for controller in state.controllers if (step := _step(controller, acquiring=state.acquiring))]
    step = min(steps, key=lambda step: step.percent, default=None)
    if step and step.step is Step.READING_BACK:
        return f"{step.step.value} the configuration, {step.done} lines"  # nobody knows how many there are
    if step:
        return _bar(step)
    doing = {Phase.INTEGRATING: "exposing", Phase.PAUSED: "paused"}.get(state.phase)
    return f"{doing}, {state.remaining:.1f} s left" if doing else ""


def of_fetch(state: ControllerState) -> str:
    """Return one line: the bar of a controller's fetch, nothing without one."""
    return f"{state.name}: {_bar(state.fetch)}" if state.fetch else ""


def _bar(step: Progress) -> str:
    return f"{step.step.value:<12} [{'#' * int(step.percent / 4):<25}] {step.percent:3.0f} %"


def _step(controller: ControllerState, *, acquiring: bool) -> Progress | None:
    return controller.upload or controller.fetch or (readout_progress(controller) if acquiring else None)


async def _show(live: Live[T], words: Callable[[T], str]) -> None:
    shown = ""
    try:
        async for state in live.watch():
            if (line := words(state)) != shown:
                _print(line)
                shown = line
    finally:
        if shown:
            _print("")


def _print(line: str) -> None:
    click.echo(f"\r{line:<{_WIDTH}}\r", nl=False, err=True)


@asynccontextmanager
async def _shown(works: Sequence[Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(work, name="progress") for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

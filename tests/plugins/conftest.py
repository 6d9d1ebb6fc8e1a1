"""Plugins that run while a test runs."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.exposure.settings import FileWriteMode
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.plugin import Plugin
from tests.plugins.files import Many, One, settings

Started = Callable[..., contextlib.AbstractAsyncContextManager[Chain]]


@pytest.fixture
def running() -> Started:
    """Return a context manager that runs plugins behind the port CAM."""

    @contextlib.asynccontextmanager
    async def run(*plugins: Plugin[Any]) -> AsyncGenerator[Chain]:
        chain = Chain("CAM", plugins)
        task = asyncio.create_task(chain.run())
        try:
            yield chain
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.mkdir()
    return path


@pytest.fixture
async def many(folder: Path, running: Any) -> AsyncGenerator[Many]:
    plugin = Many("FILE", settings(folder, write_mode=FileWriteMode.STREAM, num_capture=0))
    async with running(plugin):
        await plugin.live.until(lambda state: state.path_exists, 5)
        yield plugin


@pytest.fixture
async def one(folder: Path, running: Any) -> AsyncGenerator[One]:
    plugin = One("FILE", settings(folder))
    async with running(plugin):
        await plugin.live.until(lambda state: state.path_exists, 5)
        yield plugin

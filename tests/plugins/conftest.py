"""Plugins that run while a test runs."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.plugin import Plugin

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

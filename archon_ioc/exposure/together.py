"""Several controllers do the same at the same time, and one that fails does not keep the others from it."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from archon_ioc.errors import ArchonError, ControllersError, LinkError, ReadoutError

T = TypeVar("T")


async def together(works: Mapping[str, Coroutine[Any, Any, T]]) -> dict[str, T]:
    """Do all at the same time, each to its end, and return the results by the name of the controller.

    A cancellation cancels all. It is delivered when all have tidied up, unless that fails.

    Raises:
        ArchonError: that of the only work, or a `ControllersError` with those of several.
    """
    tasks = {name: asyncio.create_task(work, name=f"{name} takes part") for name, work in works.items()}
    try:
        await asyncio.wait(tasks.values())
    except asyncio.CancelledError:
        cut_short = {name: task for name, task in tasks.items() if task.cancel()}
        await asyncio.wait(tasks.values())
        _raise_errors(tasks, cut_short)
        raise
    _raise_errors(tasks, tasks)
    return {name: task.result() for name, task in tasks.items()}


async def first(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all at the same time until one is done or fails; the others are cancelled.

    Raises:
        ArchonError: that of the one that failed.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def side_by_side(*works: Coroutine[Any, Any, object]) -> None:
    """Do all at the same time, each to its end; a cancellation cancels all.

    Raises:
        ArchonError: that of the first one that failed.
    """
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def finished(work: Awaitable[None]) -> None:
    """Do work that must not be cut short; a cancellation is delivered when it is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()
        raise


async def unless_lost(work: Awaitable[T]) -> T | ReadoutError:
    """Return the result of work, or the error that says that its controller has lost its part of the image."""
    try:
        return await work
    except ReadoutError as error:
        return error


def is_lost_link(error: ArchonError) -> bool:
    """Return whether an error only says that links are lost."""
    errors = error.errors.values() if isinstance(error, ControllersError) else [error]
    return all(isinstance(one, LinkError) for one in errors)


def _raise_errors(tasks: Mapping[str, asyncio.Task[Any]], of: Mapping[str, asyncio.Task[Any]]) -> None:
    errors = {name: task.exception() for name, task in tasks.items() if not task.cancelled()}
    failures: dict[str, ArchonError] = {}
    for name, error in errors.items():
        if isinstance(error, ArchonError) and len(tasks) > 1:
            failures |= {name: error} if name in of else {}
        elif error and name in of:
            raise error
    if failures:
        raise ControllersError(failures)

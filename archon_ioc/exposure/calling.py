"""Calling: the site's own functions, async or plain, whatever they do."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

log = logging.getLogger(__name__)

Outcome = Awaitable[None] | None


def is_async(function: Callable[..., Outcome]) -> bool:
    """Return whether a function is run by the event loop, and can be cancelled."""
    call = getattr(function, "__call__", None)  # noqa: B004 - of an object
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def called(function: Callable[..., Outcome], *arguments: object) -> None:
    """Call a function and wait for its end: a plain one is called in a thread of its own.

    That thread does not keep the program from ending, as those of `asyncio.to_thread` do: it may hang for ever.

    Raises:
        Exception: whatever the function raises; what would end the program, or look like an abort, as `RuntimeError`.
    """
    task = asyncio.current_task()
    try:
        result = function(*arguments) if is_async(function) else await _in_thread(function, arguments)
        if result is not None:
            await result
    except SystemExit as error:
        raise RuntimeError(repr(error)) from error
    except asyncio.CancelledError as error:
        if task and task.cancelling():
            raise
        raise RuntimeError("it was cancelled, by nobody here") from error


async def _in_thread(function: Callable[..., Outcome], arguments: tuple[object, ...]) -> Outcome:
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[tuple[Outcome, BaseException | None]] = loop.create_future()

    def settle(result: tuple[Outcome, BaseException | None]) -> None:
        if not outcome.done():
            outcome.set_result(result)

    def work() -> None:
        result = _tried(function, arguments)
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=work, name="function of the site", daemon=True).start()
    result, error = await outcome
    if error:
        raise error
    return result


def _tried(function: Callable[..., Outcome], arguments: tuple[object, ...]) -> tuple[Outcome, BaseException | None]:
    try:
        return function(*arguments), None
    except (Exception, SystemExit) as error:
        log.debug("a function of the site raised", exc_info=True)
        return None, error

"""Hooking: calls the hooks at their moments, and lets no mistake of theirs cost an image."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from archon_ioc.errors import StateError
from archon_ioc.exposure.calling import called, is_async
from archon_ioc.exposure.file_set import FileSet
from archon_ioc.exposure.hooks import Hook, HookCall, Hooks
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.live import Live

log = logging.getLogger(__name__)


class Hooking:
    """Calls the hooks of a camera; the owner of ``hook_problem`` of its state."""

    def __init__(self, hooks: Hooks, live: Live[CameraState]) -> None:
        self.hooks = hooks
        self.problem = ""
        """What went wrong last; whoever shows it empties it."""
        self._live = live
        self._tasks: set[asyncio.Task[None]] = set()  # of the hooks
        self._ends: set[asyncio.Task[None]] = set()  # that wait for those that go along with something
        self._posts: set[asyncio.Task[None]] = set()  # that wait for post_process
        self._turn = asyncio.Lock()  # of post_process

    def begin_anew(self) -> None:
        """Forget what went wrong in earlier acquisitions."""
        self.problem = ""
        update(self._live, hook_problem="")

    def call(self, settings: ExposureSettings, files: FileSet) -> HookCall:
        """Return what a hook is told now of an image."""
        state, naming = self._live.value, files.naming
        names = [name for unit in state.controllers for name in files.names.get(unit.name, ())]
        return HookCall(
            settings=settings,
            number=naming.number if naming else state.settings.files.number,
            controllers=tuple(unit.name for unit in state.controllers),
            folder=Path(naming.path if naming else state.settings.files.path),
            files=tuple(Path(name) for name in names),
        )

    async def pre_expose(self, call: HookCall) -> None:
        """Call the hook and wait for its end.

        Raises:
            StateError: if it refuses the image, or does not end in time.
        """
        if self.hooks.pre_expose is None:
            return
        running = _Running.start("pre_expose", self.hooks.pre_expose, call)
        try:
            done, _ = await asyncio.wait([running.task], timeout=self.hooks.timeout)
        finally:
            running.end()
        if not done:
            raise StateError(self._late("pre_expose"))
        if error := running.task.exception():
            raise StateError(_problem("pre_expose", error)) from error

    @asynccontextmanager
    async def during_exposure(self, call: HookCall) -> AsyncGenerator[None]:
        """Let the hook go along with the block, which never waits for it."""
        async with self._along("during_exposure", self.hooks.during_exposure, call):
            yield

    @asynccontextmanager
    async def during_readout(self, call: HookCall) -> AsyncGenerator[None]:
        """Let the hook go along with the block, which never waits for it."""
        async with self._along("during_readout", self.hooks.during_readout, call):
            yield

    def post_process(self, call: HookCall) -> None:
        """Call the hook for files that are on the disk, when those before are done with."""
        if hook := self.hooks.post_process:
            self._keep(self._posts, asyncio.create_task(self._post(hook, call), name="post_process in its turn"))

    async def settled(self) -> None:
        """Wait for what the hooks still do, if Acquire is to wait for them; none takes longer than the time-out."""
        if waiting := self._ends | self._posts if self.hooks.wait else self._ends:
            await asyncio.wait(waiting)

    async def posted(self) -> None:
        """Wait until all files were processed, in any case: the program ends then."""
        if self._posts:
            await asyncio.wait(self._posts)

    def stop(self) -> None:
        """The program stops: cancel everything, and wait for nobody."""
        for task in self._tasks | self._ends | self._posts:
            task.cancel()

    @asynccontextmanager
    async def _along(self, name: str, hook: Hook | None, call: HookCall) -> AsyncGenerator[None]:
        if hook is None:
            yield
            return
        running = self._start(name, hook, call)
        try:
            await asyncio.sleep(0)  # it is called also where there is nothing to go along with for long
            yield
        finally:
            running.end()
            self._keep(self._ends, asyncio.create_task(self._ended(running), name=f"end of {name}"))

    async def _post(self, hook: Hook, call: HookCall) -> None:
        async with self._turn:
            running = self._start("post_process", hook, call)
            try:
                await self._ended(running)
            finally:
                running.end()

    def _start(self, name: str, hook: Hook, call: HookCall) -> "_Running":
        running = _Running.start(name, hook, call)
        self._keep(self._tasks, running.task)
        running.task.add_done_callback(partial(self._look, name))
        return running

    def _keep(self, tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _ended(self, running: "_Running") -> None:
        """Wait for the end of a hook, and tell if it does not come."""
        done, _ = await asyncio.wait([running.task], timeout=self.hooks.timeout)
        if not done:
            self._tell(self._late(running.name))

    def _look(self, name: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._tell(_problem(name, error), error)

    def _tell(self, problem: str, error: BaseException | None = None) -> None:
        log.error("%s", problem, exc_info=error)
        self.problem = problem
        update(self._live, hook_problem=problem[:255], message=problem[:255])

    def _late(self, name: str) -> str:
        return f"{name} did not end within {self.hooks.timeout:g} s"


@dataclass(frozen=True)
class _Running:
    """A hook that was called."""

    name: str
    task: asyncio.Task[None]
    is_async: bool
    over: threading.Event

    @classmethod
    def start(cls, name: str, hook: Hook, call: HookCall) -> "_Running":
        over = threading.Event()
        task = asyncio.create_task(called(hook, replace(call, over=over)), name=name)
        return cls(name, task, is_async(hook), over)

    def end(self) -> None:
        """Tell it to end."""
        self.over.set()
        if self.is_async:
            self.task.cancel()


def _problem(name: str, error: BaseException) -> str:
    return f"{name}: {str(error) or repr(error)}"

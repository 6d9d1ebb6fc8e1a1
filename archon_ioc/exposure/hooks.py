"""Hooks: the site's own Python code, called at well-defined moments of an exposure.

| Hook | When | What its error does |
|---|---|---|
| `PreExpose` | before each image, when nothing is started yet | the image is not taken |
| `DuringExposure` | beside each integration, from its start on | is told; the image is taken and saved |
| `DuringReadout` | beside each readout, from its start until the pixels are in memory | is told; the image is saved |
| `PostProcess` | after each image, when its files have their names | is told; the files are there |
"""

import threading
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from archon_ioc.exposure.settings import ExposureSettings


@dataclass(frozen=True, slots=True)
class HookCall:
    """What a hook is told of the image that is being taken; nothing of it changes later but `over`."""

    settings: ExposureSettings
    """How it is taken; ``settings.seconds`` of light, for instance."""
    number: int
    """The number of its files; before the integration the one that is next."""
    controllers: tuple[str, ...]
    """Names of the controllers; the first one leads."""
    folder: Path
    """Where its files go."""
    files: tuple[Path, ...] = ()
    """Its files, for `PostProcess` only: those of the first controller come first."""
    over: threading.Event = field(default_factory=threading.Event, compare=False)
    """Is set when the hook should end: what it goes along with is over, was aborted, or took too long."""


class PreExpose(Protocol):
    """Prepares the next image, or refuses it by raising an exception, whose text the user is shown.

    The camera is PREPARING, and waits. No command was sent and no number was taken yet.
    """

    def __call__(self, exposure: HookCall, /) -> Awaitable[None] | None: ...


class DuringExposure(Protocol):
    """Goes along with the integration, also while it is paused. At its end an async hook is cancelled.

    With several exposures per image it is called for each. The integration never waits for it.
    """

    def __call__(self, exposure: HookCall, /) -> Awaitable[None] | None: ...


class DuringReadout(Protocol):
    """Goes along with the readout and the fetch. When the pixels are in memory an async hook is cancelled."""

    def __call__(self, exposure: HookCall, /) -> Awaitable[None] | None: ...


class PostProcess(Protocol):
    """Is given the files of an image, complete and under their names; one image at a time, in their order.

    It is also called for what there is of an image of which a controller failed, and when files are written later or
    recovered.
    An abort does not cancel it: its files are kept.
    """

    def __call__(self, exposure: HookCall, /) -> Awaitable[None] | None: ...


class UserShutter(Protocol):
    """A shutter that the site's own code moves, for ``shutter.hook``; its methods may be async or plain.

    Each returns when the shutter has moved, and raises an exception when it cannot. It is told to close more often
    than to open: after every error and abort, and when the program starts after a crash.
    """

    def open(self) -> Awaitable[None] | None: ...

    def close(self) -> Awaitable[None] | None: ...


Hook = PreExpose | DuringExposure | DuringReadout | PostProcess


@dataclass
class Hooks:
    """The hooks of one camera; each may be replaced at any time, and holds from the next image on.

    An async function is run by the event loop, which it must not block. A plain one is run in a thread of its own and
    cannot be cancelled: it looks at ``over``.
    """

    pre_expose: PreExpose | None = None
    during_exposure: DuringExposure | None = None
    during_readout: DuringReadout | None = None
    post_process: PostProcess | None = None
    timeout: float = 30.0
    """Seconds that a hook may take; those that go along with something, after its end."""
    wait: bool = True
    """Whether Acquire ends when `PostProcess` has done its work."""

"""Rows of the memory of images: areaDetector's pool of NDArrays."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from archon_ioc.plugins.feed import Feed, FeedState
from archon_ioc.plugins.ndarray import Pool
from archon_ioc.pvs.array_rows import IMAGE_GROUP, never
from archon_ioc.pvs.row import Choice, Float, Int, Kind, Pv

S = TypeVar("S")
T = TypeVar("T")


def pool_rows(
    pool: Callable[[S], Pool],
    empty: Callable[[T], None],
    preallocate: Callable[[T, int], None],
    group: str = IMAGE_GROUP,
) -> Iterator[Pv[S, T]]:
    """Yield the rows of a port, of which ``empty`` gives kept images back and ``preallocate`` keeps a wish."""

    def put_empty(target: T, value: int) -> None:
        if value:
            empty(target)

    def show(name: str, kind: Kind, doc: str, read: Callable[[Pool], Any]) -> Pv[S, T]:
        return Pv(name=name, kind=kind, doc=doc, group=group, read=lambda state: read(pool(state)), rbv=False)

    yield show("NumQueuedArrays", Int(), "Images that plugins have to process", lambda p: p.queued)
    yield show("PoolMaxMem", Float("MB", 1), "Limit of the memory of a queue", lambda p: p.limit_bytes / (1 << 20))
    yield show("PoolUsedMem", Float("MB", 1), "Memory of images", lambda p: p.used_bytes / (1 << 20))
    yield show("PoolMaxBuffers", Int(), "Limit of the images, 0 is none", lambda _: 0)
    yield show("PoolAllocBuffers", Int(), "Images in memory", lambda p: p.images)
    yield show("PoolUsedBuffers", Int(), "Images in memory and in use", lambda p: p.images - p.free)
    yield show("PoolFreeBuffers", Int(), "Images that are only kept", lambda p: p.free)
    yield Pv(name="PoolPollStats", kind=Choice(("Done", "Poll")), doc="Unused: the numbers are always new", group=group,
             read=lambda _: 0, put=lambda _o, _value: None, rbv=False, part=never)  # fmt: skip
    yield Pv(name="EmptyFreeList", kind=Choice(("Done", "Empty")), doc="Give back the memory of kept images",
             group=group, read=lambda _: 0, put=put_empty, rbv=False, part=never)  # fmt: skip
    yield Pv(name="PreAllocBuffers", kind=Choice(("Done", "Allocate")), doc="Unused: memory is taken as needed",
             group=group, read=lambda _: 0, put=lambda _o, _value: None, rbv=False, part=never)  # fmt: skip
    yield Pv(name="NumPreAllocBuffers", kind=Int(low=0), doc="Unused: memory is taken as needed", group=group,
             read=lambda state: pool(state).preallocated, put=preallocate)  # fmt: skip


POOL_ROWS: tuple[Pv[FeedState, Feed], ...] = tuple(pool_rows(lambda state: state.pool, Feed.empty, Feed.preallocate))
"""The camera's, which are those of the whole chain."""

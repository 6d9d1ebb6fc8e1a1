"""The memory of images."""

from typing import Any

from archon_ioc.plugins.feed import FeedState
from archon_ioc.plugins.ndarray import Pool
from archon_ioc.pvs.pool_rows import POOL_ROWS, pool_rows


def test_numbers() -> None:
    state = FeedState(Pool(limit_bytes=3 << 20, used_bytes=1 << 19, images=3, free=1, queued=2, preallocated=5))
    found = {row.name: row.read(state) for row in POOL_ROWS}
    assert found == {
        "NumQueuedArrays": 2, "PoolMaxMem": 3.0, "PoolUsedMem": 0.5, "PoolMaxBuffers": 0, "PoolAllocBuffers": 3,
        "PoolUsedBuffers": 2, "PoolFreeBuffers": 1, "PoolPollStats": 0, "EmptyFreeList": 0, "PreAllocBuffers": 0,
        "NumPreAllocBuffers": 5,
    }  # fmt: skip


def test_puts() -> None:
    done: list[Any] = []
    rows = pool_rows(lambda state: state, done.append, lambda *args: done.append(args))
    puts = {row.name: row.put for row in rows if row.put}
    puts["EmptyFreeList"]("it", 0)
    assert done == []
    puts["EmptyFreeList"]("it", 1)
    puts["NumPreAllocBuffers"]("it", 7)
    puts["PreAllocBuffers"]("it", 1)
    assert done == ["it", ("it", 7)]

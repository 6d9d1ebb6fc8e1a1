"""Threads that work on images give way to others."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from archon_ioc.plugins.priority import NICE, give_way


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)  # of this thread


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has priorities of threads")
def test_only_the_thread_that_gives_way_does() -> None:
    before = nice()
    with ThreadPoolExecutor(1, initializer=give_way) as thread, ThreadPoolExecutor(1) as other:
        assert thread.submit(nice).result() == min(before + NICE, 19)
        assert other.submit(nice).result() == before
    assert nice() == before

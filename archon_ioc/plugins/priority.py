"""Priority of threads that work on images: lower than that of those who wait for answers."""

import os
import sys
import threading

NICE = 10
"""By how much such a thread is nicer to others than the program as a whole."""


def give_way() -> None:
    """Let the thread that calls this have the processor only when others, the event loop above all, do not want it.

    Linux has priorities of threads; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, 0) + NICE, 19))

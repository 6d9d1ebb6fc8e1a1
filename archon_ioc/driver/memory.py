"""Memory for frames, used again: the kernel clears fresh memory, a fifth of the processor time of a fetch."""

import weakref

import numpy as np
from numpy.typing import NDArray


class FrameMemory:
    """Lends memory for a frame, and keeps it for the next one when nothing refers to the frame any more."""

    def __init__(self) -> None:
        self._spare: NDArray[np.uint8] | None = None

    def lend(self, size: int) -> memoryview:
        """Return ``size`` bytes with any content, which come back when the last view of them is gone."""
        memory, self._spare = self._spare, None
        if memory is None or memory.nbytes != size:
            # numpy asks for huge pages; touching a bytearray of 33.6 MB costs 18 ms.
            memory = np.empty(size, np.uint8)
        lent = memory.view()
        # Whatever is made of the memoryview keeps it, and it keeps ``lent``.
        weakref.finalize(lent, self._take_back, memory).atexit = False
        return lent.data

    def _take_back(self, memory: NDArray[np.uint8]) -> None:
        self._spare = memory

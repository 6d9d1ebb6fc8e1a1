"""Ten images of 4096 x 4096 a second through Stats1, ROI1, image2, Pva1 and HDF1: is one lost, and who waits?"""

import tempfile

from environment import ca_environment
from figures import Figure, Settings
from turns import Child

_SECONDS = 60
_IMAGE = 4096 * 4096 * 2


def measure(settings: Settings) -> list[Figure]:
    """Return how many images came through, how evenly, and what it cost."""
    seconds = 1 if settings.small else _SECONDS
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        Child("chain_ours.py", folder, environment=ca_environment()) as child,
    ):
        child.turn("1")
        found = child.turn(str(seconds))
    return [
        Figure("images sent", found["sent"]),
        Figure("images in the HDF5 file, of those sent", found["written"] / found["sent"], at_least=1.0),
        Figure("images per second", found["rate"], "1/s", at_least=9.9),
        Figure("images dropped by plugins that are no viewers", found["dropped"], at_most=0),
        Figure("arrays in all queues together, most", found["queued"], at_most=20),
        Figure("event loop late, 99 %", 1000 * found["lag"], "ms", at_most=10),
        Figure("event loop late, worst", 1000 * found["worst"], "ms"),
        Figure("memory, most", found["memory"] / _IMAGE, "images"),
        Figure("processor", found["cores"], "cores", at_most=2.0),
    ]

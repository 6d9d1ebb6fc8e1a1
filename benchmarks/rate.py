"""Thirty frames a second from a script that the simulator executes: are any missed, and what does it cost?"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import acfs
import psutil
from figures import Figure, Settings
from turns import Child

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import compile_script
from archon_ioc.protocol.replies import TICK

_LINES, _PIXELS, _TAPS = 300, 10, 4
_FRAMES_PER_SECOND = 30
_SECONDS = 60


def measure(settings: Settings) -> list[Figure]:
    """Return the frames that came and were missed, and the processor time of simulator and client."""
    seconds = 1 if settings.small else _SECONDS
    acf = _configuration()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = acfs.save(acf, Path(folder) / "rate.acf")
        server = stack.enter_context(Child("sim_server.py", path, 0, 1))
        client = stack.enter_context(Child("rate_ours.py", server.first["port"]))
        before, started = _cpu(server.pid), time.perf_counter()
        found = client.turn(str(seconds))
        cores = (_cpu(server.pid) - before) / (time.perf_counter() - started)
    return [
        Figure("frames per second, as the script says", 1 / _period(acf), "1/s", at_least=_FRAMES_PER_SECOND),
        Figure("frames per second, fetched", found["frames"] / found["seconds"], "1/s", at_least=_FRAMES_PER_SECOND),
        Figure("frames missed", found["missed"], at_most=0),
        Figure("period of the frames, largest deviation", found["deviation"] / TICK, "ticks", at_most=0),
        Figure("simulator", cores, "cores", at_most=1.0),
        Figure("client, which fetches every frame", found["cpu"] / found["seconds"], "cores"),
    ]


def _configuration() -> Acf:
    acf = acfs.with_geometry(_PIXELS, _LINES, _TAPS, split=False)
    for name, value in {"AT": 100, "NoIntMS": 0, "AutoFlush": 0, "IntMS": 0}.items():
        acf = acf.with_parameter(name, value)
    return acf


def _period(acf: Acf) -> float:
    """Return the seconds from one frame to the next."""
    core = TimingCore(compile_script(acf), {"ContinuousExposures": 1})
    core.release()
    core.settle(1 << 40, before_frame=True)
    core.advance(core.tick + 1)
    return core.settle(1 << 40, before_frame=True).ticks * TICK


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system

"""What the tests of pauses share: exposures that are paused, and what the simulated CCD has seen of light."""

import asyncio

import numpy as np
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.exposure.phase import Phase
from archon_ioc.sim.scene import Pixels, empty_image
from archon_ioc.sim.shot import Shot

BY_HOLD = {"pause_by_hold": True}
LIGHT_SECONDS = 1.0
PAUSE_SECONDS = 0.4
WAYS = ["by hold", "by parameter"]


class LightMeter:
    """A scene whose pixels are the milliseconds of light."""

    def render(self, shot: Shot) -> Pixels:
        image = empty_image(shot)
        image[...] = round(shot.light_seconds * 1000)
        return image


def pausable(acf: Acf) -> Acf:
    """Return a configuration whose script looks at PauseExposure once in a millisecond of the integration."""
    lines = [acf.keys[f"LINE{n}"] for n in range(acf.number("LINES", 0))]
    at = lines.index("X; X(99997)")
    lines[at : at + 1] = ["X; IF PauseExposure CALL Paused", "X; X(99996)"]
    lines += ["Paused:", "NOINT; IF PauseExposure GOTO Paused", "INT; RETURN Paused"]
    keys = dict(acf.keys) | {f"LINE{n}": line for n, line in enumerate(lines)}
    count = acf.number("PARAMETERS", 0)
    keys |= {f"PARAMETER{count}": "PauseExposure=0", "PARAMETERS": str(count + 1), "LINES": str(len(lines))}
    return Acf(keys, acf.system)


async def collected(bench, seconds: float) -> None:
    """Wait until so much light was collected."""
    await bench.until_phase(Phase.INTEGRATING)
    planned = bench.camera.state.settings.seconds
    await bench.until(lambda state: 0 < state.remaining < planned - seconds)


async def paused(bench, seconds: float = 0.0) -> asyncio.Task[None]:
    """Begin an exposure, pause it after 0.2 s and let it be paused for some time."""
    client = bench.start()
    await collected(bench, 0.2)
    await bench.camera.light.pause()
    assert bench.camera.state.phase is Phase.PAUSED
    await bench.until(lambda state: state.paused_seconds >= seconds)
    return client


def image(bench) -> tuple[int, fits.Header]:
    """Return the milliseconds of light in the pixels, and the header."""
    with fits.open(bench.camera.state.file.full_name) as hdus:
        assert np.ptp(hdus[0].data) == 0
        return int(hdus[0].data[0, 0]), hdus[0].header

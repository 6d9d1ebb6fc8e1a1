"""Raw capture: what the analogue-to-digital converter sees of a pixel, sample by sample."""

import numpy as np
from numpy.typing import NDArray

from archon_ioc.acf.taps import TapArea
from archon_ioc.protocol.enums import SampleMode
from archon_ioc.sim.frames import Buffer, Bytes
from archon_ioc.sim.scene import ACCUMULATOR_BITS, Pixels, Scene, in_order
from archon_ioc.sim.shot import RawWindow, Shot

_FULL = 65535
_RESET_LEVELS = {True: 9_000, False: 56_000}  # ADU; the video rises from it or falls, as the sign of the gain says
_NOISE = 12.0  # ADU in one sample
_SPIKE = 4_000.0  # ADU: what comes through of the reset clock
_SETTLING = 10  # parts of the time between both sampling windows: time constant of the video
_SPIKE_TICKS = 4.0  # time constant of the reset spike
_SEED = 19_991

Samples = NDArray[np.float32]


def render(scene: Scene, buffer: Buffer) -> None:
    """Make the pixels of a buffer's frame and its raw capture, what of it was not made yet. Blocks; for a thread."""
    shot = buffer.shot
    if shot is None:
        return
    image = buffer.image
    if image is None:
        image = buffer.image = scene.render(shot).reshape(-1).view(np.uint8)
    if buffer.raw is None and buffer.pulses and shot.geometry.raw:
        buffer.raw = waveforms(shot, shot.geometry.raw, image, buffer.pulses)


def waveforms(shot: Shot, window: RawWindow, image: Bytes, pulses: tuple[int, ...]) -> Bytes:
    """Return the raw capture of a frame: for each line 16-bit samples of 10 ns.

    Sampled as the configuration says, the waveform gives the pixels of ``image`` again but for its noise.
    ``pulses`` are the PIXEL edges in ticks after the first sample.
    """
    rng = np.random.default_rng((_SEED, shot.frame))
    noise = rng.standard_normal(2 * window.samples, dtype=np.float32) * np.float32(_NOISE)
    pixel, swing, spikes = _shape(window, pulses)
    area = _area(shot, window.channel)
    reset = _RESET_LEVELS[area is not None and area.tap.gain < 0]
    found = np.empty((window.lines, window.samples), "<u2")
    heights = _heights(shot, window, image, area, len(pulses)) if area else np.zeros((window.lines, len(pulses)))
    background = (spikes if area else 0) + reset
    for line, height in zip(found, heights, strict=True):
        at = rng.integers(0, window.samples)
        line[...] = np.clip(background + swing * height[pixel] + noise[at : at + window.samples], 0, _FULL)
    return found.reshape(-1).view(np.uint8)


def _shape(window: RawWindow, pulses: tuple[int, ...]) -> tuple[NDArray[np.intp], Samples, Samples]:
    """Return for each sample its pixel, how much of the pixel's video level is there, and the reset spikes."""
    ticks = np.arange(window.samples)
    edges = np.asarray(pulses)
    pixel = np.searchsorted(edges, ticks, side="right") - 1
    phase = ticks - edges[pixel]
    period = int(np.diff(edges).min()) if len(edges) > 1 else window.samples
    reset_end, video_start, video_end = window.reset[1], window.video[0], window.video[1]
    if not reset_end < video_start < video_end <= period:  # no correlated double sampling that fits into a pixel
        reset_end, video_start, video_end = period // 3, period // 2, period - 1
    settling = (video_start - reset_end) / _SETTLING
    dump = (reset_end + video_start) // 2 - int(2 * settling)  # the charge arrives between both windows
    clear = (video_end + period) // 2  # and is cleared between the second one and the next pixel
    swing = 1 - np.exp(-np.maximum(phase - dump, 0) / settling)
    swing[phase >= clear] = 0
    spikes = np.where(phase >= clear, _SPIKE * np.exp(-(phase - clear) / _SPIKE_TICKS), 0)
    return pixel, swing.astype(np.float32), spikes.astype(np.float32)


def _heights(shot: Shot, window: RawWindow, image: Bytes, area: TapArea, pixels: int) -> Samples:
    """Return how far the video of each pixel of each captured line is from the reset level."""
    geometry = shot.geometry
    long = geometry.sample_mode is SampleMode.BITS32
    whole: Pixels = image.view("<u4" if long else "<u2").reshape(geometry.height, geometry.width)
    part = in_order(whole, area)[window.first_line : window.first_line + window.lines, window.first_pixel :][:, :pixels]
    values = (part >> ACCUMULATOR_BITS if long else part).astype(np.float32)
    missing = pixels - values.shape[1]  # the script clocks on behind the last pixel of the line
    values = np.pad(values, ((0, 0), (0, missing)), constant_values=area.tap.offset)
    # manual, TAPLINE: pixel = (reset - video) x gain + offset
    return (area.tap.offset - values) / np.float32(area.tap.gain or 1)


def _area(shot: Shot, channel: int) -> TapArea | None:
    """Return the tap on a video input, None if there is none: RAWSEL counts the inputs from 0 (manual)."""
    return next((area for area in shot.geometry.areas if area.tap.channel == channel + 1), None)

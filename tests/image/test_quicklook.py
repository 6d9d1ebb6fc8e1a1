"""The quick look: what it says of frames of which the truth is known."""

import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archon_ioc.acf.taps import TapArea, parse_tap, place
from archon_ioc.errors import ReadoutError
from archon_ioc.image import quicklook
from archon_ioc.image.quicklook import EDGE, OVERSCAN, OVERSCAN_LINES, Amplifier, Edges
from archon_ioc.protocol.enums import FrameMode

LINES, PIXELS, SCAN = 400, 300, 40
TAPS = tuple(parse_tap(text) for text in ("AD1L", "AD2R", "AD3L", "AD4R"))
LEVELS, NOISES, LIGHT = (1000.0, 1500.0, 900.0, 1100.0), (3.0, 5.0, 8.0, 1.2), 400.0


def areas_in(mode: FrameMode, pixels: int = PIXELS, lines: int = LINES) -> tuple[TapArea, ...]:
    return place(TAPS, mode, pixels, lines)


def frame_of(parts: Sequence[np.ndarray], areas: Sequence[TapArea], kind: Any = np.uint16) -> np.ndarray:
    """A read-only frame of each tap's pixels in the order in which it reads them."""
    shape = max(area.y + area.height for area in areas), max(area.x + area.width for area in areas)
    frame = np.empty(shape, kind)
    for part, area in zip(parts, areas, strict=True):
        placed = part[:: -1 if area.from_bottom else 1, :: -1 if area.from_right else 1]
        frame[area.y : area.y + area.height, area.x : area.x + area.width] = placed
    frame.flags.writeable = False
    return frame


def ccd_parts(edges: Edges, light: float = LIGHT) -> list[np.ndarray]:
    """Bias and noise everywhere, light where the edges leave it."""
    rng = np.random.default_rng(5)
    parts: list[np.ndarray] = []
    for level, noise in zip(LEVELS, NOISES, strict=True):
        part = rng.normal(level, noise, (LINES, PIXELS))
        part[: LINES - edges.overscan_lines, edges.prescan : PIXELS - edges.overscan] += light
        parts.append(np.rint(part))
    return parts


def looked(
    frame: np.ndarray,
    areas: Sequence[TapArea],
    edges: Edges,
    saturation: int = 65535,
    gains: Mapping[str, float] | None = None,
) -> tuple[Amplifier, ...]:
    names = [area.tap.name for area in areas]
    return quicklook.look(frame, areas, dict.fromkeys(names, edges), dict.fromkeys(names, saturation), gains or {})


@pytest.mark.parametrize("mode", [FrameMode.TOP, FrameMode.BOTTOM, FrameMode.SPLIT])
@pytest.mark.parametrize(
    ("edges", "reference"),
    [
        (Edges(overscan=SCAN), OVERSCAN),
        (Edges(prescan=7, overscan=SCAN, overscan_lines=11), OVERSCAN),
        (Edges(overscan_lines=12), OVERSCAN_LINES),
    ],
)
def test_bias_noise_and_light_of_each_amplifier(mode: FrameMode, edges: Edges, reference: str) -> None:
    areas = areas_in(mode)
    shown = looked(frame_of(ccd_parts(edges), areas), areas, edges)
    assert [one.tap for one in shown] == ["AD1L", "AD2R", "AD3L", "AD4R"]
    assert {one.reference for one in shown} == {reference}
    assert [one.bias for one in shown] == pytest.approx(LEVELS, abs=0.3)
    digitised = [(noise**2 + 1 / 12) ** 0.5 for noise in NOISES]
    assert [one.noise for one in shown] == pytest.approx(digitised, rel=0.03)
    assert [one.median for one in shown] == pytest.approx([level + LIGHT for level in LEVELS], abs=1)


def test_without_overscan_the_first_lines_are_taken_and_that_is_said() -> None:
    areas = areas_in(FrameMode.SPLIT)
    parts = ccd_parts(Edges(), light=0)
    for part in parts:
        part[16:] += 5000
    shown = looked(frame_of(parts, areas), areas, Edges())
    assert {one.reference for one in shown} == {EDGE}
    assert [one.bias for one in shown] == pytest.approx(LEVELS, abs=0.3)
    assert shown[2].noise == pytest.approx(NOISES[2], rel=0.05)


def test_charge_left_behind_drift_and_cosmics_spoil_neither_level_nor_noise() -> None:
    areas, edges = areas_in(FrameMode.SPLIT), Edges(overscan=SCAN)
    parts = ccd_parts(edges)
    for part in parts:
        part[:, PIXELS - SCAN : PIXELS - SCAN + 4] += (300, 40, 20, 10)
        part[...] += np.linspace(-30, 30, LINES)[:, None]
        part[::40, -7] += 20_000
    shown = looked(frame_of(parts, areas), areas, edges)
    assert [one.bias for one in shown] == pytest.approx(LEVELS, abs=1)
    assert [one.noise for one in shown[:3]] == pytest.approx(NOISES[:3], rel=0.04)


def test_pickup_is_noise() -> None:
    areas, edges = areas_in(FrameMode.TOP), Edges(overscan=SCAN)
    parts = ccd_parts(edges)
    for part in parts:
        part[...] += np.rint(10 * np.sin(np.arange(PIXELS) / 3))
    shown = looked(frame_of(parts, areas), areas, edges)
    assert shown[0].noise == pytest.approx((NOISES[0] ** 2 + 10**2 / 2) ** 0.5, rel=0.1)


def test_noise_in_electrons_where_the_gain_is_known() -> None:
    areas = areas_in(FrameMode.TOP)
    shown = looked(frame_of(ccd_parts(Edges(overscan=SCAN)), areas), areas, Edges(overscan=SCAN), gains={"AD1L": 1.5})
    assert shown[0].noise_electrons == pytest.approx(1.5 * shown[0].noise)
    assert shown[1].noise_electrons is None


@pytest.mark.parametrize(("kind", "saturation"), [(np.uint16, 65535), (np.uint16, 40_000), (np.uint32, 0xFFFF0000)])
def test_every_saturated_pixel_is_counted(kind: Any, saturation: int) -> None:
    areas = areas_in(FrameMode.SPLIT)
    parts = [np.full((LINES, PIXELS), saturation - 1, np.int64) for _ in TAPS]
    for count, part in enumerate(parts):
        part.reshape(-1)[: 1001 * count] = saturation
    shown = looked(frame_of(parts, areas, kind), areas, Edges(overscan=SCAN), saturation)
    assert [one.saturated for one in shown] == [0, 1001, 2002, 3003]
    assert shown[3].saturated_fraction == 3003 / (LINES * PIXELS)


def test_a_level_that_no_pixel_can_reach_saturates_none() -> None:
    areas = areas_in(FrameMode.TOP)
    frame = frame_of([np.full((LINES, PIXELS), 65535)] * 4, areas)
    assert looked(frame, areas, Edges(), saturation=65536)[0].saturated == 0


def test_the_sample_is_not_fooled_by_fibres_at_any_distance() -> None:
    """A sample at a fixed distance could see nothing but spectra, which here cover a third of the CCD at most."""
    areas = place(TAPS[:1], FrameMode.TOP, 3000, 3000)
    for period in range(3, 13):
        bright = np.where(np.arange(3000) % period < period // 3, 9000, 1000).astype(np.uint16)
        for axis in (0, 1):
            part = np.broadcast_to(np.expand_dims(bright, axis), (3000, 3000))
            assert looked(part, areas, Edges())[0].median == 1000


def test_of_a_large_frame_nothing_large_is_copied() -> None:
    areas = areas_in(FrameMode.SPLIT, pixels=2000, lines=2000)
    frame = np.full((4000, 4000), 1000, np.uint16)
    tracemalloc.start()
    looked(frame, areas, Edges(overscan=SCAN))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < frame.nbytes / 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (3, 2)])
def test_the_smallest_frames(shape: tuple[int, int]) -> None:
    areas = place(TAPS[:1], FrameMode.TOP, shape[1], shape[0])
    shown = looked(np.full(shape, 7, np.uint16), areas, Edges())[0]
    assert (shown.bias, shown.noise, shown.median, shown.pixels) == (7.0, 0.0, 7.0, shape[0] * shape[1])


def test_edges_that_leave_nothing_are_refused() -> None:
    areas = areas_in(FrameMode.TOP)
    frame = frame_of([np.zeros((LINES, PIXELS))] * 4, areas)
    with pytest.raises(ReadoutError, match=r"AD1L.*leaves nothing of 300 x 400"):
        looked(frame, areas, Edges(overscan=PIXELS))


def test_an_amplifier_says_whose_it_is() -> None:
    areas = areas_in(FrameMode.TOP)
    one = looked(frame_of([np.zeros((LINES, PIXELS))] * 4, areas), areas, Edges())[0]
    assert replace(one, controller="b1").controller == "b1"

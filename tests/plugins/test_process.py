"""The plugin that does arithmetic on images."""

import asyncio
from typing import Any

import numpy as np
import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.ndarray import Dimension, Geometry, NDArray
from archon_ioc.plugins.process import ProcessPlugin, ProcessSettings

NUMBERS = iter(range(1, 1000))


def array(*pixels: int) -> NDArray:
    return NDArray(np.array([pixels], np.uint16), next(NUMBERS), 1.0, 2.0, (Dimension(len(pixels)), Dimension(1)))


class Sent(ProcessPlugin):
    """Keeps what it gives out."""

    def __init__(self) -> None:
        super().__init__("PROC1")
        self.sent: list[list[float]] = []

    async def process(self, array: NDArray) -> NDArray | None:
        result = await super().process(array)
        if result is not None:
            self.sent.append(result.pixels[0].tolist())
        return result


async def send(chain: Chain, *arrays: NDArray) -> None:
    for one in arrays:
        await chain.send(one)
    await chain.settled()


async def test_background_and_flat_field_are_images_that_went_out(running: Any) -> None:
    plugin = Sent()
    with pytest.raises(InputError, match="PROC1 has given out no image yet"):
        plugin.save_background()
    async with running(plugin) as chain:
        await send(chain, array(1, 2))
        plugin.save_background()
        await send(chain, array(5, 5))
        plugin.save_flat_field()
        assert plugin.state.has_background
        assert plugin.state.has_flat_field
        plugin.configure(enable_background=True)
        await send(chain, array(11, 12))
        plugin.configure(enable_flat_field=True, flat_field_scale=100.0)
        await send(chain, array(11, 12))
    assert plugin.sent == [[1, 2], [5, 5], [10, 10], [200, 200]]


async def test_a_background_of_another_size_is_not_used(running: Any) -> None:
    plugin = Sent()
    async with running(plugin) as chain:
        await send(chain, array(1, 2))
        plugin.save_background()
        plugin.configure(enable_background=True)
        await send(chain, array(7, 7, 7))
        assert not plugin.state.has_background
        chain.prime(Geometry(2, 1))
        assert plugin.state.has_background, "known before the image comes"
        await send(chain, array(7, 7))
    assert plugin.sent == [[1, 2], [7, 7, 7], [6, 5]]


async def test_images_that_the_filter_makes_of_several(running: Any) -> None:
    plugin = Sent()
    plugin.configure(
        enable_filter=True, filter_type="Sum", filter_length=3, auto_reset_filter=True, last_only=True,
        data_type="UInt32",
    )  # fmt: skip
    async with running(plugin) as chain:
        await send(chain, *(array(60_000) for _ in range(7)))
    assert plugin.sent == [[180_000], [180_000]]
    assert (plugin.state.filtered, plugin.state.array.counter) == (1, 2)


async def test_a_reset_is_done_by_the_next_image(running: Any) -> None:
    plugin = Sent()
    plugin.configure(enable_filter=True, filter_type="Sum", filter_length=9)
    async with running(plugin) as chain:
        await send(chain, array(1), array(1))
        plugin.reset_filter()
        assert plugin.state.resetting
        await send(chain, array(1))
    assert plugin.sent == [[1], [2], [1]]
    assert not plugin.state.resetting


async def test_the_scale_is_taken_from_the_next_image_only(running: Any) -> None:
    plugin = Sent()
    plugin.configure(data_type="UInt8")
    async with running(plugin) as chain:
        task = asyncio.create_task(plugin.scale_automatically())
        await plugin.live.until(lambda state: state.auto_scaling, 5)
        await send(chain, array(100, 1120))
        await task
        settings = plugin.state.process
        assert (settings.offset, settings.scale, settings.high_value) == (-100.0, 0.25, 255.0)
        await send(chain, array(100, 500, 2000))
    assert plugin.sent == [[100, 255], [0, 100, 255]]


def test_what_comes_out_is_known_at_once() -> None:
    plugin = ProcessPlugin("PROC1")
    plugin.prime(Geometry(4, 3))
    plugin.configure(data_type="Float32")
    assert plugin.port.geometry == plugin.state.array.geometry == Geometry(4, 3, "Float32")


def test_a_filter_type_sets_coefficients_that_can_be_changed_then() -> None:
    settings = ProcessSettings().changed(filter_type="Average").changed(filter_length=4)
    assert settings.coefficients[2] == 0.25
    own = settings.changed(coefficients=(1.0,) * 10)
    assert own.changed(scale=2.0).coefficients == (1.0,) * 10
    assert own.changed(filter_type="Sum").coefficients == (1, 0, 1, 0, 1, 0, 1, 0, 0, 0)
    assert ProcessSettings().changed(filter_length=7, coefficients=(1.0,) * 10).coefficients == (1.0,) * 10


@pytest.mark.parametrize("settings", [{"filter_length": 0}, {"scale": float("nan")}, {"coefficients": (float("inf"),)}])
def test_nonsense_is_refused(settings: dict[str, Any]) -> None:
    plugin = ProcessPlugin("PROC1")
    with pytest.raises(InputError):
        plugin.configure(**settings)
    assert plugin.state.process == ProcessSettings()

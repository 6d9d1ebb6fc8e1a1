"""The plugin that gives images to the PVAccess server."""

from typing import Any

import pytest

from archon_ioc.errors import InputError, StateError
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.pva import PvaPlugin
from tests.plugins.arrays import array


class Screen:
    """What was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, tuple[int, ...], str]] = []

    async def post(self, array: NDArray, codec: str) -> int:
        self.shown.append((array.unique_id, array.pixels.shape, codec))
        return array.pixels.nbytes // 2


def shown_on(screen: Screen) -> PvaPlugin:
    plugin = PvaPlugin("PVA1")
    plugin.post = screen.post
    return plugin


async def test_zeros_are_shown_before_the_first_image(running: Any) -> None:
    screen = Screen()
    plugin = shown_on(screen)
    async with running(plugin) as chain:
        plugin.set_codec("lz4")
        chain.prime(Geometry(6, 4))
        await plugin.live.until(lambda state: state.sent_bytes > 0, 5)
        await chain.send(array(3))
        await chain.settled()
    assert screen.shown == [(0, (4, 6), "lz4"), (3, (4, 6), "lz4")]
    assert plugin.state.array.unique_id == 3
    assert (plugin.state.sent_codec, plugin.state.compression_factor) == ("lz4", 2.0)


async def test_an_image_may_come_before_its_shape_is_known(running: Any) -> None:
    screen = Screen()
    plugin = shown_on(screen)
    async with running(plugin) as chain:
        await chain.send(array(3))
        await chain.settled()
    assert screen.shown == [(3, (4, 6), "")]


async def test_an_unknown_codec_is_refused() -> None:
    plugin = PvaPlugin("PVA1")
    with pytest.raises(InputError, match="'zip' is not available"):
        plugin.set_codec("zip")
    assert plugin.state.pva.codec == ""


async def test_a_server_that_cannot_show_zeros_ends_nothing(running: Any) -> None:
    async def post(array: NDArray, codec: str) -> int:
        if array.unique_id == 0:
            raise StateError("the PVAccess server died")
        return array.pixels.nbytes

    plugin, told = PvaPlugin("PVA1"), []
    plugin.post, plugin.tell = post, told.append
    async with running(plugin) as chain:
        chain.prime(Geometry(6, 4))
        await chain.send(array(3))
        await chain.settled()
        assert plugin.state.array.unique_id == 3
    assert all("died" in message for message in told)

"""How plugins are wired."""

from typing import Any

import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.plugin import Plugin, PluginState, Port
from tests.plugins.arrays import array


def plugins(*names: str) -> list[Plugin[PluginState]]:
    return [Plugin(name, PluginState()) for name in names]


def test_plugins_begin_behind_the_camera() -> None:
    one, two = plugins("ONE", "TWO")
    chain = Chain("CAM", (one, two))
    assert chain.camera.behind == [one, two]
    assert one.state.settings.array_port == "CAM"


def test_a_plugin_may_be_moved_but_never_feed_itself() -> None:
    one, two, three = plugins("ONE", "TWO", "THREE")
    chain = Chain("CAM", (one, two, three))
    chain.connect(two, "ONE")
    chain.connect(three, "TWO")
    assert chain.camera.behind == [one]
    for port in ("ONE", "TWO", "THREE"):
        with pytest.raises(InputError, match="feed itself"):
            chain.connect(one, port)
    with pytest.raises(InputError, match="no port NOWHERE; there are CAM, ONE"):
        chain.connect(one, "NOWHERE")
    assert one.state.settings.array_port == "CAM"


def test_a_plugin_may_have_more_ports_than_one() -> None:
    one, two, three = plugins("ONE", "TWO", "THREE")
    one.ports = (one.port, Port("ONE"))
    chain = Chain("CAM", (one, two, three))
    chain.connect(two, "ONE", 1)
    assert (one.ports[0].behind, one.ports[1].behind) == ([], [two])
    assert (two.state.settings.array_port, two.state.settings.array_address) == ("ONE", 1)
    chain.connect(three, "TWO")
    with pytest.raises(InputError, match="feed itself"):
        chain.connect(one, "THREE")
    with pytest.raises(InputError, match="TWO has no address 1, the last one is 0"):
        chain.connect(three, "TWO", 1)
    chain.connect(two, "ONE")
    assert two.state.settings.array_address == 1, "it stays where there is such a one"
    chain.connect(two, "CAM")
    assert one.ports[1].behind == []
    assert two.state.settings.array_address == 0


async def test_rates_are_measured(running: Any) -> None:
    (one,) = plugins("ONE")
    async with running(one) as chain:
        await chain.send(array())
        await chain.settled()
        state = await one.live.until(lambda state: state.array.rate == 1.0, 5)
        assert state.array.counter == 1
        await one.live.until(lambda state: state.array.rate == 0.0, 5)

import asyncio
from typing import Any

import caproto as ca
import pytest

from archon_ioc.serve.ca import CaServer
from archon_ioc.serve.remote_pv import RemotePv


@pytest.fixture
async def pv(server: CaServer) -> Any:
    pv = await RemotePv.connect("T:cam1:AcquireTime")
    yield pv
    pv.close()


async def test_reads_and_writes(pv: RemotePv, target: Any) -> None:
    assert pv.native_type == ca.ChannelType.DOUBLE
    assert await pv.read(ca.ChannelType.DOUBLE) == 1.5
    assert await pv.read(ca.ChannelType.STRING) == b"1.500"
    await pv.write(2.5)
    assert target.live.value.seconds == 2.5
    await pv.write("3.5")
    assert target.live.value.seconds == 3.5


async def test_a_refusal_is_an_error_and_the_next_write_works(pv: RemotePv, target: Any) -> None:
    with pytest.raises(ca.CaprotoError, match="ECA_PUTFAIL"):
        await pv.write(200.0)
    await pv.write(20.0)
    assert target.live.value.seconds == 20.0


async def test_searching_goes_on_until_it_is_cancelled(server: CaServer) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await RemotePv.connect("T:cam1:Missing")


async def test_a_server_that_goes_away_is_noticed(ca_environment: dict[str, str], serve: Any) -> None:
    async with serve(CaServer("P:", [])):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await RemotePv.connect("P:Missing")


async def test_a_value_is_watched_also_after_a_long_silence(
    pv: RemotePv, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archon_ioc.serve.remote_pv.LONGEST_SILENCE", 0.05)
    values = pv.watch(ca.ChannelType.DOUBLE)
    assert list(await anext(values)) == [1.5]
    following = asyncio.ensure_future(anext(values))
    assert not (await asyncio.wait([following], timeout=0.3))[0], "the server has said that it is there"
    target.update(seconds=2.5)
    assert list(await following) == [2.5]

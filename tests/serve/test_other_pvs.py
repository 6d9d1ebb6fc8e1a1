"""Values of other programs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Float, Pv
from archon_ioc.serve.ca import CaServer
from archon_ioc.serve.other_pvs import OtherPvs

SECONDS: Pv[Any, Any] = Pv(
    name="AcquireTime", kind=Float(), doc="Time", group="Test", read=lambda s: s.seconds, rbv=False
)


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.fixture
async def others(ca_environment: dict[str, str]) -> AsyncIterator[OtherPvs]:
    others = OtherPvs()
    task = asyncio.create_task(others.run())
    yield others
    task.cancel()
    await asyncio.wait([task])


async def test_the_latest_values(server: Any, target: Any, others: OtherPvs) -> None:
    number, text = ("T:cam1:AcquireTime", False), ("T:cam1:AcquireTime", True)
    others.watch(frozenset({number, text}))
    await until(lambda: others.read(number[0], as_text=False) == 1.5)
    await until(lambda: others.read(text[0], as_text=True) == "1.500")
    assert others.read("T:cam1:Missing", as_text=False) is None
    target.update(seconds=2.5)
    await until(lambda: others.read(number[0], as_text=False) == 2.5)
    others.watch(frozenset({text}))
    await until(lambda: others.read(number[0], as_text=False) is None)
    assert others.read(text[0], as_text=True) == "2.500"


@pytest.mark.parametrize(
    ("name", "as_text", "value"),
    [
        ("NumImages", False, 3),
        ("ImageMode", False, 1),
        ("ImageMode", True, "Multiple"),
        ("Label", False, "bias"),
        ("Label", True, "bias"),
        ("FilePath", False, "/data/night one/"),
        ("FilePath", True, "/data/night one/"),
    ],
)
async def test_kinds(server: Any, others: OtherPvs, name: str, as_text: bool, value: object) -> None:
    others.watch(frozenset({(f"T:cam1:{name}", as_text)}))
    await until(lambda: others.read(f"T:cam1:{name}", as_text=as_text) == value)


async def test_a_program_that_comes_back(
    ca_environment: dict[str, str], target: Any, serve: Any, others: OtherPvs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archon_ioc.serve.other_pvs._PAUSE", 0.01)
    others.watch(frozenset({("T:cam1:AcquireTime", False)}))
    for seconds in (1.5, 2.5):
        target.update(seconds=seconds)
        async with serve(CaServer("T:", [Table("cam1:", (SECONDS,), target.live, target)])):
            await until(lambda: others.read("T:cam1:AcquireTime", as_text=False) == seconds)  # noqa: B023
        await until(lambda: others.read("T:cam1:AcquireTime", as_text=False) is None)

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from archon_ioc.config import ShutterConfig
from archon_ioc.errors import StateError
from archon_ioc.live import Live
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Choice, Float, Pv, Text
from archon_ioc.serve.ca import CaServer
from archon_ioc.serve.shutter_pv import PvShutter

CONFIG = ShutterConfig(open_pv="SHUTTER:Move", close_pv="SHUTTER:Move", status_pv="SHUTTER:Move_RBV")


@dataclass
class ForeignShutter:
    """The shutter of another IOC."""

    live: Live[float] = field(default_factory=lambda: Live(0.0))
    refuses: set[float] = field(default_factory=set)
    may_move: asyncio.Event = field(default_factory=asyncio.Event)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_move.set()

    async def move(self, position: float) -> None:
        self.was_asked.set()
        await self.may_move.wait()
        if position in self.refuses:
            raise StateError("stuck")
        self.live.set(position)

    def move_by_word(self, word: str) -> None:
        self.live.set(float(word == "out"))

    def accepted(self) -> None: ...

    def refused(self, message: str) -> None:
        pass


ROWS: tuple[Pv[float, ForeignShutter], ...] = (
    Pv(
        name="Move",
        kind=Choice(("Close", "Open")),
        doc="Moves",
        group="Shutter",
        read=int,
        put=ForeignShutter.move,
    ),
    Pv(name="Position", kind=Float(), doc="Position", group="Shutter", read=float, put=ForeignShutter.move),
    Pv(
        name="Word",
        kind=Text(),
        doc="Position as a word",
        group="Shutter",
        read=lambda s: "out" if s else "in",
        put=ForeignShutter.move_by_word,
    ),
)


@asynccontextmanager
async def foreign_ioc(target: ForeignShutter) -> AsyncIterator[None]:
    server = CaServer("SHUTTER:", [Table("", ROWS, target.live, target)])
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run())
        await server.started()
        yield
        task.cancel()


@pytest.fixture
async def foreign(ca_environment: dict[str, str]) -> AsyncIterator[ForeignShutter]:
    target = ForeignShutter()
    async with foreign_ioc(target):
        yield target


@pytest.mark.parametrize(
    ("name", "out", "back"),
    [("Move", "1", "0"), ("Move", "Open", "Close"), ("Position", "1", "0"), ("Word", "out", "in")],
)
async def test_moves_any_type_of_pv(foreign: ForeignShutter, name: str, out: str, back: str) -> None:
    pv = f"SHUTTER:{name}"
    config = ShutterConfig(open_pv=pv, open_value=out, close_pv=pv, close_value=back, status_pv=pv, status_open=out)
    async with aclosing(PvShutter(config)) as shutter:
        await shutter.open()
        assert foreign.live.value == 1
        assert await shutter.status() is True
        await shutter.close()
        assert foreign.live.value == 0
        assert await shutter.status() is False


async def test_a_refusal_names_the_pv_and_the_next_move_works(foreign: ForeignShutter) -> None:
    async with aclosing(PvShutter(CONFIG)) as shutter:
        foreign.refuses = {1.0}
        with pytest.raises(StateError, match=r"SHUTTER:Move.*refused.*ECA_PUTFAIL"):
            await shutter.open()
        foreign.refuses = set()
        await shutter.open()
        assert foreign.live.value == 1


async def test_the_answer_to_a_cancelled_move_is_not_taken_for_the_next(foreign: ForeignShutter) -> None:
    async with aclosing(PvShutter(CONFIG)) as shutter:
        await shutter.open()
        foreign.may_move.clear()
        foreign.was_asked.clear()
        cancelled = asyncio.create_task(shutter.open())
        await foreign.was_asked.wait()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        foreign.refuses = {0.0}
        closing = asyncio.create_task(shutter.close())
        foreign.may_move.set()
        with pytest.raises(StateError, match="refused"):
            await closing


async def test_without_the_other_ioc_moves_fail_and_the_status_is_unknown(
    ca_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archon_ioc.serve.shutter_pv.TIMEOUT", 0.3)
    shutter = PvShutter(CONFIG)
    with pytest.raises(StateError, match="SHUTTER:Move"):
        await shutter.open()
    assert await shutter.status() is None


async def test_the_other_ioc_may_start_again(ca_environment: dict[str, str]) -> None:
    target = ForeignShutter()
    async with aclosing(PvShutter(CONFIG)) as shutter:
        async with foreign_ioc(target):
            await shutter.open()
            assert target.live.value == 1
        async with foreign_ioc(target):
            await shutter.close()
            assert target.live.value == 0


async def test_a_shutter_without_pvs_says_which_setting_lacks() -> None:
    shutter = PvShutter(ShutterConfig())
    with pytest.raises(StateError, match="open_pv"):
        await shutter.open()
    assert await shutter.status() is None

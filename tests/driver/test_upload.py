"""Sending a configuration: verified, polling on again whatever happens, progress shown."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver import upload
from archon_ioc.driver.connection import connect
from archon_ioc.driver.state import Progress, Step
from archon_ioc.errors import ConfigError, LinkError, RejectedError

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
async def bare(make_lab: MakeLab) -> Any:
    """A simulated controller with an empty memory, and a connection to it."""
    async with make_lab(None, started=False) as lab, connect("127.0.0.1", lab.server.port) as connection:
        lab.connection = connection
        yield lab


async def test_what_was_written_is_in_the_memory_and_verified(bare: Any, acf: Acf) -> None:
    progress: list[Progress] = []
    await upload.write_config(bare.connection, acf, progress.append)
    assert [bare.ask(f"RCONFIG{n:04X}") for n in range(len(acf.lines) + 1)] == [*acf.lines, ""]
    total = len(acf.lines)
    assert progress[-1] == Progress(Step.VERIFYING, total, total)
    for step in (Step.WRITING, Step.VERIFYING):
        counts = [p.done for p in progress if p.step is step]
        assert counts == sorted(counts)
        assert counts[-1] == total
    assert progress[-1].percent == 100.0


async def test_the_old_memory_is_gone(bare: Any, acf: Acf) -> None:
    bare.ask("WCONFIG3FFFOLD=1")
    await upload.write_config(bare.connection, acf, lambda _: None)
    assert bare.ask("RCONFIG3FFF") == ""


async def test_polling_is_off_during_the_upload_only(bare: Any, acf: Acf) -> None:
    await upload.write_config(bare.connection, acf, lambda _: None)
    heard = bare.device.since(0)
    assert heard[:2] == ["POLLOFF", "CLEARCONFIG"]
    assert heard[-1] == "POLLON"
    assert heard.count("POLLON") == heard.count("POLLOFF") == 1


@pytest.mark.parametrize("prefix", ["CLEARCONFIG", "WCONFIG0005", "RCONFIG0007"])
async def test_polling_is_on_again_after_a_rejection(bare: Any, acf: Acf, prefix: str) -> None:
    bare.faults.reject = prefix
    with pytest.raises(RejectedError, match=prefix):
        await upload.write_config(bare.connection, acf, lambda _: None)
    assert bare.device.heard[-1] == "POLLON"


async def test_polling_is_on_again_after_a_cancellation(bare: Any, acf: Acf) -> None:
    writing = asyncio.create_task(upload.write_config(bare.connection, acf, lambda _: None))
    await bare.device.told("WCONFIG0010")
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert bare.device.heard[-1] == "POLLON"


async def test_polling_is_on_again_after_a_cancellation_that_comes_before_the_reply(bare: Any, acf: Acf) -> None:
    bare.faults.delay_reply, bare.faults.delay_seconds = "POLLOFF", 0.1
    writing = asyncio.create_task(upload.write_config(bare.connection, acf, lambda _: None))
    await bare.device.told("POLLOFF")
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert bare.device.heard == ["POLLOFF", "POLLON"]


async def test_a_link_cut_in_the_middle(bare: Any, acf: Acf) -> None:
    writing = asyncio.create_task(upload.write_config(bare.connection, acf, lambda _: None))
    await bare.device.told("WCONFIG0010")
    bare.server.link_drop()
    with pytest.raises(LinkError):
        await writing


async def test_a_line_that_was_stored_wrong_is_named(bare: Any, acf: Acf) -> None:
    number = acf.line_number("LINECOUNT")

    def spoil(progress: Progress) -> None:
        if (progress.step, progress.done) == (Step.WRITING, progress.total):
            bare.ask(f"WCONFIG{number:04X}LINECOUNT=34")

    with pytest.raises(ConfigError, match=rf"1 of \d+ .*line {number} is 'LINECOUNT=34' instead of 'LINECOUNT=33'"):
        await upload.write_config(bare.connection, acf, spoil)


async def test_reading_back_gives_the_same_configuration(bare: Any, acf: Acf) -> None:
    await upload.write_config(bare.connection, acf, lambda _: None)
    start = bare.mark()
    progress: list[Progress] = []
    found = await upload.read_config(bare.connection, progress.append)
    assert found.keys == acf.keys
    assert list(found.keys) == list(acf.keys)
    assert {p.step for p in progress} == {Step.READING_BACK}
    assert {command[:7] for command in bare.device.since(start)} == {"POLLOFF", "RCONFIG", "POLLON"}


async def test_an_empty_memory_is_an_empty_configuration(bare: Any) -> None:
    assert (await upload.read_config(bare.connection, lambda _: None)).keys == {}


async def test_a_memory_that_is_full(bare: Any) -> None:
    for n in range(16384):
        bare.ask(f"WCONFIG{n:04X}KEY{n}={n}")
    assert len((await upload.read_config(bare.connection, lambda _: None)).keys) == 16384


async def test_differences_are_found(bare: Any, acf: Acf) -> None:
    await upload.write_config(bare.connection, acf, lambda _: None)
    assert await upload.differing_keys(bare.connection, acf) == {}
    bare.ask(f"WCONFIG{acf.line_number('LINECOUNT'):04X}LINECOUNT=99")
    assert await upload.differing_keys(bare.connection, acf) == {"LINECOUNT": "LINECOUNT=99"}
    bare.ask("CLEARCONFIG")
    assert len(await upload.differing_keys(bare.connection, acf)) > 5


@pytest.mark.needs_shared
async def test_a_real_configuration_survives_the_round_trip(bare: Any, real: Acf) -> None:
    await upload.write_config(bare.connection, real, lambda _: None)
    found = await upload.read_config(bare.connection, lambda _: None)
    assert found.lines == real.lines

"""A shutter of another IOC that was opened by hand is not forgotten when the program dies."""

from pathlib import Path

import pytest

from archon_ioc.errors import SaveError
from archon_ioc.exposure.settings import FrameType, ShutterMode
from archon_ioc.exposure.shutter_note import ShutterNote

from .test_recovery import end_without_a_word, next_life

SAID = "the shutter was opened at 2"


def test_it_is_left_to_the_next_program_by_one_that_dies(tmp_path: Path) -> None:
    own, other = (ShutterNote(tmp_path, "A:") for _ in "ab")
    assert own.read() == ""
    own.write()
    own.write()
    assert (own.is_there, other.read(), other.is_there) == (True, "", False), "its program lives"
    own.leave()
    assert other.read().endswith(" UTC")
    other.remove()
    assert (other.is_there, own.read(), list(tmp_path.iterdir())) == (False, "", [])


def test_programs_with_the_same_folder_have_their_own(tmp_path: Path) -> None:
    first, second = (ShutterNote(tmp_path, prefix) for prefix in ("A:", "B:"))
    first.write()
    first.leave()
    assert second.read() == ""
    second.remove()
    assert first.read()
    first.leave()


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    note = ShutterNote(tmp_path / "state")
    with pytest.raises(SaveError, match="cannot write"):
        note.write()
    with pytest.raises(SaveError, match="Not a directory"):
        note.read()
    assert not note.is_there


async def opened_by_hand(bench, fake_shutter) -> None:
    """Open it and let the program die."""
    bench.camera.change(shutter_mode=ShutterMode.EPICS_PV)
    await bench.camera.set_shutter(True)
    fake_shutter.fails = "close"
    await end_without_a_word(bench)
    fake_shutter.fails = ""
    fake_shutter.calls.clear()


async def test_the_next_program_says_so_and_leaves_the_rest_to_the_user(
    benches, fake_shutter, caplog: pytest.LogCaptureFixture
) -> None:
    async with benches(shutter=fake_shutter) as bench:
        await opened_by_hand(bench, fake_shutter)
        async with next_life(bench, fake_shutter) as camera:
            state = await camera.live.until(lambda state: state.is_up and SAID in state.message, 10)
            assert SAID in caplog.text
            assert state.shutter_open
            assert fake_shutter.calls == []
            await camera.set_shutter(False)
            assert not camera.state.shutter_open
        fake_shutter.calls.clear()
        async with next_life(bench, fake_shutter) as camera:
            state = await camera.live.until(lambda state: state.message == "Connected", 10)
            assert not state.shutter_open


async def test_it_is_said_by_one_program_after_the_other_until_it_is_closed(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        await opened_by_hand(bench, fake_shutter)
        fake_shutter.fails = "close"
        for _ in range(2):
            async with next_life(bench, fake_shutter) as camera:
                await camera.live.until(lambda state: SAID in state.message, 10)
        fake_shutter.fails = ""
        async with next_life(bench, fake_shutter) as camera:
            await camera.live.until(lambda state: SAID in state.message, 10)
        async with next_life(bench, fake_shutter) as camera:
            await camera.live.until(lambda state: state.message == "Connected", 10)
        assert fake_shutter.calls == ["close", "close", "close"], "at the end of each"


async def test_the_next_exposure_closes_it_first(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        await opened_by_hand(bench, fake_shutter)
        async with next_life(bench, fake_shutter) as camera:
            await camera.live.until(lambda state: state.is_up, 10)
            await camera.acquire(camera.state.settings.changed(seconds=0.0, frame_type=FrameType.BACKGROUND))
            assert (fake_shutter.calls, camera.state.shutter_open) == (["close"], False)


async def test_one_that_does_not_close_after_an_exposure_is_noted(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(seconds=0.1, shutter_mode=ShutterMode.EPICS_PV)
        fake_shutter.fails = "close"
        with pytest.raises(Exception, match="does not close"):
            await bench.camera.acquire()
        await end_without_a_word(bench)
        async with next_life(bench, fake_shutter) as camera:
            await camera.live.until(lambda state: SAID in state.message, 10)
            fake_shutter.fails = ""

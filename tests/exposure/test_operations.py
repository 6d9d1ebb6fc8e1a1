"""What clients may ask for beside an exposure, and when not."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from archon_ioc.driver.state import ConfigState, ControllerState
from archon_ioc.errors import ArchonError, ConfigError, InputError, StateError
from archon_ioc.exposure.operations import Operations, heater_key, heater_target
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.protocol.enums import Power


async def test_acquire_and_stop(bench) -> None:
    bench.camera.change(seconds=10.0)
    client = asyncio.create_task(bench.operations.acquire(1))
    await bench.until_phase(Phase.INTEGRATING)
    await bench.operations.acquire(0)
    await client
    assert bench.camera.state.outcome is Outcome.ABORTED
    await bench.operations.acquire(0)
    bench.camera.change(seconds=0.0)
    await bench.operations.acquire(1)
    assert len(bench.files) == 1


CALLS: dict[str, Callable[[Operations], Awaitable[None]]] = {
    "load_config": lambda o: o.load_config(1),
    "power": lambda o: o.power(1),
    "windows": lambda o: o.windows.set(hbin=2),
    "set_data_type": lambda o: o.set_data_type(5),
    "set_shutter": lambda o: o.camera.set_shutter(True),
}


@pytest.mark.parametrize("name", CALLS)
async def test_what_must_not_come_between(bench, name: str) -> None:
    bench.controller.choose_config("any.acf")
    bench.camera.change(seconds=10.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    told = len(bench.device.commands)
    with pytest.raises(StateError, match="the camera is integrating; abort first"):
        await CALLS[name](bench.operations)
    assert set(bench.device.commands[told:]) <= {"STATUS", "FRAME"}
    assert bench.camera.state.phase is Phase.INTEGRATING
    await bench.camera.abort()
    await client


async def test_power(bench) -> None:
    await bench.operations.power(0)
    assert bench.controller.status.power is Power.OFF
    await bench.operations.power(1)
    assert bench.controller.status.power is Power.ON


async def test_power_off_ends_an_exposure(bench) -> None:
    bench.camera.change(seconds=10.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    await bench.operations.power(0)
    await client
    state = bench.camera.state
    assert bench.controller.status.power is Power.OFF
    assert (state.outcome, state.message) == (Outcome.ABORTED, "The CCD power is OFF")
    bench.assert_resting()


async def test_power_off_does_not_wait_for_a_slow_disk(bench, held_disk: threading.Event) -> None:
    client = bench.start()
    await bench.until_phase(Phase.SAVING)
    switching = asyncio.create_task(bench.operations.power(0))
    await bench.until(lambda state: state.controller.power is Power.OFF, 5)
    assert bench.files == []
    held_disk.set()
    await switching
    await client
    assert len(bench.files) == 1
    await bench.operations.power(1)
    await bench.good()


async def test_power_off_cancels_a_power_on(benches) -> None:
    async with benches(powered=False) as bench:
        bench.sim.faults.power_stuck = True
        switching = asyncio.create_task(bench.operations.power(1))
        await bench.until(lambda state: state.controller.power is Power.INTERMEDIATE)
        bench.sim.faults.clear()
        await bench.operations.power(0)
        with pytest.raises(StateError, match="the CCD power was switched off meanwhile"):
            await switching
        assert await bench.controller.power() is Power.OFF
        await bench.operations.power(1)
        await bench.good()


async def test_power_off_cancels_a_power_on_that_waits(benches) -> None:
    async with benches(powered=False) as bench:
        async with bench.camera.undisturbed():
            switching = asyncio.create_task(bench.operations.power(1))
            await asyncio.sleep(0)
            await bench.operations.power(0)
            with pytest.raises(StateError, match="switched off meanwhile"):
                await switching
        assert "POWERON" not in bench.device.commands[1:]


async def test_power_off_does_not_wait_for_an_upload(bench, make_acf, tmp_path: Path) -> None:
    path = tmp_path / "new.acf"
    path.write_text("[CONFIG]\n" + "\n".join(make_acf().lines))
    bench.controller.choose_config(str(path))
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "CLEARCONFIG", 0.3
    loading = asyncio.create_task(bench.operations.load_config(1))
    await bench.until(lambda state: state.controller.config is ConfigState.LOADING)
    await bench.operations.power(0)
    commands = bench.device.commands
    assert commands.index("POWEROFF") < commands.index("APPLYALL")
    await loading


async def test_a_power_on_that_fails_ends_with_power_off(benches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archon_ioc.driver.controller._POWER_SECONDS", 0.1)
    async with benches(powered=False) as bench:
        bench.sim.faults.power_stuck = True
        with pytest.raises(StateError, match="the CCD power is INTERMEDIATE"):
            await bench.operations.power(1)
        assert "POWEROFF" in bench.device.commands
        bench.sim.faults.clear()
        await bench.until(lambda state: state.controller.power is Power.OFF)


async def test_a_power_on_of_which_nobody_waits_for_the_end(benches) -> None:
    async with benches(powered=False) as bench:
        bench.sim.faults.power_stuck = True
        client = asyncio.create_task(bench.operations.power(1))
        await bench.until(lambda state: state.controller.power is Power.INTERMEDIATE)
        client.cancel()
        await asyncio.wait([client])
        assert client.cancelled()
        async with asyncio.timeout(5):
            await bench.operations.windows.set(hbin=1)


async def test_load_a_configuration(bench, make_acf, tmp_path: Path) -> None:
    path = tmp_path / "new.acf"
    path.write_text("[CONFIG]\n" + "\n".join(make_acf(lines=10).lines))
    bench.controller.choose_config(str(path))
    await bench.operations.load_config(0)
    assert bench.controller.status.power is Power.ON
    await bench.operations.load_config(1)
    status = bench.controller.status
    assert (status.config, status.power) == (ConfigState.APPLIED, Power.OFF)
    assert status.config_message.startswith("new.acf is applied; the check found 4 errors"), "no AD module is there"
    assert bench.device.applied.line_count == 10


async def test_no_configuration_was_chosen(bench) -> None:
    bench.controller.choose_config("")
    with pytest.raises(StateError, match="ArchonConfigFile names no file"):
        await bench.operations.load_config(1)


@pytest.mark.parametrize("content", [None, "", "[CONFIG]\nFRAMEMODE=7\n", "\x00" * 50])
async def test_a_file_that_is_no_configuration(bench, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "wrong.acf"
    if content is not None:
        path.write_text(content)
    bench.controller.choose_config(str(path))
    with pytest.raises(ConfigError, match=r"wrong\.acf"):
        await bench.operations.load_config(1)
    assert bench.controller.status.config is ConfigState.APPLIED, "nothing was sent"
    await bench.good()


async def test_an_upload_that_fails_halfway_is_not_exposed_with(bench, make_acf, tmp_path: Path) -> None:
    path = tmp_path / "new.acf"
    path.write_text("[CONFIG]\n" + "\n".join(make_acf(lines=10).lines))
    bench.controller.choose_config(str(path))
    bench.sim.faults.reject = "WCONFIG0005"
    with pytest.raises(ArchonError):
        await bench.operations.load_config(1)
    with pytest.raises(StateError, match=r"new\.acf is not fully loaded"):
        await bench.camera.acquire()
    await bench.operations.load_config(1)
    await bench.operations.power(1)
    bench.device.handle("FASTLOADPARAM Lines 10", bench.sim.now)
    await bench.good()


@pytest.mark.parametrize(("index", "sample_mode", "kind"), [(5, "1", "UInt32"), (3, "0", "UInt16")])
async def test_the_data_type_is_the_controllers(bench, index: int, sample_mode: str, kind: str) -> None:
    await bench.operations.set_data_type(index)
    assert bench.device.applied.keys["SAMPLEMODE"] == sample_mode
    await bench.good()
    assert bench.camera.state.image.data_type == kind


@pytest.mark.parametrize("index", [0, 1, 2, 4, 6, 9])
async def test_other_data_types(bench, index: int) -> None:
    with pytest.raises(InputError, match="UInt16 or UInt32"):
        await bench.operations.set_data_type(index)


def test_what_an_archon_cannot_do(bench) -> None:
    bench.operations.require(True, "never told")
    with pytest.raises(InputError, match="an image is Mono"):
        bench.operations.require(False, "an image is Mono")


async def test_binning_that_the_script_cannot_do(benches, make_acf, renamed_acf) -> None:
    async with benches(acf=renamed_acf(make_acf(), HorizontalBinning="HBin")) as bench:
        with pytest.raises(StateError, match="no parameter HorizontalBinning"):
            await bench.operations.windows.set(hbin=2)
        await bench.good()


async def test_write_a_file(bench) -> None:
    await bench.operations.write_file(0)
    with pytest.raises(StateError, match="no image"):
        await bench.operations.write_file(1)
    await bench.good()
    await bench.operations.write_file(1)
    assert len(bench.files) == 2


async def test_the_target_of_the_first_heater(bench) -> None:
    assert heater_target(bench.controller.status) == -100.0
    await bench.operations.set_temperature(-110.5)
    assert bench.device.applied.keys["MOD2/HEATERATARGET"] == "-110.5"
    assert heater_target(bench.controller.status) == -110.5
    assert "APPLYMOD01" in bench.device.commands


def test_no_heater() -> None:
    assert heater_target(ControllerState()) is None
    with pytest.raises(StateError, match="the configuration has no heater"):
        heater_key(ControllerState())


async def test_refresh(bench) -> None:
    told = bench.device.commands.count("STATUS")
    await bench.operations.refresh()
    assert bench.device.commands.count("STATUS") > told


async def test_reset_ends_an_exposure_and_restarts_the_script(bench) -> None:
    bench.camera.change(seconds=10.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    await bench.operations.reset(0)
    assert bench.camera.state.phase is Phase.INTEGRATING
    await bench.operations.reset(1)
    await client
    state = bench.camera.state
    assert (state.outcome, state.message) == (Outcome.ABORTED, "Acquisition aborted by a reset")
    bench.assert_resting()
    bench.device.handle("FASTLOADPARAM IntMS 60000", bench.sim.now)
    bench.device.handle("FASTLOADPARAM ContinuousExposures 1", bench.sim.now)
    bench.device.handle("RESETTIMING", bench.sim.now)
    bench.device.advance(bench.sim.now)
    assert bench.device.timing.is_integrating, "somebody else's exposure"
    await bench.operations.reset()
    bench.assert_resting()
    await bench.good()


async def test_a_refusal_is_shown(bench) -> None:
    bench.operations.refused("not now" * 100)
    assert bench.camera.state.message == ("not now" * 100)[:255]

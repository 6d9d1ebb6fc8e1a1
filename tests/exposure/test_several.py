"""Several controllers as one camera: together, under one number, and refused by the name of the one that cannot."""

import asyncio
from pathlib import Path

import pytest
from astropy.io import fits

from archon_ioc.errors import ArchonError, ControllersError, StateError
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import FrameType, ImageMode, ShutterMode, TriggerMode
from archon_ioc.protocol.enums import Power

from .several import Groups

# Together


@pytest.mark.parametrize("count", [2, 4])
async def test_an_exposure_of_all(groups: Groups, pattern, count: int) -> None:
    async with groups(count) as group:
        await group.good(1)
        await group.good(2)
        for number, (name, box) in enumerate(group.boxes.items()):
            with fits.open(group.folder / f"archon_0002_{name}.fits") as hdus:
                assert (hdus[0].data == pattern(box.acf, 2)).all()
                header = hdus[0].header
            assert (header["SPEC"], header["EXPOSURE"], header["NAXIS2"]) == (name, 2, 40 + 4 * number)
        state = group.state
        assert (state.image.unique_id, state.image.height, state.images_done) == (2, 40, 1), "as the leader sees it"
        assert state.file.full_name.endswith("archon_0002_b1.fits")
        assert state.settings.files.number == 3


async def test_what_is_common_and_what_is_not(groups: Groups) -> None:
    async with groups() as group:
        await group.good(1)
        blue, red = (group.header(f"archon_0001_{name}.fits") for name in group.boxes)
        for keyword in ("EXPOSURE", "DATE-BEG", "DATE-END", "EXPTIME", "IMAGETYP"):
            assert blue[keyword] == red[keyword]
        for keyword in ("SPEC", "FILENAME", "ARCHHASH"):
            assert blue[keyword] != red[keyword]


async def test_ccds_belong_to_controllers(groups: Groups, pattern) -> None:
    detectors = [
        {"name": "sci", "taps": ["AD1L", "AD2R"], "controller": "r1"},
        {"name": "guide", "taps": ["AD1L", "AD2R"]},
    ]
    async with groups(site={"detectors": detectors}) as group:
        group.camera.change(seconds=0.0)
        await group.camera.acquire()
        assert group.files == ["archon_0001_guide.fits", "archon_0001_sci.fits"]
        for name, ccd in (("b1", "guide"), ("r1", "sci")):
            with fits.open(group.folder / f"archon_0001_{ccd}.fits") as hdus:
                rows = hdus[0].data.shape[0]
                assert (hdus[0].data == pattern(group.boxes[name].acf, 1)[:rows]).all()
                assert (hdus[0].header["SPEC"], hdus[0].header["CCD"]) == (name, ccd)


async def test_sums_and_series(groups: Groups) -> None:
    async with groups() as group:
        group.camera.change(seconds=0.01, num_exposures=2, image_mode=ImageMode.MULTIPLE, num_images=2)
        await group.camera.acquire()
        assert len(group.files) == 4
        assert {group.header(name)["COADDS"] for name in group.files} == {2}
        assert (group.state.images_done, group.state.exposures_done) == (2, 2)


async def test_the_host_starts_all_within_10_ms(groups: Groups) -> None:
    async with groups(4) as group:
        spreads: list[float] = []
        for number in (1, 2, 3):
            await group.good(number)
            # The simulated time runs 20 times as fast as that of the host.
            spreads.append(group.spread)
        assert min(spreads) < 0.01, spreads


async def test_all_wait_for_one_that_is_busy(groups: Groups) -> None:
    async with groups(latency=1.0) as group:
        group.camera.change(seconds=0.5)
        exposing = asyncio.create_task(group.camera.acquire())
        red = group.boxes["r1"].device
        await group.until(lambda state: "HOLDTIMING" in red.commands)
        await asyncio.gather(exposing, group.camera.controllers[1].write_line("MOD2/HEATERATARGET", -101))
        assert red.commands.index("APPLYMOD01") < red.commands.index("RELEASETIMING"), "the test is too weak"
        assert group.spread < 0.1, "APPLYMOD takes 1.5 s"


async def test_hardware_starts_all_at_the_same_tick(groups: Groups) -> None:
    async with groups(4, sync="hardware") as group:
        for number in (1, 2):
            await group.good(number)
            assert len(set(group.starts)) == 1
        for name, box in group.boxes.items():
            released = "RELEASETIMING" in box.device.commands
            assert released is (name == "b1"), "the first one releases all"


@pytest.mark.parametrize("sync", ["host", "hardware"])
async def test_a_shutter_of_another_ioc(groups: Groups, fake_shutter, sync: str) -> None:
    async with groups(3, sync=sync, shutter=fake_shutter) as group:
        group.camera.change(shutter_mode=ShutterMode.EPICS_PV)
        await group.good(1)
        assert fake_shutter.calls == ["open", "close"]
        if sync == "hardware":
            assert len(set(group.starts)) == 1


async def test_a_shutter_at_the_output_of_another_one(groups: Groups) -> None:
    async with groups(site={"shutter": {"controller": "r1"}}) as group:
        group.camera.change(frame_type=FrameType.BACKGROUND)
        await group.good(1)
        told = {name: box.device.applied.keys.get("TRIGOUTFORCE", "0") for name, box in group.boxes.items()}
        assert told == {"b1": "0", "r1": "1"}, "held closed for a dark"
        client = group.start(seconds=100.0, frame_type=FrameType.NORMAL)
        await group.until(lambda state: state.shutter_open)
        await group.camera.abort()
        await client
        assert not group.state.shutter_open
        await group.camera.set_shutter(True)
        assert group.state.shutter_open
        await group.camera.set_shutter(False)
        await group.good(2)


@pytest.mark.parametrize("sync", ["host", "hardware"])
async def test_a_stop_keeps_the_light_of_all(groups: Groups, sync: str) -> None:
    async with groups(3, sync=sync) as group:
        client = group.start(seconds=100.0)
        await group.until(lambda state: state.phase is Phase.INTEGRATING and 0 < state.remaining < 99.9)
        await group.camera.stop()
        await client
        assert len(group.files) == 3
        assert len({group.header(name)["EXPTIME"] for name in group.files}) == 1
        assert group.header(group.files[0])["EXPTIME"] < 10
        if sync == "hardware":
            assert len(set(group.starts)) == 1
        await group.good(2)


async def test_trigger_in_and_hardware_do_not_go_together(groups: Groups) -> None:
    async with groups(sync="hardware") as group:
        group.camera.change(trigger_mode=TriggerMode.EXTERNAL)
        with pytest.raises(StateError, match="do not listen to Trigger In"):
            await group.camera.acquire()


# What cannot begin


async def test_a_controller_that_is_down_is_named(groups: Groups) -> None:
    async with groups(3) as group:
        red = group.boxes["r1"]
        await red.die()
        await group.until(lambda state: not state.is_up)
        assert "r1: Disconnected" in group.state.message
        with pytest.raises(StateError, match="r1: the controller is disconnected"):
            await group.camera.acquire()
        assert (group.files, group.state.acquiring, group.state.outcome) == ([], False, Outcome.NONE)
        await red.live()
        await group.good(1)


async def test_a_controller_without_power_is_named(groups: Groups) -> None:
    async with groups() as group:
        operations = Operations(group.camera)
        await operations.of(group.camera.controllers[1]).power(0)
        assert group.state.message == "The CCD power is OFF"
        assert [state.power for state in group.state.controllers] == [Power.ON, Power.OFF]
        with pytest.raises(StateError, match="r1: the CCD power is OFF"):
            await group.camera.acquire()
        await operations.power(1)
        await group.good(1)


async def test_a_command_that_one_rejects(groups: Groups) -> None:
    async with groups() as group:
        group.boxes["r1"].sim.faults.reject = "RELEASETIMING"
        with pytest.raises(ControllersError, match="r1: the controller rejected 'RELEASETIMING'"):
            await group.start(seconds=100.0)
        assert group.state.outcome is Outcome.FAILED
        assert group.files == []
        await group.good(1)


# Files


async def test_a_file_that_cannot_be_written_costs_no_other(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    async with groups() as group:
        client = group.start(seconds=0.3)
        await group.until_phase(Phase.INTEGRATING)
        (group.folder / "archon_0001_r1.fits").touch()  # … and the number is taken when the images are there
        await group.camera.filing.change(auto_increment=False)
        with pytest.raises(ArchonError, match=r"r1: .*it exists already"):
            await client
        assert group.state.file.error
        assert fits.getheader(group.folder / "archon_0001_b1.fits")["SPEC"] == "b1"
        (group.folder / "archon_0001_r1.fits").unlink()
        await group.camera.filing.write()
        assert group.files == ["archon_0001_b1.fits", "archon_0001_r1.fits"], "what was missing"
        assert not group.state.file.error


async def test_written_later_under_one_number(groups: Groups) -> None:
    async with groups() as group:
        await group.camera.filing.change(auto_save=False)
        await group.start(seconds=0.0)
        assert group.files == []
        await group.camera.filing.write()
        assert group.files == ["archon_0001_b1.fits", "archon_0001_r1.fits"]
        await group.camera.filing.write()
        assert group.files[2:] == ["archon_0002_b1.fits", "archon_0002_r1.fits"]


async def test_an_image_that_is_not_complete_gets_no_second_number(groups: Groups) -> None:
    async with groups(2) as group:
        group.boxes["r1"].sim.faults.end_fetch_after_blocks = 0
        group.camera.change(seconds=0.0)
        client = asyncio.create_task(group.camera.acquire())
        await group.until(lambda state: bool(state.file.full_name))
        with pytest.raises(StateError, match="not complete yet"):
            await group.camera.filing.write()
        await group.camera.abort()
        await client
        assert group.files == ["archon_0001_b1.fits"]


# Puts


async def test_power_goes_off_though_one_is_dead(groups: Groups) -> None:
    async with groups() as group:
        operations = Operations(group.camera)
        await group.boxes["r1"].die()
        await group.until(lambda state: not state.is_up)
        with pytest.raises(ControllersError, match="r1"):
            await operations.power(0)
        assert group.state.controllers[0].power is Power.OFF
        await group.boxes["r1"].live()
        await group.until(lambda state: state.is_up)
        await operations.power(0)
        await operations.power(1)
        await group.good(1)


async def test_puts_are_for_all_or_for_one(groups: Groups, tmp_path: Path) -> None:
    async with groups() as group:
        operations = Operations(group.camera)
        red = operations.of(group.camera.controllers[1])
        for name, box in group.boxes.items():
            (tmp_path / f"{name}.acf").write_text("[CONFIG]\n" + "\n".join(box.acf.lines))
        for controller in group.camera.controllers:
            controller.choose_config(str(tmp_path / f"{controller.name}.acf"))
        await red.load_config(1)
        assert [state.power for state in group.state.controllers] == [Power.ON, Power.OFF]
        await operations.load_config(1)
        assert [state.power for state in group.state.controllers] == [Power.OFF, Power.OFF]
        assert group.state.message.startswith("b1: ")
        await operations.power(1)
        assert [state.power for state in group.state.controllers] == [Power.ON, Power.ON]
        before = len(group.boxes["b1"].device.commands)
        await red.reset()
        assert "RESETTIMING" not in group.boxes["b1"].device.commands[before:]
        assert "RESETTIMING" in group.boxes["r1"].device.commands
        await group.good(1)

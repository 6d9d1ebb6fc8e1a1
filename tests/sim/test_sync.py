"""A synchronised set: the first controller leads the others."""

from collections.abc import Sequence

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import DeviceStatus, FrameStatus, parse_timer
from archon_ioc.sim.answers import RESTART
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.sync import SyncSet

BOOTS = (0.0, 3.5, 7.25)  # when each one was switched on


class Set:
    """Three synchronised controllers, configured and powered; ``now`` is 20 s after the first one's power-up."""

    def __init__(self, acf: Acf) -> None:
        self.units = [SimArchon(acf, applied=True, now=now) for now in BOOTS]
        SyncSet(self.units)
        self.now = 20.0
        for unit in self.units:
            unit.handle("POWERON", 15.0)

    def tell(self, number: int, *commands: str) -> list[str]:
        answers = [self.units[number].handle(command, self.now) for command in commands]
        assert all(isinstance(answer, str) for answer in answers), commands
        return [str(answer) for answer in answers]

    def tell_all(self, *commands: str) -> None:
        for number in range(len(self.units)):
            self.tell(number, *commands)

    def frames(self) -> list[FrameStatus]:
        return [FrameStatus.parse(self.tell(number, "FRAME")[0]) for number in range(len(self.units))]

    def parameters(self, name: str) -> list[int]:
        return [unit.parameters[name.upper()] for unit in self.units]


@pytest.fixture
def trio(slow: Acf) -> Set:
    return Set(slow)


def since_first_boot(frames: Sequence[FrameStatus]) -> list[float]:
    """Return when the newest frame of each unit began, on one time base."""
    return [
        round(status.newest.timestamp + boot * 1e8) for status, boot in zip(frames, BOOTS, strict=True) if status.newest
    ]


def test_an_exposure_of_all_begins_and_ends_at_one_tick(trio: Set) -> None:
    trio.tell_all("HOLDTIMING", "FASTLOADPARAM IntMS 500", "FASTLOADPARAM Exposures 1", "FASTLOADPARAM ReadOut 1")
    trio.now = 30.123456789
    trio.tell(0, "RELEASETIMING")
    trio.now = 60.0
    began = since_first_boot(trio.frames())
    assert len(began) == 3
    assert len(set(began)) == 1
    assert 31.62e8 < began[0] < 31.63e8, "after integration and the pause before the first line"


def test_each_timer_counts_from_its_own_power_up(trio: Set) -> None:
    timers = [parse_timer(trio.tell(number, "TIMER")[0]) for number in range(3)]
    assert timers == [round((20 - boot) * 1e8) for boot in BOOTS]


def test_prepared_parameters_become_active_when_the_leader_loads(trio: Set) -> None:
    trio.tell_all("FASTPREPPARAM IntMS 700")
    assert trio.parameters("IntMS") == [0, 0, 0]
    trio.tell(0, "FASTLOADPARAM NoIntMS 1")
    assert trio.parameters("IntMS") == [700, 700, 700]
    assert trio.parameters("NoIntMS") == [1, 0, 0]


def test_an_exposure_can_be_started_by_a_load(trio: Set) -> None:
    trio.tell(0, "RESETTIMING")  # now their idle loops run in step
    trio.now = 21.0
    trio.tell_all("FASTPREPPARAM ReadOut 1")
    trio.tell(0, "LOADPARAM FlushCount")
    trio.now = 60.0
    assert len(set(since_first_boot(trio.frames()))) == 1


def test_the_leader_resets_and_holds_all(trio: Set) -> None:
    trio.tell_all("FASTLOADPARAM ReadOut 1")
    trio.now = 21.5
    trio.tell(0, "RESETTIMING")
    trio.now = 60.0
    assert [status.newest for status in trio.frames()] == [None, None, None]
    trio.tell(0, "HOLDTIMING")
    assert all(unit.timing.is_held for unit in trio.units)
    trio.tell(0, "RELEASETIMING")
    assert not any(unit.timing.is_held for unit in trio.units)


@pytest.mark.parametrize("command", ["LOADTIMING", "APPLYALL"])
def test_a_new_script_of_the_leader_restarts_the_others(trio: Set, command: str) -> None:
    trio.tell_all("FASTLOADPARAM ReadOut 1")
    trio.now = 21.5
    trio.tell(0, command)
    trio.now = 60.0
    assert [status.newest for status in trio.frames()] == [None, None, None]
    assert trio.units[1].timing.is_held is False


def test_a_follower_moves_only_itself(trio: Set) -> None:
    trio.tell(1, "HOLDTIMING")
    assert [unit.timing.is_held for unit in trio.units] == [False, True, False]
    trio.tell_all("FASTPREPPARAM IntMS 700")
    trio.tell(1, "FASTLOADPARAM NoIntMS 1")
    assert trio.parameters("IntMS") == [0, 700, 0]


def test_followers_ignore_trigger_in(slow: Acf) -> None:
    leader, follower = units = [SimArchon(slow.with_value("TRIGINENABLE", "1")) for _ in range(2)]
    SyncSet(units)
    for unit in units:
        unit.handle("APPLYALL", 1)
        unit.set_trigger_in(True, 2)
    assert (leader.timing.is_held, follower.timing.is_held) == (True, False)


def test_a_cable_ends_what_trigger_in_holds(slow: Acf) -> None:
    held = slow.with_values({"TRIGINENABLE": "1", "TRIGININVERT": "1"})
    leader, follower = units = [SimArchon(held, applied=True) for _ in range(2)]
    assert follower.timing.is_held
    SyncSet(units)
    assert (leader.timing.is_held, follower.timing.is_held) == (True, False)


def test_with_a_dead_leader_no_frame_ever_comes(trio: Set) -> None:
    trio.units[0].faults.sync_dead = True
    trio.tell(0, "FRAME")
    trio.tell_all("FASTLOADPARAM ReadOut 1", "RESETTIMING", "HOLDTIMING", "RELEASETIMING")
    trio.now = 1000.0
    for number, status in enumerate(trio.frames()):
        assert status.newest is None
        assert status.write_buffer == 0
        device = DeviceStatus.parse(trio.tell(number, "STATUS")[0])
        assert (device.power, device.power_good) == (Power.ON, True)


def test_when_the_clock_returns_all_restart(trio: Set) -> None:
    trio.units[0].faults.sync_dead = True
    trio.tell(0, "FRAME")
    trio.now = 25.0
    trio.units[0].faults.clear()
    trio.tell(0, "FRAME")
    assert [unit.boots for unit in trio.units] == [2, 2, 2]
    assert not any(unit.applied.keys for unit in trio.units)


@pytest.mark.parametrize(("command", "boots"), [("REBOOT", [2, 2, 2]), ("WARMBOOT", [2, 1, 1])])
def test_a_reboot_of_the_leader_takes_the_clock_away(trio: Set, command: str, boots: list[int]) -> None:
    assert trio.units[0].handle(command, trio.now) is RESTART
    assert [unit.boots for unit in trio.units] == boots


def test_a_follower_alone_may_lose_its_clock(trio: Set) -> None:
    trio.units[1].faults.sync_dead = True
    trio.tell_all("FASTLOADPARAM ReadOut 1")
    trio.now = 60.0
    assert [bool(status.newest) for status in trio.frames()] == [True, False, True]

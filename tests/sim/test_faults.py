"""Faults strike once, and where they were told to."""

from dataclasses import fields

import pytest

from archon_ioc.errors import InputError
from archon_ioc.sim.faults import Faults


def test_a_fault_strikes_the_next_matching_command_only() -> None:
    faults = Faults(drop_reply="WCONFIG0005")
    assert not faults.strikes("drop_reply", "WCONFIG0004LINES=3")
    assert faults.strikes("drop_reply", "WCONFIG0005LINES=3")
    assert not faults.strikes("drop_reply", "WCONFIG0005LINES=3")


def test_matching_commands_may_pass_first() -> None:
    faults = Faults(reject="STATUS", skip=2)
    assert [faults.strikes("reject", "STATUS") for _ in range(4)] == [False, False, True, False]


def test_a_fault_that_is_not_set_never_strikes() -> None:
    assert not Faults().strikes("garbage", "STATUS")


def test_a_fetch_is_cut_once_after_bytes_or_blocks() -> None:
    faults = Faults(cut_fetch_after_bytes=12345)
    assert [faults.fetch_limit(1028), faults.fetch_limit(1028)] == [12345, None]
    faults.drop_link_after_blocks = 3
    assert [faults.fetch_limit(1028), faults.fetch_limit(1028)] == [3084, None]


def test_a_fetch_ends_early_once() -> None:
    faults = Faults(end_fetch_after_blocks=7)
    assert [faults.fetch_end(10), faults.fetch_end(10)] == [7, 10]
    faults.end_fetch_after_blocks = 20
    assert faults.fetch_end(10) == 10


VALUES = {
    "delay_seconds": "2.5", "skip": "3", "cut_fetch_after_bytes": "7", "drop_link_after_blocks": "0",
    "end_fetch_after_blocks": "9", "rail": "P5V", "bias_short": "MOD9/HVHC1", "open_sensor": "MOD2/TEMPA",
    "heater_cut": "MOD2/HEATERA", "adc_latency": "5",
}  # fmt: skip


@pytest.mark.parametrize("name", [item.name for item in fields(Faults) if item.init])
def test_every_fault_can_be_set_by_its_name_shown_and_cleared(name: str) -> None:
    is_switch = isinstance(getattr(Faults(), name), bool)
    value = VALUES.get(name, "1" if is_switch else "WCONFIG0005")
    faults = Faults()
    faults.take(f"{name}={value}")
    assert faults.active() == {name: value}
    faults.clear(name)
    assert faults == Faults()


def test_a_list_is_taken_as_an_operator_writes_it() -> None:
    faults = Faults()
    faults.take("power_stuck", "drop_reply = FETCH", "overheat=off")
    assert faults.active() == {"drop_reply": "FETCH", "power_stuck": "1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing", "there is no fault 'nothing'; there are drop_reply, reject"),
        ("drop_reply", "beginning of a command"),
        ("drop_reply=wconfig", "beginning of a command"),
        ("power_stuck=maybe", "on or off, not 'maybe'"),
        ("skip=many", "skip is a number"),
        ("skip=-1", "skip is a number from 0"),
        ("delay_seconds=nan", "delay_seconds is a number from 0"),
        ("delay_seconds=inf", "delay_seconds is a number from 0"),
        ("cut_fetch_after_bytes=1.5", "cut_fetch_after_bytes is a number"),
        ("rail=P6", "rail is one of P2V5, P5V"),
        ("open_sensor=MOD2", "open_sensor is a place, MOD2/TEMPA for instance"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_set(text: str, words: str) -> None:
    faults = Faults()
    with pytest.raises(InputError, match=words):
        faults.take(text)
    assert faults == Faults()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bias_short=MOD9/HVHC99", "no MOD9/HVHC99 installed; there are MOD9/HVHC1"),
        ("adc_latency=9", "adc_latency: there is no 9 installed; there are none"),
    ],
)
def test_a_place_has_to_be_installed(text: str, words: str) -> None:
    faults = Faults()
    faults.places = {"bias_short": ["MOD9/HVHC1"], "adc_latency": []}
    with pytest.raises(InputError, match=words):
        faults.take(text)
    faults.take("bias_short=MOD9/HVHC1", "open_sensor=MOD77/TEMPA", "adc_latency=0")
    assert faults.active() == {"bias_short": "MOD9/HVHC1", "open_sensor": "MOD77/TEMPA"}
    faults.clear()
    with pytest.raises(InputError, match=words):
        faults.take(text)


def test_what_is_not_there_cannot_be_cleared() -> None:
    with pytest.raises(InputError, match="no fault 'nothing'"):
        Faults().clear("nothing")


def test_clear_makes_everything_work() -> None:
    faults = Faults("A", "B", "C", 9.0, overheat=True, rail="P5V", skip=3)
    faults.clear()
    assert faults == Faults()

"""States of the modules become fields of the control word."""

import pytest

from archon_ioc.acf.channels import Channel, Level, widen
from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import compile_script

from .scripts import demo, real

KEYS = {
    "LINES": "2",
    "LINE0": "UP; UP(4)",
    "LINE1": "DOWN; DOWN(4)",
    "STATES": "2",
    "STATE0/NAME": "UP",
    "STATE0/CONTROL": "1,3E",
    "STATE1/NAME": "DOWN",
    "STATE1/CONTROL": "0,3E",
    "CONSTANTS": "2",
    "CONSTANT0": "HIGH=8",
    "CONSTANT1": "STEEP=200",
}


def channels(up: str, down: str, **keys: str) -> tuple[list[tuple[int, Level | None]], ...]:
    """Return what each output of the module in slot 3 does during one round of a script that goes up and down."""
    others = {f"MOD3/{key}": value for key, value in keys.items()}
    acf = Acf(KEYS | {"STATE0/MOD3": up, "STATE1/MOD3": down} | others)
    program, found = widen(acf, compile_script(acf))
    core = TimingCore(program)
    core.release()
    steps = [(0, core.control), *((change.tick, change.after) for change in core.advance(9).changes())]
    return tuple([(tick, channel.level(word)) for tick, word in steps] for channel in found)


def names(acf: Acf) -> dict[str, Channel]:
    return {channel.name: channel for channel in widen(acf, compile_script(acf))[1]}


def triplets(first: str) -> str:
    return first + ",,1,1" * 7


def test_clocks_have_volts_and_slew_rates() -> None:
    found = channels(triplets("HIGH,1,0"), triplets("-2.5,0,0"), FASTSLEWRATE1="STEEP", SLOWSLEWRATE1="1.5")
    assert found == ([(0, Level(8.0, 200.0)), (5, Level(-2.5, 1.5))],)


def test_what_is_kept_does_not_change() -> None:
    found = channels(triplets("8,1,0"), triplets("-2,1,1"), FASTSLEWRATE1="3")
    assert found == ([(0, Level(8.0, 3.0)), (5, Level(8.0, 3.0))],)


def test_an_output_has_no_level_before_a_state_sets_it() -> None:
    assert channels(triplets("8,1,1"), triplets("-2,1,0")) == ([(0, None), (5, Level(-2.0))],)


def test_disabled_clocks_and_unknown_levels_are_left_out() -> None:
    assert channels(triplets("8,1,0"), triplets("-2,1,0"), ENABLE1="0") == ()
    assert channels(triplets("NOWHERE,1,0"), triplets("-2,1,1")) == ()


def test_digital_outputs_are_those_that_the_script_drives() -> None:
    up, down = "1,0,1,0" + ",1,1" * 6, "0,0,0,0" + ",1,1" * 6
    assert channels(up, down, DIO_SOURCE1="2", DIO_SOURCE2="0") == ([(0, Level(1.0)), (5, Level(0.0))],)


def test_clamps_and_high_speed_patterns() -> None:
    assert channels("1,0", "0,0") == ([(0, Level(1.0)), (5, Level(0.0))],)
    pattern = "1111100000,0" + ",0,1" * 11 + ",0,1" * 4
    assert channels(pattern, pattern.replace(",0,", ",1,", 1)) == ([(0, Level(0.5)), (5, Level(0.5))],)


def test_states_of_another_form_are_left_out() -> None:
    assert channels("0,1,0.0", "0,1,0.0") == ()


def test_the_control_bits_stay_what_they_are() -> None:
    acf = demo()
    program, _ = widen(acf, compile_script(acf))
    wide, usual = TimingCore(program, {"ReadOut": 1}), TimingCore(compile_script(acf), {"ReadOut": 1})
    for core in (wide, usual):
        core.release()
        core.advance(1_300_000)
        core.load("NoIntMS", 1)
    assert wide.advance(1_400_000).ticks == usual.advance(1_400_000).ticks
    assert wide.control & 0xFF == usual.control


def test_the_outputs_of_the_demonstration_script() -> None:
    found = names(demo())
    assert set(found) == {"S1", "S2", "S3", "SW", "RG", "MOD5 clamp", "MOD6 clamp"} | {
        f"{gate}_{side}" for gate in ("P1", "P2", "P3", "TG") for side in ("TOP", "BOTTOM")
    }
    assert found["RG"].levels == (Level(-2.0, 200.0), Level(8.0, 200.0))
    assert (found["RG"].unit, found["MOD5 clamp"].unit) == ("V", "")


@pytest.mark.needs_shared
def test_the_outputs_of_real_scripts() -> None:
    assert names(real("LVM_100kHz"))["A3T_A"].levels == (Level(-9.0, 0.1), Level(-6.0, 0.1), Level(4.0, 0.1))
    assert {"LBNL_PA", "E2V_PD", "E2V_SW"} < set(names(real("BOSS_extra")))

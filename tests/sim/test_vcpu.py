"""Digital lines and the registers of a VCPU."""

from collections.abc import Mapping, Sequence

import pytest

from archon_ioc.sim.vcpu import DigitalLines, PressureGauge, Vcpu

PROGRAMMED = {"VCPU_LINES": "2", "VCPU_LINE0": "", "VCPU_LINE1": "something"}


def vcpu(settings: Mapping[str, str] = PROGRAMMED) -> Vcpu:
    made = Vcpu()
    made.apply(settings)
    made.restart(0)
    return made


def text(made: Vcpu, at: float) -> str:
    return "".join(map(chr, made.outputs(at)[:15])).strip("\0 ")


@pytest.mark.parametrize("settings", [{}, {"VCPU_LINES": "1", "VCPU_LINE0": ""}, {"VCPU_LINE0": "x"}])
def test_without_a_program_the_registers_are_empty(settings: Mapping[str, str]) -> None:
    assert list(vcpu(settings).outputs(100)) == [0] * 16


def test_a_gauge_answers_a_while_after_the_start() -> None:
    made = vcpu()
    assert (text(made, 1), made.outputs(1)[15]) == ("", 0)
    assert (text(made, 5.5), made.outputs(5.5)[15]) == ("1.2E-06", 5)


def test_after_a_restart_the_characters_stay_and_the_counter_begins_again() -> None:
    made = vcpu()
    made.outputs(100)
    made.restart(100)
    assert (text(made, 101), made.outputs(101)[15]) == ("1.2E-06", 0)
    assert made.outputs(103)[15] == 3


def test_a_restart_keeps_what_nobody_has_read_yet() -> None:
    made = vcpu()
    made.restart(100)
    assert text(made, 100) == "1.2E-06"


def test_the_counter_wraps() -> None:
    assert PressureGauge()(65537, ())[15] == 1


def test_another_device_may_be_attached() -> None:
    def double(seconds: float, registers: Sequence[int]) -> Mapping[int, int]:
        return {0: 2 * registers[3], 1: -1, 2: int(seconds)}

    made = vcpu({"VCPU_INREG3": "21", "VCPU_INREG4": ""})
    made.program = double
    assert list(made.outputs(7)[:4]) == [42, 0xFFFFFFFF, 7, 0]


def test_after_a_restart_of_the_controller_the_registers_are_empty() -> None:
    made = vcpu()
    made.outputs(100)
    made.clear()
    assert list(made.outputs(0)) == [0] * 16


def test_levels_from_outside_are_read() -> None:
    lines = DigitalLines(8)
    lines.set_input(3, True)
    assert lines.text() == "00100000"
    lines.set_input(3, False)
    assert lines.text() == "00000000"


def test_outputs_have_their_sources() -> None:
    lines = DigitalLines(8)
    sources = {f"DIO_SOURCE{n}": str((n - 1) % 4) for n in range(1, 9)}
    lines.apply({"DIO_DIR12": "1", "DIO_DIR34": "1", "DIO_DIR78": "0", **sources})
    lines.core[2] = True
    assert lines.outputs() == {1: False, 2: True, 3: True, 4: False}
    lines.by_vcpu[3] = True
    lines.set_input(1, True)
    lines.set_input(8, True)
    assert lines.outputs() == {1: False, 2: True, 3: True, 4: True}
    assert lines.text() == "01110001", "an output reads what it gives"


def test_modules_with_four_lines_have_a_direction_for_each() -> None:
    lines = DigitalLines(4)
    lines.apply({"DIO_DIR2": "1", "DIO_SOURCE2": "1", "DIO_DIR12": "1"})
    assert lines.outputs() == {2: True}
    assert lines.text() == "0100"

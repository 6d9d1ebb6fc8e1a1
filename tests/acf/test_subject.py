"""What is known of a configuration, also where much of it is wrong."""

from dataclasses import replace

from archon_ioc.acf.file import Acf
from archon_ioc.acf.subject import Subject, module_types
from archon_ioc.protocol.enums import ModuleType

from .scripts import demo


def test_modules_are_those_of_the_connected_controller() -> None:
    subject = Subject(demo(), {**demo().system, "MOD6_TYPE": "0"})
    assert subject.module(6) is ModuleType.NONE
    assert subject.file_modules[6] is ModuleType.AD


def test_without_a_controller_they_are_those_of_the_file() -> None:
    assert Subject(demo()).module(6) is ModuleType.AD


def test_a_slot_of_which_nothing_is_told_is_unknown_and_one_that_is_not_there_empty() -> None:
    subject = Subject(replace(demo(), system={"BACKPLANE_TYPE": "1", "MOD6_TYPE": "2"}))
    assert [subject.module(slot) for slot in (5, 6, 13)] == [ModuleType.UNKNOWN, ModuleType.AD, ModuleType.NONE]


def test_types_that_are_no_numbers_are_not_told() -> None:
    assert module_types({"MOD6_TYPE": "2", "MOD7_TYPE": "?", "MOD_PRESENT": "20"}) == {6: ModuleType.AD}


def test_numbers_and_constants() -> None:
    subject = Subject(Acf({"CONSTANTS": "2", "CONSTANT0": "High=5", "CONSTANT1": "#LOW=1", "A": "high", "B": "x"}))
    assert (subject.value("A"), subject.value("B"), subject.value("C")) == (5, None, None)
    assert (subject.count("CONSTANTS"), subject.count("A")) == (2, 0)


def test_a_list_is_read_up_to_its_counter_without_comments() -> None:
    subject = Subject(Acf({"LINES": "4", "LINE0": "X", "LINE1": "# no", "LINE2": "", "LINE3": "Y", "LINE4": "Z"}))
    assert subject.script_lines == {"LINE0": "X", "LINE3": "Y"}


def test_a_counter_beyond_reason_takes_no_time() -> None:
    assert list(Subject(Acf({"LINES": "99999999999", "LINE0": "X"})).entries("LINE")) == [("LINE0", "X")]


def test_a_script_that_cannot_be_compiled_has_problems_and_no_program() -> None:
    subject = Subject(demo().with_value("LINE33", "CLAMPOF"))
    assert subject.program is None
    assert subject.flow is None
    assert subject.readout is None
    assert [problem.key for problem in subject.script_problems] == ["LINE33"]


def test_a_counter_that_is_no_number_is_no_problem_of_the_script() -> None:
    subject = Subject(demo().with_value("STATES", "x"))
    assert (subject.program, subject.script_problems) == (None, ())


def test_the_readout_needs_a_parameter_that_asks_for_it() -> None:
    acf = demo().with_values({"PARAMETER2": "Expose=0", "PARAMETER3": "Read=0"})
    assert not Subject(acf).can_be_asked
    assert Subject(demo()).readout is not None


def test_taps_that_are_none_are_left_out() -> None:
    subject = Subject(demo().with_value("TAPLINE1", "nonsense"))
    assert [key for key, _ in subject.taps] == ["TAPLINE0", "TAPLINE2", "TAPLINE3"]


def test_a_script_that_takes_too_long_to_rehearse_is_not_said_to_read_nothing() -> None:
    subject = Subject(demo().with_value("LINE67", "HOLD; FlushCount++").with_value("PARAMETER15", "Lines=1000000"))
    assert subject.program is not None
    assert (subject.is_rehearsed, subject.readout) == (False, None)
    assert "more than 100000 instructions" in subject.why_not_rehearsed


def test_a_script_that_could_be_rehearsed_or_is_wrong_was_not_too_long() -> None:
    assert Subject(demo()).why_not_rehearsed == ""
    assert Subject(demo().with_value("LINE33", "CLAMPOF")).why_not_rehearsed == ""

"""The table of phases: every phase is reached and left, and a wrong step is a bug."""

import re

import pytest

from archon_ioc.exposure import phase
from archon_ioc.exposure.phase import STEPS, Phase, check_step


def test_every_phase_can_be_reached_and_left() -> None:
    assert set(STEPS) == set(Phase)
    for start in Phase:
        reached = {start}
        while more := {new for old in reached for new in STEPS[old]} - reached:
            reached |= more
        assert reached == set(Phase)


def test_every_phase_of_an_acquisition_can_be_aborted() -> None:
    at_rest = {Phase.IDLE, Phase.ABORTING}
    assert {old for old in Phase if Phase.ABORTING in STEPS[old]} == set(Phase) - at_rest


def test_a_step_of_the_table() -> None:
    check_step(Phase.IDLE, Phase.PREPARING)


@pytest.mark.parametrize(
    ("old", "new"), [(Phase.IDLE, Phase.READING), (Phase.ABORTING, Phase.PREPARING), (Phase.IDLE, Phase.IDLE)]
)
def test_a_step_that_is_not_in_the_table(old: Phase, new: Phase) -> None:
    with pytest.raises(RuntimeError, match=f"{old.name} cannot be followed by {new.name}"):
        check_step(old, new)


def test_the_picture_shows_the_table() -> None:
    drawn = set(re.findall(r"(\w+) --> (\w+)", phase.__doc__ or ""))
    also = {
        (old, "ABORTING") for old in ("INTEGRATING", "PAUSED", "PENDING", "READING", "FETCHING", "SAVING", "WAITING")
    }
    assert ("[*]", "IDLE") not in drawn
    assert drawn | also == {(old.name, new.name) for old, following in STEPS.items() for new in following}

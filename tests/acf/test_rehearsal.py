"""Scripts are run from a demand until they wait again."""

from itertools import islice

import pytest

from archon_ioc.acf.edges import Edges
from archon_ioc.acf.rehearsal import Rehearsal, looks
from archon_ioc.acf.trace import Bit
from archon_ioc.errors import InputError

from .scripts import demo, script


def test_it_begins_with_a_script_that_only_waits() -> None:
    rehearsal = Rehearsal.of(demo(), {"AutoFlush": 1, "ExternalTrigger": 1, "Exposures": 3})
    assert not rehearsal.run({}).events
    assert rehearsal.core.parameters["LINES"] == 512


def test_parameters_can_be_changed_without_regard_to_case() -> None:
    assert Rehearsal.of(demo(), {"LINES": 7, "nointms": 0}).core.parameters["LINES"] == 7
    with pytest.raises(InputError, match="no parameter 'Line'"):
        Rehearsal.of(demo(), {"Line": 7})


ONE_LOOK_IN_TEN = """
Main:
X; IF Exposures GOTO Go
X; X(7)
X; GOTO Main
Go:
INT; Exposures--
NOINT; GOTO Main
"""


def test_a_demand_is_seen_at_the_next_look() -> None:
    rehearsal = Rehearsal.of(script(ONE_LOOK_IN_TEN, {"Exposures": 0}), {})

    def reaction(at: int) -> int | None:
        return rehearsal.reaction({}, at, {"Exposures": 1}, Edges(Bit.INT))

    # Parameters are read in tick 30, the first of the loop, and INT rises in the next one.
    assert [reaction(at) for at in (30, 31, 40, 41)] == [31, 41, 41, 51]
    assert list(islice(looks(reaction, 33), 3)) == [(41, 51), (51, 61), (61, 71)]


def test_looks_need_not_be_equally_far_apart() -> None:
    seen = [10, 20, 35, 36, 60]

    def reaction(at: int) -> int | None:
        return next((look + 3 for look in seen if look >= at), None)

    assert list(looks(reaction, 1)) == [(11, 23), (21, 38), (36, 39), (37, 63)]


def test_there_are_no_looks_without_a_reaction() -> None:
    assert list(looks(lambda _: None, 1)) == []

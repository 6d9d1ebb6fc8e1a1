"""What holds and starts the timing core."""

from collections.abc import Callable

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.sim.resets import Resets
from archon_ioc.sim.sync import Edge


class Core:
    """A timing core that only knows whether it runs and how often it started."""

    def __init__(self) -> None:
        self.runs = False
        self.starts = 0

    def reset(self, at: float) -> None:
        self.starts += self.runs

    def hold(self, at: float) -> None:
        self.runs = False

    def release(self, at: float) -> None:
        self.starts += not self.runs
        self.runs = True


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def resets(core: Core) -> Resets:
    made = Resets(core)
    made.started(0)
    return made


Configure = Callable[..., None]


@pytest.fixture
def configure(resets: Resets) -> Configure:
    def apply(is_led: bool = False, **keys: int) -> None:
        resets.configure(Acf({key: str(value) for key, value in keys.items()}), 0, is_led=is_led)

    return apply


def test_the_host_resets_holds_and_releases(core: Core, resets: Resets) -> None:
    resets.follow(Edge.RESET, 1)
    assert (core.runs, core.starts) == (True, 2)
    resets.follow(Edge.HOLD, 2)
    resets.follow(Edge.RESET, 3)
    assert (core.runs, core.starts) == (False, 2)
    resets.follow(Edge.RELEASE, 4)
    assert (core.runs, core.starts) == (True, 3)


def test_a_new_script_runs_although_the_old_one_was_held(core: Core, resets: Resets) -> None:
    resets.follow(Edge.HOLD, 1)
    resets.started(2)
    assert core.runs


@pytest.mark.parametrize(("inverted", "holding"), [(0, True), (1, False)])
def test_a_level_holds_and_its_end_starts(
    core: Core, resets: Resets, configure: Configure, inverted: int, holding: bool
) -> None:
    resets.set_trigger(not holding, 1)
    configure(TRIGINENABLE=1, TRIGININVERT=inverted)
    assert (core.runs, core.starts) == (True, 1)
    resets.set_trigger(holding, 2)
    assert not core.runs
    resets.follow(Edge.RESET, 3)
    resets.follow(Edge.RELEASE, 3)
    resets.started(3)
    assert not core.runs
    resets.set_trigger(not holding, 4)
    assert (core.runs, core.starts) == (True, 2)


def test_a_level_that_is_there_counts_from_when_it_is_enabled(core: Core, resets: Resets, configure: Configure) -> None:
    resets.set_trigger(True, 1)
    assert core.runs
    configure(TRIGINENABLE=1)
    assert not core.runs
    configure(TRIGINENABLE=0)
    assert core.runs


def test_the_trigger_does_not_release_what_the_host_holds(core: Core, resets: Resets, configure: Configure) -> None:
    configure(TRIGINENABLE=1)
    resets.follow(Edge.HOLD, 1)
    resets.set_trigger(True, 2)
    resets.set_trigger(False, 3)
    assert not core.runs
    resets.follow(Edge.RELEASE, 4)
    assert core.runs


@pytest.mark.parametrize(("inverted", "active"), [(0, True), (1, False)])
def test_edges_restart_and_never_hold(
    core: Core, resets: Resets, configure: Configure, inverted: int, active: bool
) -> None:
    configure(TRIGINENABLE=1, TRIGINEDGE=1, TRIGININVERT=inverted)
    resets.set_trigger(not active, 1)
    before = core.starts
    resets.set_trigger(active, 2)
    resets.set_trigger(active, 3)
    assert (core.runs, core.starts) == (True, before + 1)
    resets.set_trigger(not active, 4)
    assert core.starts == before + 1


def test_a_unit_with_the_clock_of_another_ignores_the_trigger(core: Core, resets: Resets, configure: Configure) -> None:
    configure(is_led=True, TRIGINENABLE=1)
    resets.set_trigger(True, 1)
    assert (core.runs, core.starts) == (True, 1)

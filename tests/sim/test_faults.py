"""Faults strike once, and where they were told to."""

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


def test_clear_makes_everything_work() -> None:
    faults = Faults("A", "B", "C", 9.0, "D", 3, 7, 8, True, True, "P5V", True)
    faults.clear()
    assert faults == Faults()

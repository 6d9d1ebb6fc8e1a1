"""Errors say what happened, and who acts can be told from their kind."""

import pytest

from archon_ioc import errors


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.ConfigError("wrong"), "wrong"),
        (errors.ConfigError("wrong", path="site.yaml"), "site.yaml: wrong"),
        (errors.ConfigError("wrong", path="ccd.acf", line=12), "ccd.acf:12: wrong"),
        (errors.ConfigError("wrong", line=12), "line 12: wrong"),
        (errors.ForbiddenError("FLASH00", "it may break"), "'FLASH00' is refused: it may break"),
        (errors.CommandTimeoutError("STATUS", 5.0), "no reply to 'STATUS' within 5 s"),
        (errors.CommandTimeoutError("FETCH", 0.25), "no reply to 'FETCH' within 0.25 s"),
        (errors.RejectedError("POWERON"), "the controller rejected 'POWERON'"),
        (errors.RejectedError("POWERON", "not applied"), "the controller rejected 'POWERON': not applied"),
        (errors.SaveError("/data/a.fits", "disk full"), "cannot write /data/a.fits: disk full"),
        (errors.ControllersError({"b1": errors.StateError("too hot")}), "b1: too hot"),
        (
            errors.ControllersError({"b1": errors.LinkError("b1 is gone"), "r1": errors.StateError("too hot")}),
            "b1 is gone; r1: too hot",
        ),
    ],
)
def test_sentences(error: errors.ArchonError, message: str) -> None:
    assert str(error) == message


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (errors.ConfigError, errors.ArchonError),
        (errors.InputError, errors.ArchonError),
        (errors.ForbiddenError, errors.InputError),
        (errors.LinkError, errors.ArchonError),
        (errors.ProtocolError, errors.LinkError),
        (errors.CommandTimeoutError, errors.LinkError),
        (errors.RejectedError, errors.ArchonError),
        (errors.StateError, errors.ArchonError),
        (errors.ReadoutError, errors.ArchonError),
        (errors.ControllersError, errors.ArchonError),
        (errors.SaveError, errors.ArchonError),
    ],
)
def test_the_tree(kind: type[Exception], parent: type[Exception]) -> None:
    assert kind.__bases__ == (parent,)
    assert f"── {kind.__name__} " in (errors.__doc__ or "")


def test_a_time_out_is_not_swallowed_with_others() -> None:
    # It breaks the link; code that waits with a limit of its own catches TimeoutError.
    assert not issubclass(errors.CommandTimeoutError, TimeoutError)

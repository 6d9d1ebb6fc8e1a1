"""Puts of clients: checked, handed to the row and told of alike, whatever server they come through."""

import inspect
import logging
from typing import Any

from archon_ioc.errors import ArchonError, StateError
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Pv

log = logging.getLogger(__name__)


async def put(table: Table[Any, Any], row: Pv[Any, Any], name: str, value: object) -> str:
    """Do what a client wants, and tell the target of the table of it.

    Args:
        table: of the row.
        row: what is put to.
        name: full name of the record, for messages.
        value: as the client sent it.

    Returns:
        Why it was refused, empty if it was done.
    """
    try:
        note = await _apply(table, row, name, value)
    except ArchonError as error:
        log.info("%s = %r refused: %s", name, value, error)
        return _refused(table, str(error))
    except Exception as error:
        # One client's put must not end the service for all.
        log.exception("%s = %r failed", name, value)
        return _refused(table, f"internal error: {error!r}")
    if note:
        log.info(note)
        table.target.refused(note)
    else:
        table.target.accepted()
    return ""


def _refused(table: Table[Any, Any], message: str) -> str:
    table.target.refused(message)
    return message or "refused"


async def _apply(table: Table[Any, Any], row: Pv[Any, Any], name: str, value: object) -> str:
    """Hand a client's value to the row; return what is to be told of it, though it was accepted."""
    if row.put is None:
        raise StateError(f"{name} is read-only")
    kind: Any = row.kind
    wanted = kind.accept(value)
    if row.linked and table.is_linked is not None and not table.is_linked(table.live.value):
        raise StateError(f"{name} cannot be set: the controller is not connected")
    result = row.put(table.target, wanted)
    if inspect.isawaitable(result):
        await result
    return _clamped(name, value, wanted)


def _clamped(name: str, value: object, wanted: object) -> str:
    """Return what to tell of a number that was beyond a limit; records clamp it, and say nothing."""
    if not isinstance(value, float | int) or not isinstance(wanted, float | int):
        return ""
    meant = int(value) if isinstance(wanted, int) else value
    return "" if meant == wanted else f"{name}: {value:g} is out of range, {wanted:g} is taken"

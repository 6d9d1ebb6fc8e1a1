"""What a simulated controller answers, and what it reads out of the text of a command."""

import re
from dataclasses import dataclass
from typing import Final

from archon_ioc.acf.script import COUNTER_LIMIT
from archon_ioc.errors import InputError

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class Rejection:
    """The answer to a command that failed; the log has the reason."""


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """The answer to FETCH: so many blocks of the memory from ``address`` are to be sent."""

    address: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Restart:
    """The controller restarts: the connection drops without a reply."""


REJECTED: Final = Rejection()
RESTART: Final = Restart()

Answer = str | Rejection | BlockRequest | Restart | None
"""A text (often empty), a failure, blocks, a restart, or silence."""


def hexadecimal(text: str, digits: int) -> int:
    """Return the number that so many hexadecimal digits make.

    Raises:
        InputError: if the text is anything else.
    """
    if len(text) != digits or not _HEXADECIMAL.fullmatch(text):
        raise InputError(f"{text[:40]!r} is not {digits} hexadecimal digits")
    return int(text, 16)


def name_and_value(text: str) -> dict[str, int]:
    """Return the parameter and the number that FASTLOADPARAM was given.

    Raises:
        InputError: if the text is anything else.
    """
    words = text.split()
    if len(words) != 2 or not words[1].isdecimal() or int(words[1]) > COUNTER_LIMIT:
        raise InputError(f"{text[:60]!r} is not a parameter and a number from 0 to {COUNTER_LIMIT}")
    return {words[0]: int(words[1])}

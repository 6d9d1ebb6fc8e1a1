"""UserCards: header cards that the user gives as JSON, kept until others are given."""

import asyncio
import logging
from pathlib import Path

from archon_ioc.errors import InputError
from archon_ioc.exposure.attribute_xml import LONGEST_TEXT
from archon_ioc.exposure.cards import parse
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.image.header import Value
from archon_ioc.live import Live

log = logging.getLogger(__name__)

Cards = dict[str, tuple[Value, str]]


class UserCards:
    """The user's cards of one camera: those of a file, and those of a text that stand above them.

    ``names`` are those of CCDs and controllers. A file is read when it is named, and when the program starts.
    """

    def __init__(self, live: Live[CameraState], names: frozenset[str]) -> None:
        self._live = live
        self._names = names
        self._of_file: Cards = {}
        self._of_text: Cards = {}

    async def set_file(self, path: str) -> None:
        """Take the cards of a file; the empty text is for none.

        Raises:
            InputError: if it cannot be read or understood; the cards stay as they are.
        """
        self._of_file = await asyncio.to_thread(_of_file, path, self._names)
        update(self._live, settings=self._live.value.settings.changed(header_file=path))

    def set_text(self, text: str) -> None:
        """Take the cards of a JSON text; the empty text is for none.

        Raises:
            InputError: if it cannot be understood; the cards stay as they are.
        """
        self._of_text = parse(text, self._names)
        update(self._live, settings=self._live.value.settings.changed(header_json=text))

    async def load(self) -> None:
        """Take the cards of the settings; what is wrong is shown and left out."""
        settings = self._live.value.settings
        try:
            self._of_text = parse(settings.header_json, self._names)
            self._of_file = await asyncio.to_thread(_of_file, settings.header_file, self._names)
        except InputError as error:
            log.error("%s", error)
            update(self._live, message=str(error)[:255])

    def cards(self) -> Cards:
        """Return them; those for one CCD or controller have its name and a dot before the keyword."""
        return self._of_file | self._of_text


def _of_file(path: str, names: frozenset[str]) -> Cards:
    if not path.strip():
        return {}
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(LONGEST_TEXT + 1)
    except OSError as error:
        raise InputError(f"header: {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"header: {path}: {error}") from error
    if len(text) > LONGEST_TEXT:
        raise InputError(f"header: {path} is longer than {LONGEST_TEXT} characters")
    return parse(text, names)

"""Header cards that are not ours: of the site, of what the controller says, and of the user's JSON."""

import json
from collections.abc import Mapping
from typing import Any, cast

from archon_ioc.config import SiteConfig, StatusCards
from archon_ioc.driver.state import ControllerState
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.image.header import ExtraCards, Value, check_cards


def extra_cards(
    theirs: ExtraCards, controller: ControllerState, site: SiteConfig
) -> tuple[ExtraCards, Mapping[str, ExtraCards]]:
    """Return the cards for all images of a controller, and those for each of its CCDs only.

    Args:
        theirs: cards of clients; with ``NAME.`` before the keyword for the CCD or controller of that name only. They
            replace those of the site.
        controller: what STATUS and SYSTEM say.
        site: the cards of the site and of its CCDs.
    """
    common = {keyword: card for keyword, card in theirs.items() if "." not in keyword}
    own = {**site.header.cards, **_told(site.header.status, controller), **common, **_named(theirs, controller.name)}
    of_ccds = {
        ccd.name: {**ccd.cards, **_told(ccd.status, controller), **_named(theirs, ccd.name)}
        for ccd in site.detectors_of(controller.name)
    }
    return own, {name: cards for name, cards in of_ccds.items() if cards}


def check_site(site: SiteConfig) -> None:
    """Check the cards of the site file.

    Raises:
        ConfigError: naming every card that a header cannot hold.
    """
    for what in (site.header, *site.detectors):
        check_cards({**what.cards, **{keyword: ("", rest[1]) for keyword, rest in what.status.items()}})


def parse(text: str, names: frozenset[str]) -> dict[str, tuple[Value, str]]:
    """Understand a JSON object of keywords with a value or ``[value, comment]``; empty text is none.

    Under the name of a CCD or controller there may be another object, of cards for that one only. Its keywords are
    returned with the name and a dot before them.

    Raises:
        InputError: if it is not such an object, or a header cannot hold a card.
    """
    if not text.strip():
        return {}
    try:
        found: Any = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise InputError(f"header: not JSON: {error}") from error
    cards: dict[str, tuple[Value, str]] = {}
    for keyword, value in _object(found, "it").items():
        if not isinstance(value, dict):
            cards |= _checked({keyword: value})
        elif keyword in names:
            own = _checked(_object(value, keyword))
            cards |= {f"{keyword}.{name}": card for name, card in own.items()}
        else:
            raise InputError(f"header: {keyword!r} is neither a CCD nor a controller")
    return cards


def _named(cards: ExtraCards, name: str) -> dict[str, tuple[Value, str]]:
    start = f"{name}."
    return {keyword.removeprefix(start): card for keyword, card in cards.items() if keyword.startswith(start)}


def _told(wanted: StatusCards, controller: ControllerState) -> dict[str, tuple[Value, str]]:
    system: Mapping[str, str] = controller.system.fields if controller.system else {}
    fields = {**system, **(controller.status.fields if controller.status else {})}
    cards: dict[str, tuple[Value, str]] = {}
    for keyword, (field, comment, *digits) in wanted.items():
        text = fields.get(field.replace("\\", "/").upper())
        if text is not None:
            value = _value(text)
            cards[keyword] = (round(value, *digits) if digits and isinstance(value, float) else value, comment)
    return cards


def _value(text: str) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _object(found: Any, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise InputError(f"header: {what} is not a JSON object")
    return cast("dict[str, Any]", found)


def _checked(found: Mapping[str, Any]) -> dict[str, tuple[Value, str]]:
    cards = {keyword.upper(): _card(keyword, value) for keyword, value in found.items()}
    try:
        check_cards(cards)
    except ConfigError as error:
        raise InputError(str(error)) from error
    return cards


def _card(keyword: str, found: Any) -> tuple[Value, str]:
    parts = cast("list[Any]", found) if isinstance(found, list) else [found]
    value, comment = (*parts, "")[:2] if parts else (None, "")
    if len(parts) > 2 or not isinstance(value, str | int | float) or not isinstance(comment, str):
        raise InputError(f"header: {keyword} is neither a value nor [value, comment]")
    return value, comment


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number")

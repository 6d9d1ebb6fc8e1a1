"""Attributes: values that a client wants with every image and in its header, named in areaDetector's XML."""

import asyncio
import logging
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError
from archon_ioc.exposure.attribute_xml import AttributesError, AttributesStatus, PvSource, Value, Wanted, wanted
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.image import header, layout
from archon_ioc.live import Live
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo

log = logging.getLogger(__name__)

_NUMBERED = re.compile(
    r"(GAIN|RDNOISE|[DTBCA]SEC|BIASLV|E?NOISE|NSATUR|MEDIAN)\d*|(DATA|TRIM|BIAS|CCD|AMP|DET)SEC|(CCD|DET)SIZE|QLREF"
    r"|(AMP|CCD)NAME|NEXTEND|TEMP\d+[A-C]?|BACKTEMP|ARCH\w+"
)


class Attributes:
    """The attributes of one camera; the owner of what its state says of them. ``more`` gives further cards."""

    def __init__(
        self,
        live: Live[CameraState],
        taken: Mapping[str, object],
        more: Callable[[], Mapping[str, tuple[Value, str]]] = dict[str, tuple[Value, str]],
    ) -> None:
        self.source: PvSource | None = None
        """Whose process variables can be named."""
        self.port = ""
        """What the camera is called among the ports whose parameters can be named."""
        self._live = live
        self._taken = taken
        self._more = more
        self._loaded: tuple[Wanted, ...] = ()
        self._keywords: Mapping[str, str] = {}

    async def change(self, **changes: str) -> None:
        """Set ``attributes_file`` or ``attributes_macros`` and load; what is wrong is shown, and there are none."""
        update(self._live, settings=self._live.value.settings.changed(**changes))
        await self.load()

    async def load(self) -> None:
        """Load what the settings name; what is wrong is shown, and there are none."""
        asked = self._asked()
        status, message = AttributesStatus.OK, ""
        loaded: tuple[Wanted, ...] = ()
        keywords: Mapping[str, str] = {}
        try:
            loaded = await asyncio.to_thread(wanted, *asked, self.source, self.port)
            keywords, without = await asyncio.to_thread(keywords_of, loaded, self._taken)
            message = f"attributes that are no header cards: {', '.join(without)}" if without else ""
        except AttributesError as error:
            log.error("%s", error)
            status, message = error.status, str(error)
        if asked != self._asked():  # somebody was faster
            return
        self._loaded, self._keywords = loaded, keywords
        if self.source:
            self.source.follow(self.port, frozenset((one.pv, one.as_text) for one in loaded if one.pv))
        update(self._live, attributes_status=int(status))
        if message:
            update(self._live, message=message[:255])

    def cards(self) -> dict[str, tuple[Value, str]]:
        """Return the header cards with the values of now; what is not known has no card."""
        known = {one: value for one, value in self.values().items() if value is not None and one.name in self._keywords}
        own = {self._keywords[one.name]: (value, one.description) for one, value in known.items()}
        return {**{keyword: card for keyword, card in own.items() if _fits(keyword, card)}, **self._more()}

    def values(self) -> dict[Wanted, Value | None]:
        """Return what is wanted with the values of now, None for what is not known."""
        return {one: one.value_now(self.source) for one in self._loaded}

    def _asked(self) -> tuple[str, str]:
        settings = self._live.value.settings
        return settings.attributes_file, settings.attributes_macros


def keywords_of(loaded: Collection[Wanted], taken: Mapping[str, object]) -> tuple[dict[str, str], list[str]]:
    """Return the keywords of the attributes that can be header cards, and the names of those that cannot.

    Those of the site and of this program are ``taken``, and a keyword is for the first attribute that wants it.
    """
    used = _our_keywords() | {keyword.upper() for keyword in taken}
    keywords: dict[str, str] = {}
    for one in loaded:
        keyword = re.sub(r"[^A-Z0-9_-]", "_", one.name.upper())[:8]
        if keyword not in used and not _NUMBERED.fullmatch(keyword) and _fits(keyword, (one.value, one.description)):
            keywords[one.name] = keyword
            used.add(keyword)
    return keywords, [one.name for one in loaded if one.name not in keywords]


def _fits(keyword: str, card: tuple[Value, str]) -> bool:
    try:
        header.check_cards({keyword: card})
    except ConfigError as error:
        log.debug("no card: %s", error)
        return False
    return True


def _our_keywords() -> set[str]:
    """The keywords that are in a header anyway; those with numbers are in `_NUMBERED`."""
    now = datetime.now(UTC)
    buffer = BufferInfo(1, SampleMode.BITS16, True, FrameMode.TOP, *[0] * 12)
    facts = header.Facts(
        number=1, image_type="", requested_seconds=0.0, exposure_seconds=0.0, dark_seconds=0.0, started=now, ended=now,
        written=now, buffer=buffer, controller="", ccd_temperature=0.0, window=(0, 0, 0, 0),
        detector=DetectorConfig(name="ccd", taps=("AD1L",)),
    )  # fmt: skip
    return {card.keyword for card in layout.image_cards(facts)}

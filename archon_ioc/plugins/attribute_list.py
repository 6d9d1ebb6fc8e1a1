"""AttributeList: what clients want to be known of each array that goes out of a port, named in areaDetector's XML."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from archon_ioc.exposure.attribute_xml import AttributesError, AttributesStatus, PvSource, Value, Wanted, wanted
from archon_ioc.plugins.ndarray import Attribute, NDArray

log = logging.getLogger(__name__)


class AttributeList:
    """The attributes of one plugin.

    Args:
        port: the plugin's.
        asked: returns the file, or XML in place of its name, and macros.
        tell: called with what became of them, and what is wrong.
    """

    def __init__(
        self, port: str, asked: Callable[[], tuple[str, str]], tell: Callable[[AttributesStatus, str], None]
    ) -> None:
        self.source: PvSource | None = None
        """Whose process variables can be named."""
        self._port = port
        self._asked = asked
        self._tell = tell
        self._loaded: tuple[Wanted, ...] = ()

    async def load(self) -> None:
        """Load what is asked for; what is wrong is told, and there are none."""
        asked = self._asked()
        status, message, loaded = AttributesStatus.OK, "", ()
        try:
            loaded = await asyncio.to_thread(wanted, *asked, self.source, self._port)
        except AttributesError as error:
            log.error("%s: %s", self._port, error)
            status, message = error.status, str(error)
        if asked == self._asked():  # else somebody was faster
            self._loaded = loaded
            if self.source:
                self.source.follow(self._port, frozenset((one.pv, one.as_text) for one in loaded if one.pv))
            self._tell(status, message)

    def added_to(self, array: NDArray) -> NDArray:
        """Return an array with these attributes, as they are now."""
        if not self._loaded:
            return array
        own = attributes_of({one: one.value_now(self.source) for one in self._loaded})
        return replace(array, attributes={**array.attributes, **own})


def attributes_of(values: Mapping[Wanted, Value | None]) -> dict[str, Attribute]:
    """Return attributes as an array has them; what is not known is no number, or no text."""
    return {
        one.name: Attribute(_value(one, value), one.description, one.source, one.source_type, one.data_type)
        for one, value in values.items()
    }


def _value(one: Wanted, value: Value | None) -> float | int | str:
    if value is None:
        return "" if one.as_text else math.nan
    return int(value) if isinstance(value, bool) else value

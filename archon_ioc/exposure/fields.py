"""What ``{fields}`` in the names of folders and files stand for."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from archon_ioc.config import SiteConfig
from archon_ioc.errors import InputError

DATE_FOLDERS = ("none", "mjd", "sjd", "date")
"""Which field names the folder of the night."""
LATE = ("ccd", "controller", "number")
"""Fields that are known when a file is named; the others when its exposure begins."""

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_FIELD = re.compile(r"\{(?P<name>[^{}:]*)(?P<spec>:[^{}]*)?\}")
_SPEC = re.compile(r":0?\d{0,2}d?")
_DATE = re.compile(r"%[YmdHMSjy]")

Fields = Mapping[str, str | int]
NO_FIELDS: Fields = MappingProxyType({})


def night_fields(site: SiteConfig, now: datetime) -> dict[str, str | int]:
    """Return the fields of a site at a moment: all but those in `LATE`."""
    days = (now - _MJD_ZERO) / timedelta(days=1)
    return {
        "observatory": re.sub(r"[^\w.-]+", "_", site.header.observatory),
        "hemisphere": site.files.hemisphere,
        "mjd": math.floor(days),
        "sjd": math.floor(days + site.files.sjd_offset),
        "date": now.astimezone(UTC).strftime("%Y-%m-%d"),
    }


def dated(path: str, now: datetime) -> str:
    """Return a path with the date in place of ``%Y``, ``%m``, ``%d``, ``%H``, ``%M``, ``%S``, ``%j``, ``%y`` (UTC)."""
    return _DATE.sub(lambda match: now.astimezone(UTC).strftime(match.group()), path)


def resolved(path: str, site: SiteConfig) -> str:
    """Return a folder as it is called now: with the date and the fields of the site.

    Raises:
        InputError: if there is a field of another name.
    """
    now = datetime.now(UTC)
    return filled(dated(path, now), night_fields(site, now))


def filled(text: str, fields: Fields, later: tuple[str, ...] = ()) -> str:
    """Return a text with its fields replaced.

    >>> filled("sdR-{ccd}-{number:08d}", {"ccd": "b1", "number": 7})
    'sdR-b1-00000007'

    Args:
        text: fields in braces; a number may have a width, as in Python.
        fields: what they stand for.
        later: fields that are left as they are.

    Raises:
        InputError: if there is a field of another name, or what follows its name is not a width.
    """

    def value(match: re.Match[str]) -> str:
        name, spec = match["name"], match["spec"] or ""
        if spec and not (_SPEC.fullmatch(spec) and isinstance(fields.get(name, 0), int)):
            raise InputError(f"{match.group()!r}: a number may have a width such as :08d, and nothing else")
        if name in later:
            return match.group()
        if name not in fields:
            raise InputError(f"{match.group()!r} is not one of {', '.join(f'{{{n}}}' for n in (*fields, *later))}")
        return format(fields[name], spec[1:])

    return _FIELD.sub(value, text)

"""Kept: what differs from the default settings, in a small JSON file over restarts."""

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, cast

from archon_ioc.errors import InputError, SaveError

log = logging.getLogger(__name__)


class Changeable(Protocol):
    """Settings: a frozen dataclass of plain values."""

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values; raises `InputError` if one makes no sense."""
        ...


T = TypeVar("T", bound=Changeable)


class KeptFile:
    """A JSON object in a file. The methods block.

    Programs that share a folder are told apart by the ``prefix`` of their process variables.
    """

    def __init__(self, folder: Path, word: str, prefix: str = "") -> None:
        words = [word, *re.findall(r"[\w.-]+", prefix, re.ASCII)]
        self._path = folder / f"{'-'.join(words)}.json"

    def load(self) -> dict[str, dict[str, Any]]:
        """Return the object, of which each value is one too or a plain one; empty, and logged, if it cannot be read."""
        try:
            kept: Any = json.loads(self._path.read_text(encoding="utf-8"))
            return dict[str, Any](kept)
        except FileNotFoundError:
            return {}
        except (OSError, TypeError, ValueError) as error:
            log.error("%s cannot be read, settings start anew: %s", self._path, error)
            return {}

    def save(self, pairs: Mapping[str, Any]) -> None:
        """Write the object, whole or not at all.

        Raises:
            SaveError: if the file cannot be written.
        """
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8") as file:
                file.write(json.dumps(pairs, indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise SaveError(str(self._path), error.strerror or str(error)) from error

    def part(self, kept: Mapping[str, Any], *names: str) -> dict[str, Any]:
        """Return an object inside of what was loaded; empty if there is none, and logged if it is something else."""
        found = dict(kept)
        for name in names:
            part: Any = found.get(name, {})
            if not isinstance(part, dict):
                log.error("%s cannot be read, settings start anew: %s is %r", self._path, name, found[name])
                return {}
            found = cast("dict[str, Any]", part)
        return found


def differences(old: Any, new: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that have another value than in ``old``, as plain data."""
    before, now = asdict(old), asdict(new)
    return {name: value for name, value in now.items() if value != before[name]}


def restored(settings: T, kept: Mapping[str, Any]) -> T:
    """Return settings with each kept value that has the type of its field and makes sense; the others are logged."""
    for name, value in kept.items():
        try:
            settings = settings.changed(**{name: _typed(getattr(settings, name), value)})
        except (AttributeError, TypeError, ValueError, InputError) as error:
            log.warning("kept setting %s=%r is left out: %s", name, value, error)
    return settings


def _typed(old: Any, value: Any) -> Any:
    if isinstance(old, tuple) and isinstance(value, list):
        return _typed_tuple(cast("tuple[Any, ...]", old), cast("list[Any]", value))
    return _typed_scalar(old, value)


def _typed_scalar(old: Any, value: Any) -> Any:
    """Return a value of JSON with the type of ``old``; what only looks like it is refused."""
    kind = cast("type[Any]", type(old))
    kinds = (int, float) if kind is float else int if issubclass(kind, IntEnum) else kind
    if not isinstance(value, kinds) or isinstance(value, bool) is not isinstance(old, bool):
        raise TypeError(f"it should be a {kind.__name__}")
    return kind(value)


def _typed_tuple(old: tuple[Any, ...], values: list[Any]) -> tuple[Any, ...]:
    if len(old) != len(values):
        raise TypeError(f"there should be {len(old)} values")
    return tuple(_typed_scalar(one, value) for one, value in zip(old, values, strict=True))

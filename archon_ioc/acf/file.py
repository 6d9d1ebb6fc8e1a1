"""Acf: a configuration in a file, read, edited and written back without a loss."""

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Self

from archon_ioc.acf import ini, ncf
from archon_ioc.acf.configuration import Configuration
from archon_ioc.acf.ini import CONFIG, SYSTEM, Document
from archon_ioc.errors import ConfigError, InputError, SaveError

_LARGEST_FILE = 4 << 20
_SHOWN_PROBLEMS = 10
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_/]*")


@dataclass(frozen=True)
class Acf(Configuration):
    """A configuration and the file it came from: an ``.acf``, or an ``.ncf`` in the vendor's "nice" form.

    Every edit is a copy. The text of the copy differs from the file in those lines only that were changed.
    """

    document: Document | None = field(default=None, compare=False, repr=False)

    @classmethod
    def read(cls, path: str | Path, *, strict: bool = True) -> Self:
        """Read a file; not ``strict``: with values that are wrong, for `archon_ioc.acf.check` to tell them.

        Raises:
            ConfigError: if the file cannot be read or is not an ACF; the message names each wrong line.
        """
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(error.strerror or str(error), path=str(path)) from error
        if len(raw) > _LARGEST_FILE:
            raise ConfigError(f"{len(raw)} bytes are too many for an ACF", path=str(path))
        return cls.parse(raw.decode("latin-1"), str(path), strict=strict)

    @classmethod
    def parse(cls, text: str, path: str = "", *, strict: bool = True) -> Self:
        """Understand the text of a file; not ``strict``: whatever its values are.

        Raises:
            ConfigError: if it is not an ACF; the message names each wrong line.
        """
        document = ncf.parse(text) if ncf.is_ncf(text) else ini.parse(text)
        if CONFIG not in document.sections:
            raise ConfigError("not an ACF: there is no [CONFIG] section", path=path)
        if not document.config and not document.problems:
            raise ConfigError("not an ACF: its [CONFIG] section is empty", path=path)
        acf = cls(document.config, document.sections.get(SYSTEM, MappingProxyType({})), path, document)
        problems = [*document.problems, *(acf.problems() if strict else ())]
        if problems:
            shown = "; ".join(problems[:_SHOWN_PROBLEMS])
            more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
            raise ConfigError(f"{len(problems)} bad line(s): {shown}{more}", path=path)
        return acf

    @classmethod
    def from_lines(cls, lines: list[str], path: str = "") -> Self:
        """Make an Acf of what a controller's memory holds, empty lines left out."""
        pairs = (line.partition("=") for line in lines if line)
        return cls(MappingProxyType({key: _without_quotes(value) for key, _, value in pairs}), path=path)

    def text(self) -> str:
        """Return the text of the file, the same as it was read but for the lines of changed keys.

        A configuration that came from no file gives a new one, sorted as the vendor's program sorts it.

        Raises:
            InputError: if an ``.ncf`` cannot say it.
        """
        return self.document.text(self.keys) if self.document else ini.fresh(self.keys, self.system)

    def write(self, path: str | Path) -> None:
        """Write the file; it is there as a whole or, after an error or a crash, still the old one. Blocks.

        What was read from an ``.ncf`` and is to be an ``.acf`` is written anew.

        Raises:
            SaveError: if it cannot be written.
            InputError: if it holds letters that are not in Latin-1, or what an ``.ncf`` cannot say.
        """
        path = Path(path)
        is_other_form = self.document is not None and self.document.numbered is not None and path.suffix != ".ncf"
        text = ini.fresh(self.keys, self.system) if is_other_form else self.text()
        try:
            raw = text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise InputError(f"{error.object[error.start : error.end]!r} is not in Latin-1") from None
        try:
            _replace_file(path.resolve(), raw)
        except OSError as error:
            raise SaveError(str(path), error.strerror or str(error)) from error

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the lines, in hex: equal for equal configurations."""
        return hashlib.sha256("\n".join(self.lines).encode("latin-1", "replace")).hexdigest()

    def source_line(self, key: str) -> int | None:
        """Return the line of the text, from 1, that gives ``key``, also one of [SYSTEM]; None if no line does.

        Lines are counted in the text as it was read, before any edit.
        """
        if self.document is None:
            return None
        return self.document.lines.get(self.find(key)) if key in self else self.document.system_lines.get(key)

    def with_value(self, key: str, value: str) -> Self:
        """Return a copy in which ``key``, which must exist, has another value."""
        return self.with_values({key: value})

    def with_values(self, changes: Mapping[str, str]) -> Self:
        """Return a copy with several other values.

        Raises:
            InputError: if the configuration does not have one of the keys.
        """
        found = {self.find(key): value for key, value in changes.items()}
        return replace(self, keys=MappingProxyType({**self.keys, **found}))

    def with_key(self, key: str, value: str) -> Self:
        """Return a copy in which ``key`` has a value; a new key comes after its neighbour in the alphabet.

        Raises:
            InputError: if ``key`` cannot be one.
        """
        if key in self:
            return self.with_value(key, value)
        new = key.replace("\\", "/")
        if not _KEY.fullmatch(new):
            raise InputError(f"{key!r} cannot be a key")
        before = max((own for own in self.keys if own < new), default=None)
        keys = {new: value} if before is None else {}
        for own, old in self.keys.items():
            keys[own] = old
            if own == before:
                keys[new] = value
        return replace(self, keys=MappingProxyType(keys))

    def without(self, key: str) -> Self:
        """Return a copy without ``key``, which must exist. Lists are not renumbered."""
        own = self.find(key)
        return replace(self, keys=MappingProxyType({name: text for name, text in self.keys.items() if name != own}))

    def with_parameter(self, name: str, value: int) -> Self:
        """Return a copy in which the parameter ``name`` has another stored value.

        Raises:
            InputError: if there is no such parameter.
        """
        return self.with_value(self.parameter_key(name), f"{self.parameter_name(name)}={value}")

    def with_constant(self, name: str, value: float) -> Self:
        """Return a copy in which the constant ``name`` has another value.

        Raises:
            InputError: if there is no such constant.
        """
        return self.with_value(self.constant_key(name), f"{self.constant_name(name)}={value:.15g}")


def _without_quotes(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


def _replace_file(path: Path, raw: bytes) -> None:
    """Write next to ``path`` and rename when all is on the disk; mode and, if possible, owner stay."""
    old = path.stat() if path.exists() else None
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        if old:
            _give(part, old)
        part.chmod(old.st_mode & 0o7777 if old else 0o666 & ~_umask())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
    _flush_folder(path.parent)


def _give(part: Path, old: os.stat_result) -> None:
    """Give a file the owner and the group of another, as far as one may: only root gives to everybody."""
    for owner, group in ((-1, old.st_gid), (old.st_uid, -1)):
        with suppress(PermissionError):
            os.chown(part, owner, group)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

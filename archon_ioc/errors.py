"""Every error that is raised on purpose. Each branch says who acts.

```
ArchonError
├── ConfigError            the site file or the ACF is wrong       → a person edits a file
├── InputError             a value that cannot be used             → the caller gives another
│   └── ForbiddenError         a command that is never sent        → nobody; use the vendor's tool
├── LinkError              the link cannot be trusted              → the controller reconnects
│   ├── ProtocolError          bytes the protocol does not allow
│   └── CommandTimeoutError    command, seconds
├── RejectedError          the controller answered '?' (command)   → the caller decides
├── ControllersError       one or more of several failed (errors)  → whoever acts on each of these
├── StateError             legal, but not now                      → the user tries later
├── ReadoutError           frame incomplete, wrong size, replaced  → the exposure fails
└── SaveError              path, reason                            → the user frees or names a folder
```
"""

from collections.abc import Mapping


class ArchonError(Exception):
    """Anything that went wrong in a way that this program foresees."""


class ConfigError(ArchonError):
    """A site file or an ACF is wrong; a person edits the file."""

    def __init__(self, message: str, *, path: str = "", line: int = 0) -> None:
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else f"line {line}: " if line else ""
        super().__init__(where + message)
        self.path = path
        self.line = line


class InputError(ArchonError):
    """A value cannot be used; the caller gives another one."""


class ForbiddenError(InputError):
    """A firmware, flash or network command: this program never sends it."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"{command!r} is refused: {reason}")
        self.command = command
        self.reason = reason


class LinkError(ArchonError):
    """The link cannot be trusted any more; its owner opens a new one."""


class ProtocolError(LinkError):
    """The controller sent bytes that the protocol does not allow."""


class CommandTimeoutError(LinkError):
    """No reply came in time, so a later reply could be mistaken for it."""

    def __init__(self, command: str, seconds: float) -> None:
        super().__init__(f"no reply to {command!r} within {seconds:g} s")
        self.command = command
        self.seconds = seconds


class RejectedError(ArchonError):
    """The controller answered ``?`` to a command; its log may say why."""

    def __init__(self, command: str, log: str = "") -> None:
        super().__init__(f"the controller rejected {command!r}" + (f": {log}" if log else ""))
        self.command = command
        self.log = log


class ControllersError(ArchonError):
    """One or more of several controllers failed; the others did what was to be done."""

    def __init__(self, errors: Mapping[str, ArchonError]) -> None:
        super().__init__("; ".join(_named(name, str(error)) for name, error in errors.items()))
        self.errors = errors


def _named(name: str, text: str) -> str:
    return text if text.startswith(name) else f"{name}: {text}"


class StateError(ArchonError):
    """Legal, but not now; the user tries again when the reason is gone."""


class ReadoutError(ArchonError):
    """A frame did not complete, has the wrong size or was replaced; the exposure fails."""


class SaveError(ArchonError):
    """A file could not be written; the user frees space or names another folder."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot write {path}: {reason}")
        self.path = path
        self.reason = reason

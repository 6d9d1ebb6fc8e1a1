"""Edit: set a key, a parameter or a constant of an ACF by its name, as a person writes it."""

from collections.abc import Callable

from archon_ioc.acf.check import refusals
from archon_ioc.acf.file import Acf
from archon_ioc.acf.keys import normal, objection, slot_of, spec_of
from archon_ioc.errors import InputError
from archon_ioc.protocol.enums import ModuleType

Folding = Callable[[str], str]


def with_setting(acf: Acf, name: str, value: str, *, is_forced: bool = False) -> Acf:
    """Return a copy in which the key, parameter or constant ``name`` has another value.

    A name that is written exactly as the configuration has it goes before one in another case: ``Lines`` may be a
    parameter where ``LINES`` is a key. A key of the manual that the configuration does not have is added.

    Raises:
        InputError: if nothing or more than one thing has this name; if the value cannot be right, unless
            ``is_forced``; if the file could not be read again.
    """
    key, text = _place(acf, name, value)
    module_type = _module_type(acf, key)
    if not is_forced:
        if key not in acf and spec_of(key, module_type) is None:
            place = f" for slot {slot_of(key)}: {module_type.label}" if module_type is not None else ""
            raise InputError(f"{name!r} is neither a key of the manual{place}, nor a parameter, nor a constant")
        if why := objection(key, text, module_type, acf.constants):
            raise InputError(f"{name}={value}: {why}")
    changed = acf.with_key(key, text)
    if new := set(changed.problems()) - set(acf.problems()):
        raise InputError(new.pop())
    return changed


def require_no_worse(old: Acf, new: Acf) -> None:
    """Refuse edits after which a configuration should not be loaded any more, for a reason that was not there before.

    One edit may need others to be right, as a list its counter: this is for all of them together.

    Raises:
        InputError: if a key of ``new`` is a reason not to load it, and none for ``old``.
    """
    known = {finding.key for finding in refusals(old)}
    if worse := [finding for finding in refusals(new) if finding.key not in known]:
        more = f" (and {len(worse) - 1} more)" if len(worse) > 1 else ""
        raise InputError(f"{worse[0].key}: {worse[0].why}{more}")


def _place(acf: Acf, name: str, value: str) -> tuple[str, str]:
    """Return the key and the text of its entry."""
    plain = name.replace("\\", "/")
    exact = _named(acf, plain, lambda text: text)
    found = exact or _named(acf, plain, str.upper)
    if len(found) > 1:
        raise InputError(f"{name!r} may be {' or '.join(sorted(found))}; write that key")
    if not found:
        return normal(name) if spec_of(name) else plain, value
    ((key, own),) = found.items()
    return key, f"{own}={value}" if own else value


def _named(acf: Acf, name: str, folded: Folding) -> dict[str, str]:
    """Return what has this name: keys, each with the name of the parameter or constant that its entry sets."""
    wanted = folded(name)
    keys = {key: "" for key in acf.keys if folded(key) == wanted}
    parameters = {acf.parameter_key(own): own for own in acf.parameters if folded(own) == wanted}
    constants = {acf.constant_key(own): own for own in acf.constants if folded(own) == wanted}
    return keys | parameters | constants


def _module_type(acf: Acf, key: str) -> ModuleType | None:
    """Return the type of the module that a key belongs to; None if it is no module's or nothing tells."""
    slot = slot_of(key)
    return acf.modules.get(slot, ModuleType.NONE) if slot is not None and acf.modules else None

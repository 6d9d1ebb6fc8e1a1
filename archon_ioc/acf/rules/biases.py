"""Rules on biases: in which order they are switched on, and which are not connected."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.subject import Subject

_VOLTS = re.compile(r"(LVLC|LVHC|HVLC|HVHC|XVP|XVN)_V(\d+)")
_LAST_PART = re.compile(r"_[^_]*$|.$")


class _Bias(NamedTuple):
    key: str
    label: str
    kind: str
    slot: int
    volts: float
    order: int | None
    enable: str
    limit: float | None

    @property
    def name(self) -> str:
        return self.label or self.key.partition("/")[2].replace("_V", " ")

    @property
    def is_used(self) -> bool:
        return self.enable.strip() == "1" if self.enable else bool(self.volts)

    def of(self, what: str) -> str:
        """Return the key of another property of the bias."""
        return re.sub(r"_V(\d+)$", rf"_{what}\1", self.key)


@lru_cache(1)
def _biases(subject: Subject) -> tuple[_Bias, ...]:
    return tuple(_read_biases(subject))


def _read_biases(subject: Subject) -> Iterator[_Bias]:
    for slot, keys in subject.slots.items():
        for name, text in keys.items():
            match = _VOLTS.fullmatch(name)
            volts = subject.number(text) if match else None
            if match is None or volts is None:
                continue
            kind, channel = match.groups()
            label = keys.get(f"{kind}_LABEL{channel}", "").strip()
            order = keys.get(f"{kind}_ORDER{channel}", "").strip()
            yield _Bias(
                f"MOD{slot}/{name}",
                label,
                kind,
                slot,
                volts,
                int(order) if order.isdecimal() else None,
                keys.get(f"{kind}_ENABLE{channel}", ""),
                subject.number(keys.get(f"{kind}_IL{channel}", "")),
            )


def _order_gap(subject: Subject) -> Iterator[Found]:
    used = [bias for bias in _biases(subject) if bias.is_used and bias.order is not None]
    orders = sorted({bias.order for bias in used if bias.order is not None})
    for before, after in zip([0, *orders], orders, strict=False):
        if after - before > 1:
            first = next(bias for bias in used if bias.order == after)
            yield Found(first.of("ORDER"), f"{first.name} is in step {after}; no bias is in the steps after {before}")


def _order_differs(subject: Subject) -> Iterator[Found]:
    groups: defaultdict[tuple[int, str, float, str], list[_Bias]] = defaultdict(list)
    for bias in _biases(subject):
        if bias.is_used and bias.volts and bias.order is not None and bias.label:
            groups[bias.slot, bias.kind, bias.volts, _LAST_PART.sub("", bias.label)].append(bias)
    for group in groups.values():
        usual = Counter(bias.order for bias in group).most_common(1)[0][0]
        for bias in group:
            if bias.order != usual:
                others = ", ".join(other.name for other in group if other.order == usual)
                yield Found(bias.of("ORDER"), f"{bias.name} is in step {bias.order}, {others} in step {usual}")


def _no_current(subject: Subject) -> Iterator[Found]:
    for bias in _biases(subject):
        if bias.is_used and bias.limit == 0:
            yield Found(bias.of("IL"), f"{bias.name} is enabled at {bias.volts:g} V, with a limit of 0 mA")


def _not_enabled(subject: Subject) -> Iterator[Found]:
    for bias in _biases(subject):
        if bias.volts and bias.enable.strip() == "0":
            yield Found(bias.of("ENABLE"), f"{bias.name} has {bias.volts:g} V, but is not enabled")


RULES: tuple[Rule, ...] = (
    Rule("order-gap", Severity.WARNING, "No bias is in a step of the power-up that is followed by others.",
         "Correct ORDER: the steps are worth having only one after the other.", _order_gap),
    Rule("order-differs", Severity.WARNING, "Biases of the same name and level are switched on in different steps.",
         "Give them the same ORDER.", _order_differs),
    Rule("no-current", Severity.WARNING, "A bias is enabled that may deliver no current.",
         "Set its IL to what it needs, in mA.", _no_current),
    Rule("bias-disabled", Severity.NOTE, "A bias has a level, but is not enabled.",
         "Enable it, if it is needed.", _not_enabled),
)  # fmt: skip

"""What a benchmark is told, and what it found out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Settings:
    """How to measure: ``rounds`` of each, ``peer`` the Python that has the peers, ``small`` for a quick try."""

    rounds: int
    peer: Path | None
    small: bool


@dataclass(frozen=True)
class Figure:
    """One measured number; ``at_least`` and ``at_most`` are the goals of the project, where it has any."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return f"at most {self.at_most:g}" if self.at_most is not None else ""

    @property
    def is_met(self) -> bool:
        """Whether the goal, if there is one, is reached."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)


def middle_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the median of the rounds' ratios: what slows the machine down for a while slows both."""
    return median(a / b for a, b in zip(above, below, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which ``percent`` of the values are."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]

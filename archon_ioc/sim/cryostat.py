"""The cryostat behind a heater module: three plates on a cold head, with exact steps of any length."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PLATES = 3
HEATER_OHMS = 25.0
"""Resistance of a heater: 25 W at the full 25 V."""

_AMBIENT = 20.0
_COOLER = -167.0  # °C where the cooler takes heat away
_COOLER_CONDUCTANCE = 2.0  # W/K
_LEAK_CONDUCTANCE = 0.05  # W/K from the surroundings through a cooler that stands still
_CAPACITIES = (30.0, 60.0, 60.0, 600.0)  # J/K: CCD plate, second plate, third plate, cold head
_STRAPS = (0.020, 0.030, 0.035)  # W/K from each plate to the cold head
_WINDOWS = (0.0040, 0.0047, 0.0040)  # W/K from the surroundings: radiation, linear around -100 °C, and wires
_BRIDGES = ((0, 1, 0.002), (1, 2, 0.002))  # W/K between plates
_START = (-95.0, -110.0, -120.0, -165.0)  # °C

_Matrix = NDArray[np.float64]
_Row = tuple[float, ...]


class Cryostat:
    """Temperatures in °C of plates A, B and C, and of the cold head they hang on."""

    def __init__(self) -> None:
        self.celsius = list(_START)
        self.is_cooled = True
        """Whether the cooler runs; without it everything warms up."""
        self._steps: dict[tuple[float, bool], tuple[_Row, ...]] = {}

    def advance(self, seconds: float, watts: Sequence[float]) -> None:
        """Let ``seconds`` pass in which each plate is heated with so many W; exact for constant heat."""
        t0, t1, t2, t3 = self.celsius
        w0, w1, w2 = watts
        self.celsius = [
            a * t0 + b * t1 + c * t2 + d * t3 + e * w0 + f * w1 + g * w2 + rest
            for a, b, c, d, e, f, g, rest in self._rows(seconds)
        ]

    def response(self, seconds: float, heated: int, sensed: int) -> float:
        """Return by how many K one W on the plate ``heated`` warms the plate ``sensed`` in ``seconds``."""
        return self._rows(seconds)[sensed][PLATES + 1 + heated]

    def _rows(self, seconds: float) -> tuple[_Row, ...]:
        key = (seconds, self.is_cooled)
        if key not in self._steps:
            if len(self._steps) >= 16:
                self._steps.clear()  # steps of odd lengths happen once
            self._steps[key] = _step(seconds, is_cooled=self.is_cooled)
        return self._steps[key]


def _step(seconds: float, *, is_cooled: bool) -> tuple[_Row, ...]:
    """Return how the temperatures after a step follow from those before, the heat of the plates, and the rest."""
    conductance, inflow = _network(is_cooled=is_cooled)
    root = np.sqrt(np.array(_CAPACITIES))
    rates, modes = np.linalg.eigh(conductance / np.outer(root, root))
    decay = modes @ np.diag(np.exp(-rates * seconds)) @ modes.T
    kept = decay / root[:, None] * root[None, :]
    gained = (np.eye(PLATES + 1) - kept) @ np.linalg.inv(conductance)
    table = np.column_stack([kept, gained[:, :PLATES], gained @ inflow])
    return tuple(tuple(row) for row in table.tolist())


def _network(*, is_cooled: bool) -> tuple[_Matrix, _Matrix]:
    """Return the conductances between the nodes, and the W that flow into each one held at 0 °C."""
    matrix = np.zeros((PLATES + 1, PLATES + 1))
    inflow = np.zeros(PLATES + 1)
    head = PLATES
    for a, b, watts in (*_BRIDGES, *((plate, head, strap) for plate, strap in enumerate(_STRAPS))):
        matrix[[a, b], [a, b]] += watts
        matrix[[a, b], [b, a]] -= watts
    for plate, window in enumerate(_WINDOWS):
        matrix[plate, plate] += window
        inflow[plate] += window * _AMBIENT
    conductance, celsius = (_COOLER_CONDUCTANCE, _COOLER) if is_cooled else (_LEAK_CONDUCTANCE, _AMBIENT)
    matrix[head, head] += conductance
    inflow[head] += conductance * celsius
    return matrix, inflow

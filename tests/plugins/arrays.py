"""Arrays for the tests of plugins."""

import numpy as np

from archon_ioc.plugins.ndarray import Dimension, NDArray


def array(number: int = 1, shape: tuple[int, int] = (4, 6), dtype: str = "uint16") -> NDArray:
    """Return an image whose pixels count up from ``number``."""
    rows, columns = shape
    pixels = (np.arange(rows * columns).reshape(shape) + number).astype(dtype)
    return NDArray(pixels, number, 1000.0 + number, 1001.0 + number, (Dimension(columns), Dimension(rows)))

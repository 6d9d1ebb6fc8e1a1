"""The bytes of a pushed frame."""

from collections.abc import Callable

import numpy as np
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.errors import StateError
from archon_ioc.sim.frames import Buffer
from archon_ioc.sim.push import push_header, push_pixels
from archon_ioc.sim.shot import Geometry, Shot


def buffer_of(acf: Acf) -> Buffer:
    geometry = Geometry.of(acf)
    assert geometry is not None
    return Buffer(2, Shot(0x1234, geometry), started=0xABCDEF)


def test_the_header_names_mode_number_size_and_time(separate: Acf, changed: Callable[..., Acf]) -> None:
    assert push_header(buffer_of(separate)) == b"<QF0" + b"00001234" + b"000C" + b"0004" + b"0000000000ABCDEF"
    header = push_header(buffer_of(changed(separate, SAMPLEMODE=1)))
    assert header[:4] == b"<QF1"
    assert len(header) == 36


def test_the_pixels_follow_without_padding(separate: Acf) -> None:
    buffer = buffer_of(separate)
    buffer.image = np.arange(96, dtype=np.uint8)
    assert push_pixels(buffer).tobytes() == bytes(range(96))


def test_nothing_is_pushed_that_is_not_there(separate: Acf) -> None:
    with pytest.raises(StateError, match="buffer 1 holds no frame"):
        push_header(Buffer(1))
    with pytest.raises(StateError, match="was not rendered"):
        push_pixels(buffer_of(separate))

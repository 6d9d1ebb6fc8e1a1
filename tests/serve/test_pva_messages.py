"""What the IOC and its PVAccess process tell each other."""

import numpy as np

from archon_ioc.plugins.ndarray import Attribute, Dimension, NDArray
from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import Choice, Severity
from archon_ioc.serve import pva_messages
from archon_ioc.serve.pva_messages import RecordSpec, Serve, Show, ShowImage


def test_messages_arrive_as_they_were_sent() -> None:
    kind = Choice(("Off", "On"), {"Off": Severity.MINOR})
    messages = (
        Serve((RecordSpec("T:X", kind, "An X", writable=True),), ("T:Image",)),
        Show(3, Reading(1.5, "HIGH", Severity.MINOR), 12.25),
    )
    wire = pva_messages.packed(messages)
    head, data = wire[: pva_messages.SIZE_BYTES], wire[pva_messages.SIZE_BYTES :]
    assert pva_messages.size_of(head) == len(data)
    assert pva_messages.unpacked(data) == messages


def test_an_image_arrives_with_all_but_its_pixels() -> None:
    array = NDArray(np.empty((0, 0)), 7, 1.5, 2.5, (Dimension(4, 10, 100, 2, reverse=True),), {"A": Attribute("b")})
    wire = pva_messages.packed([ShowImage(0, array, "<u2", (3, 4), "lz4")])
    (message,) = pva_messages.unpacked(wire[pva_messages.SIZE_BYTES :])
    assert isinstance(message, ShowImage)
    assert (message.data_type, message.shape, message.codec) == ("<u2", (3, 4), "lz4")
    told = message.array
    assert (told.unique_id, told.timestamp, told.dimensions) == (7, 1.5, array.dimensions)
    assert told.attributes == {"A": Attribute("b")}

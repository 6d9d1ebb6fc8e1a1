"""Frames that are pushed: what FASTAUTOFETCH sends of a completed frame."""

from archon_ioc.errors import StateError
from archon_ioc.sim.frames import Buffer, Bytes


def push_header(buffer: Buffer) -> bytes:
    """Return the 36 bytes in front of the pixels of a pushed frame.

    They are ``<QF``, a digit for the sample mode, 8 hexadecimal digits of the frame number, 4 each of width and
    height, 16 of the timestamp. It is not documented; that width comes first is a guess (protocol sheet).

    Raises:
        StateError: if the buffer holds no frame.
    """
    shot = buffer.shot
    if shot is None:
        raise StateError(f"buffer {buffer.number} holds no frame")
    geometry = shot.geometry
    text = (
        f"<QF{int(geometry.sample_mode)}{shot.frame & 0xFFFFFFFF:08X}"
        f"{geometry.width & 0xFFFF:04X}{geometry.height & 0xFFFF:04X}{buffer.started:016X}"
    )
    return text.encode("ascii")


def push_pixels(buffer: Buffer) -> Bytes:
    """Return the pixels that follow the header: the image as it is, without blocks or padding.

    Raises:
        StateError: if the frame was not rendered.
    """
    if buffer.image is None or buffer.shot is None:
        raise StateError(f"the frame in buffer {buffer.number} was not rendered")
    return buffer.image[: buffer.shot.geometry.image_bytes]

"""Fetches with a blocking recv_into and cuts the headers out with one strided copy. Argument: the port.

The least that Python can do.
"""

import socket
import sys
import time
import zlib

import numpy as np
from turns import answer, take_turns

BLOCK, RECORD = 1024, 1028


def ask(link: socket.socket, command: bytes) -> dict[str, str]:
    """Return the KEY=VALUE pairs of a text reply."""
    link.sendall(b">01" + command + b"\n")
    reply = b""
    while not reply.endswith(b"\n"):
        reply += link.recv(65536)
    return dict(pair.split("=") for pair in reply[3:].decode().split())


def main() -> None:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as link:
        fields = ask(link, b"FRAME")
        size = int(fields["BUF1WIDTH"]) * int(fields["BUF1HEIGHT"]) * 2
        blocks = -(-size // BLOCK)
        command = b">02FETCH%08X%08X\n" % (int(fields["BUF1BASE"]), blocks)
        wire = memoryview(bytearray(blocks * RECORD))

        def fetch(_: str) -> dict[str, object]:
            started, cpu = time.perf_counter(), time.process_time()
            link.sendall(command)
            received = 0
            while received < len(wire):
                received += link.recv_into(wire[received:])
            pixels = np.frombuffer(wire, np.uint8).reshape(blocks, RECORD)[:, 4:].copy()
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
            return {"seconds": seconds, "cpu": cpu, "crc": zlib.crc32(pixels.reshape(-1)[:size])}

        answer("ready")
        take_turns(fetch)


if __name__ == "__main__":
    main()

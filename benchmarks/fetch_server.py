"""A controller that holds one frame and sends it as fast as the socket takes it. Arguments: width, height.

Plain blocking sockets and none of the project's code: the same server for every client.
"""

import socket
import sys
import threading
import zlib

import numpy as np
from turns import answer

BLOCK, RECORD = 1024, 1028
BASE = 0xA0000000
SYSTEM = "BACKPLANE_TYPE=1 BACKPLANE_REV=5 BACKPLANE_VERSION=1.0.1252 BACKPLANE_ID=0000000000000001 MOD_PRESENT=000 "
SYSTEM += " ".join(f"MOD{n}_TYPE=0 MOD{n}_REV=0 MOD{n}_VERSION=0.0.0 MOD{n}_ID=0000000000000000" for n in range(1, 13))
STATUS = "VALID=1 COUNT=1 LOG=0 POWER=4 POWERGOOD=1 OVERHEAT=0 BACKPLANE_TEMP=25.000"


def frame_reply(width: int, height: int) -> str:
    """Return what FRAME says when the first of the three buffers holds a frame of 16 bits per pixel."""
    fields = ["TIMER=0000000000002000", "RBUF=0", "WBUF=1"]
    for n in (1, 2, 3):
        filled = {"COMPLETE": 1, "FRAME": 1, "WIDTH": width, "HEIGHT": height, "PIXELS": width, "LINES": height}
        shown = filled if n == 1 else dict.fromkeys(filled, 0)
        shown |= {"SAMPLE": 0, "MODE": 0, "BASE": BASE, "RAWBLOCKS": 0, "RAWLINES": 0, "RAWOFFSET": 0}
        fields += [f"BUF{n}{key}={value}" for key, value in shown.items()]
        fields.append(f"BUF{n}TIMESTAMP={0x1000 if n == 1 else 0:016X}")
    return " ".join(fields)


def serve(client: socket.socket, replies: dict[str, str], pixels: np.ndarray) -> None:
    """Answer one client until it leaves; what is not known succeeds with an empty reply."""
    records = np.zeros((len(pixels) // BLOCK, RECORD), np.uint8)
    records[:, 4:] = pixels.reshape(-1, BLOCK)
    records[:, 0], records[:, 3] = ord("<"), ord(":")
    with client, client.makefile("rb") as lines:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for line in lines:
            ref, command = line[1:3], line[3:].decode("latin-1").strip()
            if command.startswith("FETCH") and command != "FETCHLOG":
                records[:, 1:3] = np.frombuffer(ref, np.uint8)
                client.sendall(records.reshape(-1).data)
            else:
                client.sendall(b"<%s%s\n" % (ref, replies.get(command, "").encode()))


def main() -> None:
    width, height = int(sys.argv[1]), int(sys.argv[2])
    size = width * height * 2
    pixels = np.zeros(-(-size // BLOCK) * BLOCK, np.uint8)
    # Every byte occurs, also those of headers.
    pixels[:size] = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    replies = {"SYSTEM": SYSTEM, "STATUS": STATUS, "FRAME": frame_reply(width, height), "FETCHLOG": "(null)"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer({"port": listener.getsockname()[1], "crc": zlib.crc32(pixels[:size].data)})
        threading.Thread(target=accept, args=(listener, replies, pixels), daemon=True).start()
        sys.stdin.read()


def accept(listener: socket.socket, replies: dict[str, str], pixels: np.ndarray) -> None:
    """Give each client a thread of its own."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, replies, pixels), daemon=True).start()


if __name__ == "__main__":
    main()

"""The wire: bytes to values and back. Pure: no asyncio, sockets, clock or numpy."""

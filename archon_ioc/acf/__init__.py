"""What a configuration means. Pure: no asyncio, sockets, clock or numpy."""

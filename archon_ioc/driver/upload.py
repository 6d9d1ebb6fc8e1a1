"""Send a configuration to the controller's memory and read one back."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

from archon_ioc.acf.file import Acf
from archon_ioc.driver.connection import Connection
from archon_ioc.driver.state import Progress, Step
from archon_ioc.errors import ConfigError, LinkError
from archon_ioc.protocol import commands

_READ_STEP = 256
"""Lines read at a time while looking for the end of a configuration in the memory."""

_COUNTED = {
    "LINES": "LINE{}",
    "PARAMETERS": "PARAMETER{}",
    "CONSTANTS": "CONSTANT{}",
    "STATES": "STATE{}/NAME",
    "TAPLINES": "TAPLINE{}",
}
"""Lists of a configuration: the key with their length, and those of their items."""

OnProgress = Callable[[Progress], None]


def require_whole(acf: Acf) -> None:
    """Check that a configuration is one, and that none of its end is missing.

    Raises:
        ConfigError: if a value is wrong or a key is missing; the message names it.
    """
    if not acf.keys:
        raise ConfigError("the configuration is empty", path=acf.path)
    if problems := acf.problems():
        raise ConfigError(problems[0], path=acf.path)
    items = [item.format(n) for count, item in _COUNTED.items() for n in range(acf.number(count, 0))]
    missing = [key for key in ("PIXELCOUNT", "LINECOUNT", *items) if key not in acf.keys]
    if missing:
        raise ConfigError(f"{len(missing)} key(s) are missing: {', '.join(missing[:5])}", path=acf.path)


@asynccontextmanager
async def polling_off(connection: Connection) -> AsyncGenerator[None]:
    """Keep the controller from refreshing STATUS, which makes configuration commands fast."""
    try:
        await connection.request(commands.poll_off())
        yield
    finally:
        # Without it STATUS would stay frozen. A broken link needs no care: the next one begins with POLLON.
        with suppress(LinkError):
            await connection.request(commands.poll_on())


async def write_config(connection: Connection, acf: Acf, on_progress: OnProgress) -> None:
    """Replace the configuration memory by ``acf`` and verify it by reading it back. Applies nothing.

    Raises:
        RejectedError: if the controller refuses a line.
        ConfigError: if what was read back differs; the message names the lines.
        LinkError: if the link breaks; the memory then holds a mixture.
    """
    total = len(acf.lines)

    def report(step: Step) -> Callable[[int], None]:
        return lambda done: on_progress(Progress(step, done, total))

    async with polling_off(connection):
        await connection.request(commands.clear_config())
        writes = [commands.write_config(n, line) for n, line in enumerate(acf.lines)]
        await connection.request_many(writes, report(Step.WRITING))
        reads = [commands.read_config(n) for n in range(total)]
        stored = await connection.request_many(reads, report(Step.VERIFYING))
    wrong = [n for n, (sent, got) in enumerate(zip(acf.lines, stored, strict=True)) if sent != got]
    if wrong:
        first = f"line {wrong[0]} is {stored[wrong[0]]!r} instead of {acf.lines[wrong[0]]!r}"
        raise ConfigError(f"{len(wrong)} of {total} lines differ after writing: {first}", path=acf.path)


async def read_config(connection: Connection, on_progress: OnProgress) -> Acf:
    """Return what the configuration memory holds, up to the first 256 empty lines in a row.

    Raises:
        LinkError: if the link breaks.
    """
    lines: list[str] = []
    async with polling_off(connection):
        while len(lines) < commands.CONFIG_LINES:
            span = range(len(lines), min(len(lines) + _READ_STEP, commands.CONFIG_LINES))
            part = await connection.request_many([commands.read_config(n) for n in span])
            lines += part
            on_progress(Progress(Step.READING_BACK, len(lines), commands.CONFIG_LINES))
            if not any(part):
                break
    return Acf.from_lines(lines)


async def differing_keys(connection: Connection, acf: Acf, also: Iterable[str] = ()) -> Mapping[str, str]:
    """Return some keys whose lines in the memory are not those of ``acf``, with what is there.

    Looks at the lines that decide about geometry, at both ends and at the keys ``also``: enough to know whether
    another program has loaded another configuration, and cheap enough for every connect.
    """
    probes = ["PIXELCOUNT", "LINECOUNT", "FRAMEMODE", "TAPLINE0", "PARAMETERS", "LINES", "STATES", *also]
    keys = list(acf.keys)
    chosen = {acf.line_number(key) for key in probes if key in acf} | {0, len(keys) - 1, len(keys) // 2}
    numbers = sorted(chosen)
    stored = await connection.request_many([commands.read_config(n) for n in numbers])
    return {keys[n]: line for n, line in zip(numbers, stored, strict=True) if line != acf.lines[n]}

"""The control port: lines of text with which an operator or a test makes things happen to a simulated controller."""

import asyncio
import math
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archon_ioc.errors import ArchonError, InputError
from archon_ioc.sim.bench import Bench
from archon_ioc.sim.modules import Module

_READ_SIZE = 4096
_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that can be told: how it is written, what it does, and the function that does it."""

    usage: str
    meaning: str
    act: Callable[[Sequence[str]], str | list[str]]
    """Gets the words after the first one; returns what stands after ``ok``, or lines that stand before it."""
    least: int = 0
    most: int = 0


class Operator:
    """Does what lines of text say to one simulated controller; ``cut`` ends every connection to it."""

    def __init__(self, bench: Bench, cut: Callable[[], None]) -> None:
        self._bench = bench
        self._device = bench.device
        self._cut = cut
        self.orders = {order.usage.partition(" ")[0]: order for order in self._orders()}
        """Everything that can be told, by its first word."""

    async def answer(self, line: str) -> list[str]:
        """Do what one line says; return the lines of the answer, of which the last begins with ``ok`` or ``error``."""
        first, *words = line.split() or [""]
        try:
            async with self._bench.clock.lock:
                said = self._order(first, words).act(words)
        except ArchonError as error:
            return [f"error {error}"]
        return [*(f"  {text}" for text in said), "ok"] if isinstance(said, list) else [f"ok {said}".rstrip()]

    def _order(self, first: str, words: Sequence[str]) -> Order:
        order = self.orders.get(first.lower())
        if order is None:
            raise InputError(f"{first[:40]!r} is not one of {', '.join(self.orders)}")
        if not order.least <= len(words) <= order.most:
            raise InputError(f"it is written: {order.usage}")
        return order

    def _orders(self) -> list[Order]:
        return [
            Order("faults", "list the faults that are set", lambda _: self._faults()),
            Order("set NAME [VALUE]", "set a fault: set drop_reply FETCH", self._set, 1, 2),
            Order("clear [NAME]", "make everything work again, or one thing", self._clear, 0, 1),
            Order("trigger [high|low]", "set Trigger In, or pulse it", self._trigger, 0, 1),
            Order("reboot", "restart the controller; its connections end", lambda _: self._reboot()),
            Order("link-drop", "end every connection to the controller", lambda _: self._cut() or ""),
            Order("status [KEY…]", "show STATUS, or the keys that begin so", self._status, 0, 99),
            Order("state", "show what the timing core does", lambda _: self._state()),
            Order("dinput MODn LINE 0|1", "set a digital input: dinput MOD4 1 1", self._dinput, 3, 3),
            Order("sensor MODn A|B|C CELSIUS", "set the temperature at a sensor, or: open, ok", self._sensor, 3, 3),
            Order("log TEXT…", "add an entry to the controller's log", self._log, 1, 999),
            Order("speed [FACTOR]", "show or change how fast time runs", self._speed, 0, 1),
            Order("help", "show this", lambda _: self._help()),
        ]

    @property
    def _now(self) -> float:
        return self._bench.clock.now

    def _help(self) -> list[str]:
        return [f"{order.usage:<26} {order.meaning}" for order in self.orders.values()]

    def _faults(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self._device.faults.active().items())

    def _set(self, words: Sequence[str]) -> str:
        name, _, value = words[0].partition("=")
        self._device.faults.set(name, *words[1:] or [value])
        return self._faults()

    def _clear(self, words: Sequence[str]) -> str:
        self._device.faults.clear(*words)
        return self._faults()

    def _trigger(self, words: Sequence[str]) -> str:
        if not words:
            self._device.trigger_in(self._now)
        else:
            self._device.set_trigger_in(_choice(words[0], {"high": True, "low": False}), self._now)
        return ""

    def _reboot(self) -> str:
        self._device.handle("REBOOT", self._now)
        self._cut()
        return ""

    def _status(self, words: Sequence[str]) -> str:
        text = self._device.handle("STATUS", self._now)
        fields = text.split() if isinstance(text, str) else []
        return " ".join(field for field in fields if not words or field.startswith(tuple(words)))

    def _state(self) -> list[str]:
        device = self._device
        device.advance(self._now)
        frames, timing = device.frames, device.timing
        buffer = frames.buffers[max(frames.write_buffer, 1) - 1]
        return [
            f"line=LINE{timing.line} {device.applied.keys.get(f'LINE{timing.line}', '')}",
            f"routine={timing.routine}",
            f"held={timing.is_held:d} integrating={timing.is_integrating:d} tick={timing.tick} late={timing.late:.3f}",
            f"frame={frames.frame} buffer={frames.write_buffer} lines={buffer.lines} pixels={buffer.pixels}"
            f" complete={buffer.complete:d} locked={frames.locked}",
            " ".join(f"{name}={value}" for name, value in timing.parameters.items()),
        ]

    def _dinput(self, words: Sequence[str]) -> str:
        lines = self._module(words[0]).lines
        count, line = len(lines.text()), _number(words[1])
        if line not in range(1, count + 1):
            raise InputError(f"{words[0]} has {count} digital lines, not {words[1]}")
        lines.set_input(int(line), _choice(words[2], {"0": False, "1": True}))
        return ""

    def _sensor(self, words: Sequence[str]) -> str:
        slot, letter, what = words
        module = self._module(slot)
        sensors = {sensor.letter: sensor for sensor in module.heaters.sensors} if module.heaters else {}
        sensor = sensors.get(letter.upper())
        if sensor is None:
            raise InputError(f"{slot} has {len(sensors)} sensors, not {letter}")
        if what in ("open", "ok"):
            sensor.is_broken = what == "open"
        else:
            module.cryostat.celsius["ABC".index(sensor.letter)] = _number(what)
        return ""

    def _module(self, word: str) -> Module:
        modules = {f"MOD{slot}": module for slot, module in self._device.hardware.modules.items()}
        if word.upper() not in modules:
            raise InputError(f"{word!r} is not one of {', '.join(modules)}")
        return modules[word.upper()]

    def _log(self, words: Sequence[str]) -> str:
        self._device.log(" ".join(words))
        return ""

    def _speed(self, words: Sequence[str]) -> str:
        if words:
            self._bench.clock.set_speed(_number(words[0]))
        return f"{self._bench.clock.speed:g}"


async def converse(client: socket.socket, operator: Operator) -> None:
    """Answer a client's lines until it leaves; the last one needs no line feed."""
    loop = asyncio.get_running_loop()
    pending = b""
    while received := await loop.sock_recv(client, _READ_SIZE):
        *lines, pending = (pending + received).split(b"\n")
        pending = pending[: _LONGEST_LINE + 1]  # still too long: what else it says does not matter
        for line in lines:
            await _answer_line(client, operator, line)
    await _answer_line(client, operator, pending)


async def _answer_line(client: socket.socket, operator: Operator, line: bytes) -> None:
    text = line.decode(errors="replace").strip()
    if len(line) > _LONGEST_LINE:
        answer = [f"error a line of more than {_LONGEST_LINE} bytes"]
    elif text:
        answer = await operator.answer(text)
    else:
        return
    await asyncio.get_running_loop().sock_sendall(client, "\n".join([*answer, ""]).encode())


def _choice(word: str, choices: dict[str, bool]) -> bool:
    if word.lower() not in choices:
        raise InputError(f"{word!r} is not {' or '.join(choices)}")
    return choices[word.lower()]


def _number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{word!r} is not a number")
    return number

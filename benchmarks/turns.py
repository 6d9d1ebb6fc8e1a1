"""Processes that take turns: each does one piece of work per line of standard input and answers with JSON.

Only the standard library: the peers' own virtual environments import this too.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

HERE = Path(__file__).parent
_LONGEST_TURN = 120.0
"""Seconds after which a silent process is killed, which ends the benchmark with an error."""


class Child:
    """A process of the benchmark; ends with the block, at whose begin it has said that it is ready.

    ``first`` is what it said: a port, for instance. ``patience`` are the seconds after which it is given up.
    """

    def __init__(
        self,
        script: str,
        *arguments: object,
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
        patience: float = _LONGEST_TURN,
    ) -> None:
        self._patience = patience
        self._name = " ".join([script, *map(str, arguments)])
        self._process = subprocess.Popen(
            [str(python), str(HERE / script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment or os.environ,
        )
        self.first: Any = None

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    def __enter__(self) -> Self:
        self.first = self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _open(self._process.stdin).close()  # every child ends at the end of its input
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _open(self._process.stdout).close()

    def turn(self, text: str = "go") -> Any:
        """Let it do one piece of work and return its answer.

        Raises:
            RuntimeError: if it ends, or says nothing for too long.
        """
        self.say(text)
        return self.listen()

    def say(self, text: str) -> None:
        """Let it begin a piece of work."""
        stdin = _open(self._process.stdin)
        stdin.write(f"{text}\n")
        stdin.flush()

    def listen(self) -> Any:
        """Return its next answer.

        Raises:
            RuntimeError: if it ends, or says nothing for too long.
        """
        watchdog = threading.Timer(self._patience, self._process.kill)
        watchdog.start()
        try:
            line = _open(self._process.stdout).readline()
        finally:
            watchdog.cancel()
        if not line:
            raise RuntimeError(f"{self._name} ended with {self._process.wait()}")
        return json.loads(line)


def answer(value: Mapping[str, object] | int | str) -> None:
    """Say something to the parent process."""
    print(json.dumps(value), flush=True)


def take_turns(work: Callable[[str], Mapping[str, object]]) -> None:
    """Do ``work`` once per line of standard input, until its end."""
    for line in sys.stdin:
        answer(work(line.strip()))


def _open(stream: TextIO | None) -> TextIO:
    assert stream is not None
    return stream

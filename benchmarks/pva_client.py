"""A p4p client that watches an image. Each line: ``NAME SECONDS``; the answer is how many came, and in how long."""

import threading
import time
from typing import Any

from p4p.client.thread import Context
from turns import answer, take_turns


def work(line: str) -> dict[str, object]:
    name, seconds = line.split()
    arrivals: list[tuple[float, int]] = []

    def see(value: Any) -> None:
        arrivals.append((time.perf_counter(), int(value["uniqueId"])))

    with Context("pva", nt=False, unwrap=False) as context:
        subscription = context.monitor(name, see)
        threading.Event().wait(float(seconds))
        subscription.close()
    times = [when for when, number in arrivals if number]
    return {"images": len(times) - 1, "seconds": times[-1] - times[0] if len(times) > 1 else 0.0}


if __name__ == "__main__":
    answer("ready")
    take_turns(work)

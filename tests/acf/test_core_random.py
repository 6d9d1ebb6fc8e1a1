"""The timing core does what the reference does, change by change, in scripts made at random."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from archon_ioc.acf.file import Acf

from .bench import Bench
from .scripts import script

PARAMETERS = {"P": 2, "Q": 0, "R": 5, "W": 3}
CONSTANTS = {"C": 2}
NAMES = st.sampled_from(sorted(PARAMETERS))
LABELS = [f"L{n}" for n in range(6)]


# Anything: jumps to everywhere, entries and exits of routines that no template has


STATES = st.sampled_from(["RESET", "X", "X", "X", "INT", "NOINT", "FCLK", "LCLK", "PCLK", "NOPCLK", "TRIGA", "TRIGS"])
COUNTS = st.sampled_from(["", "", "", "(1)", "(2)", "(7)", "(P)", "(Q)", "(R)", "(C)"])
CONDITIONS = st.sampled_from(["", "", "IF P ", "IF !P ", "IF Q ", "IF !R ", "if !q "])


@st.composite
def items(draw: st.DrawFn, *, is_first: bool) -> str:
    """One instruction: a state, perhaps a count, perhaps parameters to be counted, perhaps a jump."""
    parts = [draw(STATES) + draw(COUNTS if is_first else COUNTS | st.just("(0)"))]
    parts += draw(
        st.lists(st.builds(str.__add__, NAMES, st.sampled_from(["--", "--", "++"])), max_size=2) | st.just([])
    )
    label = draw(st.sampled_from(LABELS))
    jump = draw(st.sampled_from(["", "", "GOTO", "CALL", "CALL", "RETURN", "RETURN"]))
    if jump:
        parts.append(draw(CONDITIONS) + f"{jump} {label}" + (draw(COUNTS) if jump == "CALL" else ""))
    return "; ".join(parts)


@st.composite
def wild_scripts(draw: st.DrawFn) -> str:
    lines = [
        "; ".join([draw(items(is_first=True)), *draw(st.lists(items(is_first=False), max_size=2))])
        for _ in range(draw(st.integers(8, 20)))
    ]
    for label in LABELS:
        lines.insert(draw(st.integers(0, len(lines))), f"{label}:")
    return "\n".join(lines)


# As scripts are written: an idle loop, routines that call routines, an exit by GOTO


@st.composite
def routines(draw: st.DrawFn, number: int, *, last: int) -> list[str]:
    lines = [f"R{number}: {draw(STATES)}{draw(COUNTS)}"]
    for _ in range(draw(st.integers(1, 4))):
        line = f"{draw(STATES)}; X{draw(COUNTS)}"
        what = draw(st.sampled_from(["", "call", "call", "abort", "leave"]))
        if what == "call" and number < last:
            line += f"; CALL R{draw(st.integers(number + 1, last))}{draw(COUNTS)}"
        elif what == "abort":
            line += "; IF A GOTO Abort"
        elif what == "leave":
            line += f"; {draw(CONDITIONS)}RETURN R{number}"
        lines.append(line)
    return [*lines, f"X; RETURN R{number}"]


@st.composite
def tidy_scripts(draw: st.DrawFn) -> str:
    last = draw(st.integers(1, 4))
    lines = ["Main: RESET"]
    for number in range(last + 1):
        calls = draw(st.sampled_from(["IF P GOTO", "CALL", "IF Q CALL", "IF !R CALL"]))
        lines.append(f"X; {calls} R{number}" + (draw(COUNTS) if calls.endswith("CALL") else ""))
    lines += draw(st.lists(st.sampled_from(["X; P--", "X; Q--; X", "X; R--"]), max_size=2))
    lines += ["X; GOTO Main", "Abort: NOINT; A--", "X; GOTO Main"]
    return "\n".join([*lines, *(line for n in range(last + 1) for line in draw(routines(n, last=last)))])


# What happens to them


@dataclass(frozen=True)
class Event:
    """After some ticks a parameter is loaded, or the core is reset, held or released."""

    ticks: int
    what: str
    name: str = ""
    value: int = 0


GAPS = st.integers(0, 30) | st.integers(0, 1500)
EVENTS = st.lists(
    st.builds(
        Event, GAPS, st.sampled_from(["load", "load", "load", "advance"]), NAMES | st.just("A"), st.integers(0, 7)
    )
    | st.builds(Event, GAPS, st.sampled_from(["reset", "hold", "release", "release"])),
    max_size=25,
)


def run(bench: Bench, events: list[Event]) -> None:
    for event in events:
        bench.advance(bench.core.tick + event.ticks)
        match event.what:
            case "load":
                bench.load(event.name, event.value)
            case "reset":
                bench.reset()
            case "hold":
                bench.hold()
            case "release":
                bench.release()
            case _:
                pass


def assert_agrees(acf: Acf, events: list[Event]) -> None:
    bench = Bench(acf)
    run(bench, events)
    bench.release()
    bench.advance(bench.core.tick + 10_000)
    bench.settle(2_000)


@settings(max_examples=30)
@given(wild_scripts(), EVENTS)
def test_any_script(text: str, events: list[Event]) -> None:
    assert_agrees(script(text, PARAMETERS | {"A": 0}, CONSTANTS), events)


@settings(max_examples=30)
@given(tidy_scripts(), EVENTS)
def test_a_script_with_routines(text: str, events: list[Event]) -> None:
    assert_agrees(script(text, PARAMETERS | {"A": 0}, CONSTANTS), events)

"""Rows of the window: what they show, what they set, and sense in every state."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window
from archon_ioc.exposure.state import CameraState
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.window_rows import WINDOW_MODE_ROWS, WINDOW_ROWS

DEMO = Acf.read(Path(__file__).parents[2] / "config" / "demo.acf")
WINDOW = Window.of(DEMO)


class Asked:
    """Notes what is asked of windows."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.windows = self

    def set(self, **changes: int) -> None:
        self.calls.append(changes)

    def set_text(self, text: str) -> None:
        self.calls.append(text)

    def choose(self, name: str) -> None:
        self.calls.append(name)


def test_each_field_of_a_window_has_a_row() -> None:
    changed = WINDOW.changed({"lines": 7, "hbin": 3, "postskippixels": 5})
    state = ControllerState(acf=DEMO, window=changed, default_window=WINDOW)
    shown = {row.name: reading(row, state, linked=True).value for row in WINDOW_ROWS}
    assert shown.pop("ArchonWindow") == (
        "lines=7 pixels=512 preskiplines=0 postskiplines=0 preskippixels=0 postskippixels=5 overscanlines=16"
        " overscanpixels=48 hbin=3 vbin=1"
    )
    assert shown == {
        "ArchonLines": 7, "ArchonPixels": 512, "ArchonPreSkipLines": 0, "ArchonPostSkipLines": 0,
        "ArchonPreSkipPixels": 0, "ArchonPostSkipPixels": 5, "ArchonOverscanLines": 16, "ArchonOverscanPixels": 48,
        "ArchonHBin": 3, "ArchonVBin": 1,
    }  # fmt: skip


def test_a_put_sets_its_field() -> None:
    asked: Any = Asked()
    for row in WINDOW_ROWS:
        assert row.put is not None
        row.put(asked, "lines=4" if row.name == "ArchonWindow" else 4)
    fields = [row.name.removeprefix("Archon").lower() for row in WINDOW_ROWS if row.name != "ArchonWindow"]
    assert asked.calls == [*({field: 4} for field in fields), "lines=4"]


def test_the_name_of_the_window() -> None:
    name, names = WINDOW_MODE_ROWS
    one = ControllerState(acf=DEMO, window=WINDOW, default_window=WINDOW)
    state = CameraState((one,), window_modes={"fast": {"hbin": 2}, "wrong": {"lines": 0}, "full": {"hbin": 1}})
    assert reading(names, state, linked=True).value == "default, fast, wrong, full"
    assert reading(name, state, linked=True).value == "default"
    assert reading(name, replace(state, window_mode="full"), linked=True).value == "full", "it was chosen last"
    fast = replace(one, window=WINDOW.changed({"hbin": 2}))
    assert reading(name, replace(state, controllers=(fast,)), linked=True).value == "fast"
    assert reading(name, replace(state, controllers=(fast, one)), linked=True).value == "custom"
    asked: Any = Asked()
    assert name.put is not None
    name.put(asked, "fast")
    assert asked.calls == ["fast"]


def test_rows_make_sense_in_every_state(states: dict[str, CameraState], faults: Callable[..., list[str]]) -> None:
    for state in states.values():
        assert faults(WINDOW_ROWS, state.controller, linked=state.controller.is_up) == []
        crowded = replace(state, window_modes={f"window{n}" * 4: {} for n in range(20)})
        assert faults(WINDOW_MODE_ROWS, crowded, linked=state.controller.is_up) == []

"""Which plugins a site has."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.config import validated
from archon_ioc.config_names import OFF, NamesConfig
from archon_ioc.plugins.ndarray import ArrayState, Geometry
from archon_ioc.plugins.plugin import PluginState
from archon_ioc.pvs.detector import Part, build_plugins
from archon_ioc.pvs.render import Table, reading
from archon_ioc.pvs.row import Pixels


def test_every_prefix_of_the_site_is_used_once() -> None:
    parts = build_plugins(validated({}), Pixels(12))
    prefixes = Counter(part.prefix for part in parts)
    assert max(prefixes.values()) == 1
    assert {"image1:", "image2:"} <= prefixes.keys()
    assert prefixes.keys() <= {*NamesConfig().model_dump().values(), "Stats1:TS:", "Stats2:TS:"}
    assert max(Counter(part.plugin.name for part in parts).values()) == 1, "names of ports"


def test_names_and_memory_are_those_of_the_site() -> None:
    names = {name: OFF for name in NamesConfig().model_dump() if name not in ("camera", "fits", "image2")}
    parts = build_plugins(validated({"names": {**names, "image2": "ARR2:"}, "plugins": {"memory_mb": 2}}), Pixels(12))
    assert [(part.prefix, part.plugin.memory_limit) for part in parts] == [("ARR2:", 2 << 20), ("FITS1:", 2 << 20)]


def test_plugins_begin_behind_the_camera_but_a_time_series_behind_its_statistics() -> None:
    parts = build_plugins(validated({}), Pixels(12))
    ports = {part.plugin.name: part.plugin.state.settings.array_port for part in parts}
    series = {name for name in ports if name.endswith("_TS")}
    assert {name: ports[name] for name in series} == {name: name.removesuffix("_TS") for name in series}
    assert {port for name, port in ports.items() if name not in series} == {"ARCHON"}


def varied(state: PluginState, part: str) -> PluginState:
    """Return the state with other images and counters, and all settings but those of a part changed."""
    array = ArrayState(Geometry(640, 480, "UInt32"), 7, 1.8e9, 1.8e9, 9, 2.0)
    changes: dict[str, Any] = {"queued": 3, "dropped": 4, "execution_ms": 5.0, "disordered": 6, "dropped_outputs": 7}
    if part != "array":
        changes["array"] = array
        changes["source"] = array.geometry
    return replace(state, **changes)


@pytest.mark.parametrize("part", build_plugins(validated({}), Pixels(12)), ids=lambda part: part.prefix)
def test_a_row_speaks_of_its_part_only(part: Part) -> None:
    state = part.plugin.state
    other = varied(state, "")
    rows = [row for row in part.rows if row.part and row.part(other) == row.part(state)]
    assert len(rows) > 30
    wrong = [row.name for row in rows if reading(row, other, linked=True) != reading(row, state, linked=True)]
    assert wrong == []


def test_few_rows_are_read_again_for_an_image() -> None:
    for part in build_plugins(validated({}), Pixels(12)):
        table = Table(part.prefix, part.rows, part.plugin.live, part.plugin)
        state = part.plugin.state
        again = list(table.render(replace(state, queued=1, array=replace(state.array, counter=1)), state))
        assert 5 < len(again) < 100

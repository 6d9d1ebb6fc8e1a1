"""Which plugins a site has."""

from collections import Counter

from archon_ioc.config import validated
from archon_ioc.config_names import OFF, NamesConfig
from archon_ioc.pvs.detector import build_plugins
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

"""The reference page of the keys of an ACF."""

from archon_ioc.acf.catalogue import CATALOGUE, GROUPS
from archon_ioc.acf.keyspec import Apply, KeySpec, Kind
from archon_ioc.export.acf_keys import page
from archon_ioc.protocol.enums import ModuleType

SPECS = (
    KeySpec("SHP1", "First sample", Kind.INT, Apply.CDS, unit="ticks", low=0, high=9),
    KeySpec("IP", "Address", Kind.ADDRESS, Apply.NETWORK, found_in="Rev F on"),
    KeySpec(
        "MODm/DIO_DIRi",
        "Direction of two lines | in or out",
        Kind.CHOICE,
        Apply.DIO,
        choices={0: "input", 1: "output"},
        modules=frozenset({ModuleType.HEATERX, ModuleType.LVBIAS}),
        indices=(12, 34),
    ),
    KeySpec(
        "MODm/LEVELi",
        "Level",
        Kind.FLOAT,
        Apply.MODULE,
        unit="V",
        modules=frozenset({ModuleType.HS}),
        indices=range(1, 13),
        may_name_constant=True,
    ),
)


def test_a_line_says_what_is_known_of_a_key() -> None:
    lines = page([("Some keys", SPECS)]).splitlines()
    start = lines.index("## Some keys")
    assert lines[start + 4 :] == [
        "| `SHP1` | whole number from 0 to 9 ticks |  | `APPLYCDS` | First sample |",
        "| `IP` | four numbers with dots |  | `APPLYNET`, never sent by this program | Address (Rev F on) |",
        "| `MODm/DIO_DIRi`, 12, 34 | 0 = input, 1 = output | LVBias, HeaterX | `APPLYDIO`"
        " | Direction of two lines \\| in or out |",
        "| `MODm/LEVELi`, 1 to 12 | number in V; or constant | HS | `APPLYMOD` | Level |",
    ]


def test_every_key_is_on_the_page() -> None:
    text = page(GROUPS)
    assert text.count("\n| `") == len(CATALOGUE)
    assert all(f"`{spec.pattern}`" in text for spec in CATALOGUE)
    assert all(f"## {name}\n" in text for name, _ in GROUPS)

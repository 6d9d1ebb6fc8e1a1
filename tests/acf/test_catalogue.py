"""The catalogue of keys: complete, without contradiction, and in agreement with the files of real instruments."""

import re
from collections import Counter
from pathlib import Path

import pytest

from archon_ioc.acf.catalogue import CATALOGUE, GROUPS
from archon_ioc.acf.file import Acf
from archon_ioc.acf.keys import objection, slot_of, spec_of
from archon_ioc.acf.keyspec import Apply, Kind
from archon_ioc.protocol.enums import ModuleType

GOLDEN = Path(__file__).parents[1] / "golden" / "acf"
DEMO = Path(__file__).parents[2] / "config" / "demo.acf"
REAL = Path(__file__).parents[3] / "shared" / "data" / "acf"
FILES = [*sorted(GOLDEN.glob("*.*cf")), DEMO, *sorted(REAL.glob("*.acf"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_key_of_a_real_file_is_known_and_right(path: Path) -> None:
    acf = Acf.read(path)
    unknown, wrong = [], []
    for key, value in acf.keys.items():
        slot = slot_of(key)
        module_type = acf.modules.get(slot) if slot else None
        if spec_of(key, module_type) is None:
            unknown.append(key)
        elif why := objection(key, value, module_type, acf.constants):
            wrong.append(f"{key}={value}: {why}")
    assert unknown == []
    assert wrong == []


def test_no_key_has_two_rows_for_one_type_of_module() -> None:
    rows = Counter(
        (spec.pattern, kind, index)
        for spec in CATALOGUE
        for kind in spec.modules or (None,)
        for index in spec.indices or (None,)
    )
    assert [row for row, count in rows.items() if count > 1] == []


def test_rows_are_whole() -> None:
    for spec in CATALOGUE:
        assert spec.meaning, spec.pattern
        assert not spec.meaning.endswith("."), spec.pattern
        assert bool(spec.choices) == (spec.kind is Kind.CHOICE), spec.pattern
        assert (spec.modules is not None) == spec.pattern.startswith("MODm/"), spec.pattern
        assert bool(re.search("[ni]", spec.pattern)) == bool(spec.indices), spec.pattern
        if spec.low is not None and spec.high is not None:
            assert spec.low < spec.high, spec.pattern


def test_module_keys_are_applied_by_their_modules() -> None:
    for spec in CATALOGUE:
        is_digital = "/DIO_" in spec.pattern or "/VCPU_" in spec.pattern
        expected = {Apply.DIO} if is_digital else {Apply.MODULE} if spec.modules else set(Apply)
        assert spec.apply in expected, spec.pattern


def test_groups_are_the_whole_catalogue() -> None:
    assert tuple(spec for _, specs in GROUPS for spec in specs) == CATALOGUE
    assert len({name for name, _ in GROUPS}) == len(GROUPS)


def test_every_module_of_the_manual_has_keys() -> None:
    found = {kind for spec in CATALOGUE for kind in spec.modules or ()}
    # An ADM module has no keys (the vendor's program writes none).
    assert set(ModuleType) - found == {ModuleType.UNKNOWN, ModuleType.NONE, ModuleType.ADM}

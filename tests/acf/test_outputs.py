"""What states say for modules."""

import pytest

from archon_ioc.acf.outputs import FIELDS, BiasChange, Clock, Output, parse_fields
from archon_ioc.protocol.enums import ModuleType

LV = "0,1,1,0" + ",1,1" * 6


def test_the_clocks_of_a_driver() -> None:
    fields = parse_fields("A, 1,0,,1,1" + ",2.5,0,0" * 6, ModuleType.DRIVER)
    assert fields.clocks[:3] == (Clock(1, "A", "1", "0"), Clock(2, "", "1", "1"), Clock(3, "2.5", "0", "0"))
    assert fields.flags[:4] == ("1", "0", "1", "1")


def test_a_bias_module_with_and_without_a_change_of_a_bias() -> None:
    assert parse_fields(LV, ModuleType.LVXBIAS).bias_changes == ()
    fields = parse_fields(LV + ",1,8,3.3", ModuleType.LVXBIAS)
    assert fields.bias_changes == (BiasChange("1", "8", "3.3"),)
    assert len(fields.flags) == 16


def test_two_changes_in_a_high_voltage_module() -> None:
    fields = parse_fields("0,1,0.0,0,1,0.0", ModuleType.XVBIAS)
    assert len(fields.bias_changes) == 2
    assert fields.flags == ()


@pytest.mark.parametrize("kind", FIELDS)
def test_of_a_wrong_number_of_fields_only_that_is_known(kind: ModuleType) -> None:
    fields = parse_fields("0,1,0,1,0", kind)
    assert (fields.count, fields.clocks, fields.flags, fields.bias_changes) == (5, (), (), ())
    assert not Output("STATE0/MOD1", 0, "X", 1, kind, fields).has_all_fields


def test_an_unknown_type_may_have_any_number() -> None:
    fields = parse_fields("0,1,2", ModuleType.UNKNOWN)
    assert Output("STATE0/MOD1", 0, "X", 1, ModuleType.UNKNOWN, fields).has_all_fields

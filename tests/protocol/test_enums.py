"""Numbers that the manual does not know must not stop anything."""

import pytest

from archon_ioc.protocol.enums import BackplaneType, FrameMode, ModuleType, Power, SampleMode

FIRST = {BackplaneType: 0, ModuleType: 0, FrameMode: 0, SampleMode: 0, Power: 0}


@pytest.mark.parametrize("kind", FIRST, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("number", [-7, 99, 1 << 40])
def test_an_unknown_number_is_unknown(kind: type[Power], number: int) -> None:
    assert kind(number).name == "UNKNOWN"


@pytest.mark.parametrize("kind", FIRST, ids=lambda kind: kind.__name__)
def test_what_is_not_a_number_is_a_mistake(kind: type[Power]) -> None:
    with pytest.raises(ValueError, match="not a valid"):
        kind("on")


# Manual, SYSTEM and STATUS; 16 to 19 as published drivers and firmware images have them.
LABELS = (
    "None", "Driver", "AD", "LVBias", "HVBias", "Heater", "Atlas", "HS", "HVXBias", "LVXBias", "LVDS", "HeaterX",
    "XVBias", "ADF", "ADX", "ADLN", "DriverX", "ADM", "HVYBias", "ADQ", "Unknown",
)  # fmt: skip


@pytest.mark.parametrize(("number", "label"), list(enumerate(LABELS)), ids=LABELS)
def test_module_labels(number: int, label: str) -> None:
    assert ModuleType(number).label == label


def test_heaters() -> None:
    assert [kind.label for kind in ModuleType if kind.is_heater] == ["Heater", "HeaterX"]


def test_power() -> None:
    names = [Power(n).name for n in range(6)]
    assert names == ["UNKNOWN", "NOT_CONFIGURED", "OFF", "INTERMEDIATE", "ON", "STANDBY"]


@pytest.mark.parametrize(("number", "slots"), [(1, 12), (2, 16), (77, 12)])
def test_slots_of_a_backplane(number: int, slots: int) -> None:
    assert BackplaneType(number).slots == slots


@pytest.mark.parametrize(("number", "size"), [(0, 2), (1, 4), (9, 2)])
def test_bytes_per_pixel(number: int, size: int) -> None:
    assert SampleMode(number).bytes_per_pixel == size

"""Rules on frames."""

import random

import pytest

from archon_ioc.acf.rules.frames import RULES
from archon_ioc.errors import ConfigError
from archon_ioc.sim.shot import Geometry

from .cases import Case, assert_all_have_cases, assert_found, changed, found

_TALL = {"PIXELCOUNT": "60000", "LINECOUNT": "60000"}
CASES = (
    Case("no-taps", "TAPLINES", {"TAPLINES": "0"}),
    Case("tap-slot", "TAPLINE1", {"TAPLINE1": "AD9R, 1, 1100"}, "AD9R is in slot 7, which is empty"),
    Case("tap-slot", "TAPLINE1", {"TAPLINE1": "AM9R, 1, 1100"}, "AM9R is in slot 5, which is of type AD"),
    Case("odd-taps", "TAPLINES", {"TAPLINES": "3"}, "3 taps"),
    Case("frame-too-large", "PIXELCOUNT", _TALL, "a buffer 512 MiB"),
    Case("raw-too-large", "RAWSAMPLES",
         {"RAWENABLE": "1", "RAWSTARTLINE": "0", "RAWENDLINE": "500", "RAWSAMPLES": "10000000"},
         "501 lines of 9766 blocks of raw samples have 9556.2 MiB, behind the image in its buffer there is room for"),
    Case("no-frame", "LINES", {"STATE6/CONTROL": "0,3F"}),
    Case("too-few-pixels", "PIXELCOUNT", {"PIXELCOUNT": "562"}, "561 pixels per line, PIXELCOUNT=562"),
    Case("too-few-pixels", "PIXELCOUNT", {"PARAMETER19": "Pixels=500"}, "549 pixels per line"),
    Case("too-few-lines", "LINECOUNT", {"LINECOUNT": "529"}, "528 lines, LINECOUNT=529"),
    Case("frame-incomplete", "LINECOUNT", {"LINESCAN": "1"}, "but not in lines of one frame"),
    Case("not-followed", "LINES", {"LINE67": "HOLD; FlushCount++", "PARAMETER15": "Lines=1000000"},
         "more than 100000 instructions, none like another: how many pixels and lines it clocks"),
    Case("duplicate-tap", "TAPLINE3", {"TAPLINE3": "AD1R, 1, 1000"}, "AD1 is in TAPLINE0 already"),
    Case("uneven-halves", "TAPLINES", {"TAPLINES": "8"} | {f"TAPLINE{n}": "" for n in range(4, 8)},
         "2 are read to each half"),
    Case("empty-window", "SHP1", {"SHP1": "141"}, "SHP1=141 and SHP2=140"),
    Case("window-order", "SHD1", {"SHD1": "139"}, "SHD1=139 is before SHP2=140"),
    Case("window-beyond-pixel", "SHD2", {"SHD2": "20000"}, "the next pixel begins after"),
    Case("thrown-away", "PIXELCOUNT", {"PIXELCOUNT": "500"}, "561, of which the last 61"),
    Case("line-scan", "LINESCAN", {"LINESCAN": "1"}),
)  # fmt: skip


def test_empty_entries_at_the_end_are_no_mistake() -> None:
    assert found({"TAPLINES": "5", "TAPLINE4": ""}) == []


def test_a_large_frame_needs_large_buffers() -> None:
    finding = next(f for f in found({"PIXELCOUNT": "12000", "LINECOUNT": "6000"}) if f.kind == "frame-too-large")
    assert finding.remedy == "Set BIGBUF=1."


def is_refused_by_the_simulator(changes: dict[str, str]) -> bool:
    try:
        Geometry.of(changed(changes))
    except ConfigError:
        return True
    return False


def test_what_is_too_large_is_so_for_the_simulator_too() -> None:
    chance = random.Random(4)
    refused = 0
    for _ in range(40):
        keys = {"PIXELCOUNT": 9000, "LINECOUNT": 9000, "RAWSTARTLINE": 200, "RAWENDLINE": 600, "RAWSAMPLES": 2_000_000}
        changes = {key: str(chance.randint(1, high)) for key, high in keys.items()}
        changes |= {key: chance.choice("01") for key in ("SAMPLEMODE", "BIGBUF", "RAWENABLE")}
        is_refused = is_refused_by_the_simulator(changes)
        kinds = {"frame-too-large", "raw-too-large"} & {finding.kind for finding in found(changes)}
        assert bool(kinds) == is_refused, changes
        refused += is_refused
    assert 10 < refused < 30


@pytest.mark.parametrize(("samples", "is_found"), [("1048576", False), ("1048577", True)])
def test_raw_samples_may_fill_the_buffer(samples: str, is_found: bool) -> None:
    changes = {"RAWENABLE": "1", "RAWSTARTLINE": "0", "RAWENDLINE": "0", "RAWSAMPLES": samples}
    image = {"PIXELCOUNT": "65280", "LINECOUNT": "1024"}  # 510 MiB
    assert ("raw-too-large" in {finding.kind for finding in found(image | changes)}) == is_found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)

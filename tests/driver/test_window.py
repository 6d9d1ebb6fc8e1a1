"""Lines and pixels of each tap, and binning, in the terms of different timing scripts."""

from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ScriptConfig
from archon_ioc.driver.window import Window
from archon_ioc.errors import InputError, StateError

REAL = Path(__file__).parents[3] / "shared" / "data" / "acf"


def config(line_count: int, pixel_count: int, **parameters: int) -> Acf:
    lines = [f"PARAMETER{n}={name}={value}" for n, (name, value) in enumerate(parameters.items())]
    counts = [f"LINECOUNT={line_count}", f"PIXELCOUNT={pixel_count}", f"PARAMETERS={len(lines)}"]
    return Acf.parse("\n".join(["[CONFIG]", *counts, *lines]))


def like_lvm() -> Acf:
    return config(
        2040, 2060, PreSkipPixels=0, Pixels=2040, PostSkipPixels=0, OverscanPixels=20, PreSkipLines=0, Lines=2040,
        PostSkipLines=0, OverScanLines=0, HorizontalBinning=1, VerticalBinning=1,
    )  # fmt: skip


def like_slac() -> Acf:
    """Clocks one pixel more than it stores; HorizontalBinning counts the additional shifts."""
    return config(300, 300, PreSkipLines=22, Pixels=301, Lines=300, HorizontalBinning=0, VerticalBinning=1)


def test_the_window_of_a_configuration() -> None:
    assert Window.of(like_lvm()) == Window(lines=2040, pixels=2040, overscanpixels=20)
    assert Window.of(like_slac()) == Window(lines=300, pixels=301, preskiplines=22)
    assert Window.of(config(5, 6)) == Window(lines=5, pixels=6)


@pytest.mark.parametrize("acf", [like_lvm(), like_slac(), config(5, 6)])
def test_the_window_of_a_configuration_changes_nothing(acf: Acf) -> None:
    window = Window.of(acf)
    assert window.counts(acf) == {"LINECOUNT": acf.line_count, "PIXELCOUNT": acf.pixel_count}
    assert window.parameters(acf).items() <= acf.parameters.items()
    assert window.entries(acf).items() <= acf.keys.items()


def test_fewer_lines() -> None:
    window = Window.of(like_lvm()).changed({"lines": 500, "preskiplines": 1000, "postskiplines": 540})
    assert window.counts(like_lvm()) == {"LINECOUNT": 500, "PIXELCOUNT": 2060}
    parameters = window.parameters(like_lvm())
    assert (parameters["Lines"], parameters["PreSkipLines"], parameters["PostSkipLines"]) == (500, 1000, 540)


@pytest.mark.parametrize(("hbin", "vbin", "pixels", "lines"), [(2, 1, 1030, 2040), (1, 4, 2060, 510), (3, 7, 686, 291)])
def test_binning_where_one_is_none(hbin: int, vbin: int, pixels: int, lines: int) -> None:
    window = Window.of(like_lvm()).changed({"hbin": hbin, "vbin": vbin})
    assert window.counts(like_lvm()) == {"LINECOUNT": lines, "PIXELCOUNT": pixels}
    parameters = window.parameters(like_lvm())
    assert (parameters["HorizontalBinning"], parameters["VerticalBinning"]) == (hbin, vbin)


SLAC = ScriptConfig(horizontal_binning_none=0)


@pytest.mark.parametrize(("acf", "names"), [(like_lvm(), ScriptConfig()), (like_slac(), SLAC), (config(5, 6), SLAC)])
def test_a_window_is_found_again_in_the_configuration_that_it_gives(acf: Acf, names: ScriptConfig) -> None:
    own = Window.of(acf, names)
    has_binning = "HorizontalBinning" in acf.parameters
    for hbin, vbin in ((1, 1), (2, 1), (1, 3), (4, 3)) if has_binning else ((1, 1),):
        window = own.changed({"hbin": hbin, "vbin": vbin})
        binned = acf.with_values(window.entries(acf, names))
        found = Window.of(binned, names)
        assert (found.hbin, found.vbin) == (hbin, vbin)
        assert found.entries(binned, names).items() <= binned.keys.items()
        assert 0 <= found.lines - own.lines < vbin
        assert 0 <= found.pixels - own.pixels < hbin
        again = binned.with_values(found.changed({"hbin": 1, "vbin": 1}).entries(binned, names))
        assert 0 <= acf.line_count - again.line_count < vbin
        assert 0 <= acf.pixel_count - again.pixel_count < hbin
        assert Window.of(again, names).changed({"lines": own.lines, "pixels": own.pixels, **overscan(own)}) == own


def overscan(window: Window) -> dict[str, int]:
    return {"overscanlines": window.overscanlines, "overscanpixels": window.overscanpixels}


def test_a_configuration_that_is_stored_binned() -> None:
    acf = like_lvm().with_values({"PARAMETER8": "HorizontalBinning=2", "PARAMETER9": "VerticalBinning=3"})
    acf = acf.with_values(
        {"LINECOUNT": "680", "PIXELCOUNT": "1030", "PARAMETER1": "Pixels=1020", "PARAMETER5": "Lines=680"}
    )
    acf = acf.with_value("PARAMETER3", "OverscanPixels=10")
    window = Window.of(acf)
    assert window == Window(lines=2040, pixels=2040, overscanpixels=20, hbin=2, vbin=3)
    assert window.changed({"hbin": 1, "vbin": 1}).entries(acf).items() <= like_lvm().keys.items()


def test_binning_parameters_of_other_names() -> None:
    acf = config(5, 6, BinX=1)
    names = ScriptConfig(horizontal_binning="binx")
    assert Window.of(acf, names).changed({"hbin": 2}).entries(acf, names)["PARAMETER0"] == "BinX=2"


def test_binning_where_zero_is_none() -> None:
    window = Window.of(like_slac()).changed({"hbin": 2, "vbin": 3})
    assert window.counts(like_slac()) == {"LINECOUNT": 100, "PIXELCOUNT": 150}
    parameters = window.parameters(like_slac())
    assert (parameters["HorizontalBinning"], parameters["VerticalBinning"]) == (1, 3)
    assert (parameters["Lines"], parameters["Pixels"]) == (100, 151)


@pytest.mark.parametrize("acf", [like_lvm(), like_slac()])
def test_a_script_clocks_at_least_what_is_stored(acf: Acf) -> None:
    """Else the frame would never complete. LVM's script clocks one pixel more by itself, which is not counted here."""
    own = Window.of(acf)
    extra = own.pixels + own.overscanpixels - acf.pixel_count
    for hbin in range(1, 12):
        for vbin in range(1, 12):
            for lines in (1, 2, 7, 100, 300):
                for pixels in (20, 33, 300):
                    window = own.changed({"hbin": hbin, "vbin": vbin, "lines": lines, "pixels": pixels})
                    parameters = window.parameters(acf)
                    try:
                        counts = window.counts(acf)
                    except InputError:
                        assert lines < vbin
                        continue
                    assert counts["LINECOUNT"] <= parameters["Lines"] + parameters.get("OverScanLines", 0)
                    clocked = parameters["Pixels"] + parameters.get("OverscanPixels", 0)
                    assert counts["PIXELCOUNT"] <= clocked
                    assert counts["PIXELCOUNT"] >= (pixels + own.overscanpixels - extra) // hbin


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": 0},
        {"pixels": -1},
        {"hbin": 0},
        {"vbin": 65536},
        {"preskiplines": -1},
        {"nosuch": 1},
        {"lines": 70_000},
    ],
)
def test_what_is_no_window(changes: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(changes))):
        Window.of(like_lvm()).changed(changes)


@pytest.mark.parametrize("changes", [{"lines": 3, "vbin": 4}, {"pixels": 1, "overscanpixels": 0, "hbin": 2}])
def test_a_window_of_nothing(changes: dict[str, int]) -> None:
    with pytest.raises(InputError, match="would be 0"):
        Window.of(like_lvm()).changed(changes).counts(like_lvm())


@pytest.mark.parametrize("changes", [{"hbin": 2}, {"lines": 3}, {"preskiplines": 1}])
def test_a_script_without_the_parameter(changes: dict[str, int]) -> None:
    acf = config(5, 6)
    with pytest.raises(StateError, match="no parameter"):
        Window.of(acf).changed(changes).parameters(acf)


def test_counts_that_do_not_belong_to_the_parameters() -> None:
    """A configuration read back from a controller that another program has windowed."""
    acf = like_lvm().with_value("LINECOUNT", "100")
    with pytest.raises(StateError, match="load the configuration again"):
        Window.of(acf).counts(acf)


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["BOSS_extra", "LVM_100kHz", "STA4800"])
def test_the_windows_of_real_configurations(name: str) -> None:
    path = REAL / f"{name}.acf"
    if not path.exists():
        pytest.skip(f"no {path.name} here")
    acf = Acf.read(path)
    window = Window.of(acf)
    assert window.counts(acf) == {"LINECOUNT": acf.line_count, "PIXELCOUNT": acf.pixel_count}
    assert window.parameters(acf).items() <= acf.parameters.items()
    assert window.entries(acf).items() <= acf.keys.items()
    halved = window.changed({"hbin": 2, "vbin": 2}).counts(acf)
    assert halved == {"LINECOUNT": acf.line_count // 2, "PIXELCOUNT": acf.pixel_count // 2}

"""The site file: read once, frozen, every mistake named with its place."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from archon_ioc.config import SiteConfig, load
from archon_ioc.errors import ConfigError

GOOD = """
prefix: "SITE:"
controller:
  name: spec1
  host: archon.example
  port: 4243
  acf: ccd.acf
  status_period: 0.5
script:
  integration: {parameter: IntCS, unit: cs}
  exposures: Expose
files:
  path: /data
  template: "%s%s_%3.3d.fits"
detectors:
  - {name: b1, taps: [AD5L, AD7R], gain: [1.1, 1.2], read_noise: [2.5]}
  - {name: r1, taps: [AD12L], type: STA1600}
header:
  observatory: APO
  cards:
    TELESCOP: [SDSS 2.5m, Telescope]
    NIGHTLY: [true, "Is it dark?"]
    ALTITUDE: [2788.0, "[m] Above the sea"]
shutter: {open_pv: "SH:Open", close_pv: "SH:Close"}
names: {camera: "det1:"}
temperature_sensor: MOD2/TEMPA
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    site = load(written(tmp_path, GOOD))
    assert site.prefix == "SITE:"
    assert (site.controller.name, site.controller.host, site.controller.port) == ("spec1", "archon.example", 4243)
    assert site.controller.acf == tmp_path / "ccd.acf", "beside the site file"
    assert (site.script.integration.parameter, site.script.integration.unit) == ("IntCS", "cs")
    assert site.script.exposures == "Expose"
    assert site.script.readout == "ReadOut"
    assert [detector.name for detector in site.detectors] == ["b1", "r1"]
    assert site.detectors[0].gain == (1.1, 1.2)
    assert site.header.cards["NIGHTLY"] == (True, "Is it dark?")
    assert site.header.cards["ALTITUDE"] == (2788.0, "[m] Above the sea")
    assert (site.names.camera, site.names.image) == ("det1:", "image1:")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_an_empty_file_means_the_defaults(tmp_path: Path, text: str) -> None:
    assert load(written(tmp_path, text)) == SiteConfig()


def test_it_cannot_be_changed() -> None:
    site = SiteConfig()
    with pytest.raises(ValidationError):
        site.prefix = "OTHER:"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        site.controller.host = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prefix: [", "not YAML"),
        ("prefix: !!python/object/apply:os.system ['true']", "not YAML"),
        ("- a\n- b", "the file: Input should be"),
        ("preffix: X", "preffix: Extra inputs are not permitted"),
        ("prefix: 'two words'", "prefix: String should match"),
        ("prefix: '" + "X" * 41 + "'", "prefix: String should have at most 40"),
        ("controller: {port: 0}", "controller.port: Input should be greater"),
        ("controller: {port: 70000}", "controller.port: Input should be less"),
        ("controller: {status_period: 0}", "controller.status_period: Input should be greater than 0"),
        ("controller: {name: 1st}", "controller.name: String should match"),
        ("controller: 10.0.0.2", "controller: Input should be"),
        ("script: {integration: {unit: s}}", "script.integration.unit: Input should be 'ms' or 'cs'"),
        (
            "script: {integration: {long: {parameter: IntCS}, multiplier: IntMul}}",
            "script.integration: Value error, there is either long or multiplier",
        ),
        (
            "script: {integration: {unit: cs, long: {parameter: IntS}}}",
            "script.integration: Value error, the unit of long must be a longer one",
        ),
        ("exposure_types: {bias: {}}", "the exposure type bias is there already"),
        ("detectors: [{name: b1, taps: []}]", "detectors.0.taps: Tuple should have at least 1 item"),
        ("detectors: [{taps: [AD5L]}]", "detectors.0.name: Field required"),
        ("header: {cards: {A: [1]}}", "header.cards.A.1: Field required"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert message in str(error.value)
    assert error.value.path == str(path)


def test_every_problem_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, "prefix: 'a b'\ncontroller: {port: x}\nfoo: 1"))
    assert all(place in str(error.value) for place in ("prefix: ", "controller.port: ", "foo: "))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not YAML"):
        load(tmp_path / "binary.yaml")


# Several controllers

SEVERAL = """
controllers:
  - {name: b1, host: 10.0.0.2, acf: blue.acf}
  - {name: r1, host: 10.0.0.3}
sync: hardware
"""


def test_a_shutter_of_a_controller_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the shutter: there is no controller z1"):
        load(written(tmp_path, SEVERAL + "shutter: {controller: z1}\n"))
    assert load(written(tmp_path, SEVERAL + "shutter: {controller: r1}\n")).shutter.controller == "r1"


def test_several_controllers(tmp_path: Path) -> None:
    site = load(written(tmp_path, SEVERAL))
    assert [unit.name for unit in site.units] == ["b1", "r1"]
    assert [unit.acf for unit in site.units] == [tmp_path / "blue.acf", None]
    assert site.sync == "hardware"
    assert site.image_names == ("b1", "r1"), "frames that are not divided have the names of their controllers"


def test_one_controller_is_a_list_of_one(tmp_path: Path) -> None:
    site = load(written(tmp_path, "controller: {name: b1, host: 10.0.0.2}"))
    assert [unit.name for unit in site.units] == ["b1"]
    assert site.image_names == ("",)


def test_ccds_belong_to_controllers(tmp_path: Path) -> None:
    detectors = "detectors: [{name: sci, taps: [AD1L], controller: r1}, {name: guide, taps: [AD2L]}]"
    site = load(written(tmp_path, SEVERAL + detectors))
    assert [detector.name for detector in site.detectors_of("b1")] == ["guide"], "the first one by default"
    assert [detector.name for detector in site.detectors_of("r1")] == ["sci"]
    assert site.image_names == ("guide", "sci")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SEVERAL + "controller: {name: z1}", "there is either controller or controllers"),
        ("controllers: [{host: a}, {host: b}]", "two controllers have the name archon"),
        ("controllers: [{name: b1}, {name: cam1}]", "a controller cannot be called cam1"),
        (SEVERAL + "detectors: [{name: sci, taps: [AD1L], controller: z1}]", "CCD sci: there is no controller z1"),
        (SEVERAL + "detectors: [{name: r1, taps: [AD1L]}]", "two images have the name r1"),
        (SEVERAL.replace("hardware", "wire"), "sync"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, text))


def test_windows_have_names_and_sensible_numbers(tmp_path: Path) -> None:
    site = load(written(tmp_path, "windows: {fast: {lines: 100, hbin: 2}, all: {}}"))
    assert {name: window.changes for name, window in site.windows.items()} == {
        "fast": {"lines": 100, "hbin": 2}, "all": {},
    }  # fmt: skip
    for wrong in ("default: {}", "custom: {lines: 1}", "fast: {lines: -1}", "fast: {rows: 1}", "'a b': {}"):
        with pytest.raises(ConfigError, match=r"windows|custom|default"):
            load(written(tmp_path, f"windows: {{{wrong}}}"))

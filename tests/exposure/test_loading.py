"""Python objects that the site file names: found when the program starts, or refused with their place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from archon_ioc.config import HooksConfig, SiteConfig, load
from archon_ioc.errors import ConfigError
from archon_ioc.exposure.loading import check_hooks, hooks_of, imported, shutter_of

CODE = """
made = []

async def guide(exposure):
    pass

def store(exposure, /, folder="x"):
    pass

def nothing():
    pass

class Night:
    def log(self, exposure):
        pass

night = Night()
number = 5

class Flap:
    def __init__(self):
        made.append(self)
    def open(self):
        pass
    async def close(self):
        pass

class Half:
    def open(self):
        pass

class Broken(Flap):
    def __init__(self):
        raise OSError("no such device")

flap = Flap()
"""

Sites = Callable[[str], Path]


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    """Write a site file beside the site's code."""

    def write(text: str) -> Path:
        (tmp_path / "night.py").write_text(CODE, encoding="utf-8")
        path = tmp_path / "site.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_functions_of_a_file_beside_the_site_file_and_of_a_module(sites: Sites) -> None:
    site = load(
        sites("hooks: {pre_expose: 'night.py:guide', post_process: 'night.py:night.log', timeout: 5, wait: no}")
    )
    hooks = hooks_of(site.hooks)
    assert (hooks.pre_expose.__name__, hooks.post_process.__name__) == ("guide", "log")  # type: ignore[union-attr]
    assert (hooks.during_exposure, hooks.during_readout, hooks.timeout, hooks.wait) == (None, None, 5.0, False)
    assert imported("pprint:pprint", "here").__name__ == "pprint"  # type: ignore[attr-defined]


def test_a_file_is_executed_once(sites: Sites) -> None:
    site = load(sites("hooks: {pre_expose: 'night.py:guide', during_readout: 'night.py:store'}"))
    first, second = hooks_of(site.hooks), hooks_of(site.hooks)
    assert first.pre_expose is second.pre_expose


def test_nothing_is_asked_for_by_default() -> None:
    assert hooks_of(HooksConfig()).pre_expose is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.py:guide", r"hooks\.pre_expose: .*absent\.py:guide: FileNotFoundError"),
        ("no_such_module:guide", "hooks.pre_expose: no_such_module:guide: ModuleNotFoundError"),
        ("night.py:absent", "has no attribute 'absent'"),
        ("night.py:number", "cannot be called"),
        ("night.py:nothing", "cannot be called with 1 arguments"),
        ("broken.py:guide", r"broken\.py:guide: SyntaxError"),
    ],
)
def test_what_is_wrong_is_told_at_the_start(sites: Sites, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "broken.py").write_text("def guide(:", encoding="utf-8")
    site = load(sites(f"hooks: {{pre_expose: '{name}'}}"))
    with pytest.raises(ConfigError, match=words):
        check_hooks(site)


@pytest.mark.parametrize("name", ["night.py", "guide", ":guide", "night.py:", "night.py:1st"])
def test_what_is_no_name_is_refused_by_the_site_file(sites: Sites, name: str) -> None:
    with pytest.raises(ConfigError, match=r"hooks\.pre_expose"):
        load(sites(f"hooks: {{pre_expose: '{name}'}}"))


@pytest.mark.parametrize("name", ["Flap", "flap"])
def test_a_shutter_is_an_object_or_a_class_that_makes_one(sites: Sites, name: str) -> None:
    site = load(sites(f"shutter: {{hook: 'night.py:{name}'}}"))
    check_hooks(site)
    made = imported(site.shutter.hook.replace(name, "made"), "")
    assert len(made) == 1, "a check moves and opens nothing"  # type: ignore[arg-type]
    assert shutter_of(site) is not None
    assert len(made) == (2 if name == "Flap" else 1)  # type: ignore[arg-type]


def test_a_site_without_one() -> None:
    assert shutter_of(SiteConfig()) is None


def test_a_shutter_that_cannot_close_is_refused(sites: Sites) -> None:
    with pytest.raises(ConfigError, match=r"shutter\.hook: .*night\.py:Half: close cannot be called"):
        check_hooks(load(sites("shutter: {hook: 'night.py:Half'}")))


def test_a_shutter_that_cannot_be_made_is_refused(sites: Sites) -> None:
    with pytest.raises(ConfigError, match="OSError: no such device"):
        shutter_of(load(sites("shutter: {hook: 'night.py:Broken'}")))


def test_a_shutter_has_one_owner(sites: Sites) -> None:
    with pytest.raises(ConfigError, match="moved by a hook or by PVs"):
        load(sites("shutter: {hook: 'night.py:Flap', open_pv: 'SH:Open'}"))

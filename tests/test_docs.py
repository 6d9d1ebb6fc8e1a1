"""What the documents say is there: links, keys, options, process variables, examples."""

import ast
import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from astropy.io import fits
from pydantic import BaseModel

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf
from archon_ioc.cli import main
from archon_ioc.config import SiteConfig, load
from archon_ioc.errors import StateError
from archon_ioc.export.files import CAMERA_TABLES, CONTROLLER_TABLES
from archon_ioc.exposure.opening import open_camera
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import ShutterMode
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"])
DECISIONS = sorted((DOCS / "explanations" / "decisions").glob("[0-9]*.md"))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_site_files_in_examples_are_right(page: Path) -> None:
    for text in blocks(page, "yaml"):
        SiteConfig.model_validate(yaml.safe_load(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_examples_is_python(page: Path) -> None:
    for text in blocks(page, "python"):
        compile(text, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def execute(text: str, **names: Any) -> dict[str, Any]:
    """Execute an example, and return the names that it has then."""
    await eval(compile(text, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    return names


@pytest.fixture
async def site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A site file in the current folder, of a simulated controller that is ready."""
    device = SimArchon(Acf.read(demo_acf()), applied=True, now=-10.0)
    device.handle("POWERON", -10.0)
    async with SimServer(device, speed=50.0) as sim:
        (tmp_path / "site.yaml").write_text(f"controller: {{host: 127.0.0.1, port: {sim.port}}}\nfiles: {{path: .}}\n")
        monkeypatch.chdir(tmp_path)
        yield tmp_path / "site.yaml"


def add_examples(site_file: Path, page: Path) -> None:
    """Add the sections of a page to a site file."""
    site_file.write_text(site_file.read_text() + "".join(blocks(page, "yaml")))


async def test_the_examples_of_the_library_work(site_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controller, camera = (text for text in blocks(ROOT / "README.md", "python") if "async with" in text)
    port = load(site_file).controller.port
    here = controller.replace('"10.0.0.2"', f'"127.0.0.1", {port}').replace('"ccd.acf"', repr(str(demo_acf())))
    names = await execute(here.replace("1.5", "0.1"))
    assert names["frame"].info.height == 1056
    await execute(camera)
    (file,) = ast.literal_eval(capsys.readouterr().out)
    assert fits.getval(file, "EXPTIME") == 1.5


async def test_the_example_of_exposures_works(site_file: Path) -> None:
    (text,) = blocks(DOCS / "how-to" / "exposures.md", "python")
    async with open_camera(load(site_file)) as camera:
        await execute(text.replace("10.0", "0.1"), camera=camera)
    assert len(list(site_file.parent.glob("*.fits"))) == 2


async def test_the_hooks_of_the_examples_work(site_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, folder = DOCS / "how-to" / "hooks.md", site_file.parent
    night, flap, from_python = blocks(page, "python")
    (folder / "night.py").write_text(night)
    (folder / "flap.py").write_text(flap)
    add_examples(site_file, page)
    async with open_camera(load(site_file)) as camera:
        camera.change(seconds=0.3, shutter_mode=ShutterMode.EPICS_PV)
        await camera.acquire()
        assert (folder / "relay").read_text() == "0"
        assert (folder / "night.txt").read_text().split() == [str(folder / "archon_0001.fits")]
        (folder / "dome_is_closed").touch()
        with pytest.raises(StateError, match="pre_expose: the dome is closed"):
            await camera.acquire()
        (folder / "dome_is_closed").unlink()
        await execute(from_python, camera=camera)
    assert capsys.readouterr().out == "2 ['archon_0002.fits']\n"


async def test_the_example_of_a_pause_works(site_file: Path) -> None:
    page = DOCS / "how-to" / "pause.md"
    add_examples(site_file, page)
    (text,) = blocks(page, "python")
    async with open_camera(load(site_file)) as camera:
        client = asyncio.create_task(camera.acquire(camera.state.settings.changed(seconds=1.0)))
        await camera.live.until(lambda state: state.phase is Phase.INTEGRATING)
        await execute(text, camera=camera)
        await client
        assert camera.state.message == "Done"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_process_variables_in_examples_exist(page: Path) -> None:
    rows = [row for _, rows in (*CAMERA_TABLES, *CONTROLLER_TABLES) for row in rows]
    known = {record.suffix for row in rows for record in row.records()}
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b(?:ARCHON|SITE):(?:\w+:)*(\w+)", text) + re.findall(r"`(\w+_RBV)`", text)
    assert set(named) - known - {"X_RBV", "Image"} == set()  # the latter is a NTNDArray


def fields(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield the section and name of every key of the site file."""
    for name, field in model.model_fields.items():
        inner = [t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if is_model(t)]
        if not inner:
            yield "", name
        for kind in inner:
            yield from ((name, key) for _, key in fields(kind))


def is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def sections(page: Path) -> dict[str, str]:
    """Return the text of each section by its heading without backticks; some have two."""
    parts = re.split(r"^## (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {name.strip("`"): text for heading, text in pairs for name in heading.split(" or ")}


def test_every_key_of_the_site_file_is_explained() -> None:
    explained = sections(DOCS / "reference" / "config.md")
    keys = {(section, key) for section, key in fields(SiteConfig)}
    assert ("controller", "host") in keys
    missing = [(section, key) for section, key in sorted(keys) if f"`{key}`" not in explained[section or "Top level"]]
    assert missing == []


def test_every_section_of_the_site_file_exists() -> None:
    explained = set(sections(DOCS / "reference" / "config.md"))
    assert explained == {section or "Top level" for section, _ in fields(SiteConfig)}


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_option_is_explained(name: str) -> None:
    explained = next(
        text
        for heading, text in sections(DOCS / "reference" / "cli.md").items()
        if heading.split()[:2] == ["archon-ioc", name]
    )
    options = [p.opts[0] for p in main.commands[name].params if isinstance(p, click.Option)]
    assert [option for option in options if f"`{option}`" not in explained] == []


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_problem_decision_and_consequences(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.match(rf"# {int(page.stem[:4])}\. \w", text)
    parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
    assert parts == ["Problem", "Decision", "Consequences"]
    assert f"]({page.name})" in (page.parent / "README.md").read_text(encoding="utf-8")


def test_the_tests_that_a_page_names_exist() -> None:
    text = (DOCS / "reference" / "sdss-archon.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z]+/test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 40
    tests = Path(__file__).parent
    missing = [name for path, name in named if f"def {name}(" not in (tests / path).read_text(encoding="utf-8")]
    assert missing == []

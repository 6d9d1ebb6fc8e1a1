"""The rules of the house, as far as a program can see whether they are kept. Reasons: docs/explanations."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "archon_ioc"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LONGEST_FILE = 400
LONGEST_FUNCTION = 40
MOST_PARAMETERS = 5
DEEPEST_NESTING = 3
MOST_METHODS = 12

WIDE_CLASSES = {"ArchonController"}  # the library's public face

FORBIDDEN_WORDS = {"manager", "handler", "helper", "delegate", "utils", "tools", "common", "base", "tmp"}
FORBIDDEN_NAMES = {"data", "info"}

# Where any exception may be caught, and why that hides none.
BROAD_EXCEPTS = {
    "driver/keeper.py _keep_connected": "logged, and treated as a lost link",
    "exposure/calling.py _tried": "the site's function runs in a thread; its error is raised where it is waited for",
    "exposure/loading.py _executed": "the module is forgotten, then the exception goes on",
    "exposure/loading.py _made": "told as a ConfigError, with its cause",
    "exposure/loading.py _module": "told as a ConfigError, with its cause",
    "exposure/series.py _safely": "the hardware comes first, then the exception goes on",
    "exposure/shots.py _finish": "the others go on, and so does the exception",
    "exposure/publisher.py _give": "logged and shown; an image client must cost neither the file nor other clients",
    "plugins/plugin.py _process": "logged and shown; a plugin's bug must cost neither the exposure nor the others",
    "pvs/render.py reading": "one wrong row is logged and becomes INVALID, the others go on",
    "serve/puts.py put": "logged, and the client is told; one client must not end the service for all",
    "serve/caproto_server.py _broadcaster_recv_datagram": "anybody can send anything to that port",
    "serve/caproto_server.py _give": "logged, and that one client is dropped",
    "serve/remote_pv.py connect": "the channel is closed, then the exception goes on",
}

# Modules that need no test file of their own, and why.
UNTESTED = {
    "__main__": "tests/system runs it",
}

PURE = ("protocol", "acf", "image", "export", "config.py", "errors.py", "live.py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def place(path: Path, node: ast.AST | None = None, what: str = "") -> str:
    line = f":{node.lineno}" if node is not None and hasattr(node, "lineno") else ""
    return f"{path.relative_to(ROOT)}{line} {what}".strip()


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def classes(path: Path) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef))


def called_name(node: ast.AST) -> str:
    """Return ``sleep`` for a call of ``sleep(…)`` or ``asyncio.sleep(…)``, nothing for what is no call."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


# Size


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (*SOURCES, *TESTS)}
    assert [f"{place(path)}: {n} lines" for path, n in lengths.items() if n > LONGEST_FILE] == []


def test_functions_are_short() -> None:
    def length(function: Function) -> int:
        return (function.end_lineno or 0) - function.lineno + 1

    assert [
        place(path, function, f"{function.name}: {length(function)} lines")
        for path in SOURCES
        for function in functions(path)
        if length(function) > LONGEST_FUNCTION
    ] == []


def test_functions_have_few_parameters() -> None:
    def count(function: Function) -> int:
        arguments = function.args
        named = [a.arg for a in (*arguments.posonlyargs, *arguments.args) if a.arg not in ("self", "cls")]
        required = [default for default in arguments.kw_defaults if default is None]
        return len(named) + len(required)

    assert [
        place(path, function, f"{function.name}: {count(function)} parameters")
        for path in SOURCES
        for function in functions(path)
        if count(function) > MOST_PARAMETERS
    ] == []


BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def depth(node: ast.AST) -> int:
    """Return how deep blocks stand in each other; an ``elif`` is not deeper than its ``if``."""
    deepest = 0
    for name, field in ast.iter_fields(node):
        for child in field if isinstance(field, list) else [field]:
            if not isinstance(child, ast.AST) or isinstance(child, Function | ast.ClassDef):
                continue
            is_elif = name == "orelse" and isinstance(node, ast.If) and isinstance(child, ast.If)
            deepest = max(deepest, depth(child) + (isinstance(child, BLOCKS) and not is_elif))
    return deepest


def test_blocks_are_not_nested_deeply() -> None:
    assert [
        place(path, function, f"{function.name}: {depth(function)} blocks deep")
        for path in SOURCES
        for function in functions(path)
        if depth(function) > DEEPEST_NESTING
    ] == []


def is_property(function: Function) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_classes_have_few_public_methods() -> None:
    def methods(kind: ast.ClassDef) -> list[str]:
        own = [node for node in kind.body if isinstance(node, Function)]
        return [node.name for node in own if not node.name.startswith("_") and not is_property(node)]

    assert [
        place(path, kind, f"{kind.name}: {len(methods(kind))} public methods")
        for path in SOURCES
        for kind in classes(path)
        if len(methods(kind)) > MOST_METHODS and kind.name not in WIDE_CLASSES
    ] == []


# Names


def is_forbidden(name: str) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")
    return bool(FORBIDDEN_WORDS.intersection(words)) or name.lower() in FORBIDDEN_NAMES or words[0] == "do"


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("FrameManager", True),
        ("_error_handler", True),
        ("do_it", True),
        ("data", True),
        ("BufferInfo", False),
        ("downloads", False),
        ("database", False),
    ],
)
def test_the_test_for_names_can_fail(name: str, forbidden: bool) -> None:
    assert is_forbidden(name) is forbidden


def test_names_say_something() -> None:
    defined = [(place(path, node), node.name) for path in SOURCES for node in (*functions(path), *classes(path))] + [
        (place(path), path.stem) for path in SOURCES if path.stem != "__init__"
    ]
    assert [f"{where}: {name}" for where, name in defined if is_forbidden(name)] == []


# Errors and tasks


def is_broad(node: ast.AST) -> bool:
    caught = ""
    if isinstance(node, ast.ExceptHandler):
        caught = ast.unparse(node.type) if node.type else "BaseException"
    elif called_name(node) == "suppress":
        caught = ast.unparse(node)
    return bool(re.search(r"\b(Base)?Exception\b", caught))


def broad_excepts() -> Iterator[tuple[Path, Function, ast.AST]]:
    for path in SOURCES:
        for function in functions(path):
            yield from ((path, function, node) for node in ast.walk(function) if is_broad(node))


def test_any_exception_is_caught_in_few_places() -> None:
    found = {f"{path.relative_to(PACKAGE)} {function.name}" for path, function, _ in broad_excepts()}
    assert found - set(BROAD_EXCEPTS) == set(), "not on the list"
    assert set(BROAD_EXCEPTS) - found == set(), "on the list, but not there any more"


def test_no_exception_is_hidden() -> None:
    def tells(node: ast.AST) -> bool:
        return any(isinstance(n, ast.Raise) or ast.unparse(n).startswith("log.") for n in ast.walk(node))

    assert [place(path, node, function.name) for path, function, node in broad_excepts() if not tells(node)] == []


def test_no_exception_groups_are_caught() -> None:
    # A stop request would be lost in Python 3.11 and 3.12 when a group fails at the same time.
    assert [place(path, n) for path in SOURCES for n in ast.walk(tree(path)) if isinstance(n, ast.TryStar)] == []


def test_no_task_group_in_a_loop_for_ever() -> None:
    assert [
        place(path, node)
        for path in SOURCES
        for loop in ast.walk(tree(path))
        if isinstance(loop, ast.While)
        for node in ast.walk(loop)
        if called_name(node) == "TaskGroup"
    ] == []


def test_only_asyncio_sleeps() -> None:
    assert [
        place(path, node)
        for path in SOURCES
        for node in ast.walk(tree(path))
        if called_name(node) == "sleep" and ast.unparse(node.func) != "asyncio.sleep"  # type: ignore[attr-defined]
    ] == []


# Structure


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_every_module_says_what_lives_in_it() -> None:
    assert [place(path) for path in SOURCES if not ast.get_docstring(tree(path))] == []


def test_packages_export_nothing() -> None:
    # What is needed is imported from the file that defines it.
    packages = [path for path in SOURCES if path.name == "__init__.py"]
    assert [place(path) for path in packages if any(name.startswith("archon_ioc") for name in imports(path))] == []


def test_pure_layers_log_and_print_nothing() -> None:
    def is_pure(path: Path) -> bool:
        return path.relative_to(PACKAGE).parts[0] in PURE

    assert [place(path) for path in SOURCES if is_pure(path) and "logging" in imports(path)] == []
    assert [
        place(path, node)
        for path in SOURCES
        if is_pure(path)
        for node in ast.walk(tree(path))
        if called_name(node) == "print"
    ] == []


def test_every_module_has_its_tests() -> None:
    def test_file(path: Path) -> Path:
        own = path.relative_to(PACKAGE)
        return ROOT / "tests" / own.parent / f"test_{own.name}"

    wanted = [path for path in SOURCES if path.stem != "__init__" and path.stem not in UNTESTED]
    assert [f"{place(path)} has no {place(test_file(path))}" for path in wanted if not test_file(path).exists()] == []


# Tests


def waits(node: ast.AST) -> bool:
    """Return whether a call sleeps for a time; ``asyncio.sleep(0)`` gives others their turn."""
    return called_name(node) == "sleep" and not ast.unparse(node).endswith("(0)")


def test_tests_do_not_wait_for_a_while() -> None:
    found = [place(path, node) for path in TESTS for node in ast.walk(tree(path)) if waits(node)]
    assert found == [], "wait for the thing: Live.until, an event, a future"


def replaces_our_own(call: ast.Call) -> bool:
    """Return whether ``monkeypatch.setattr`` replaces more than a constant or a function of the system."""
    target = call.args[0]
    if ast.unparse(target) in sys.stdlib_module_names:
        return False
    name = call.args[1] if len(call.args) == 3 else target
    return not (isinstance(name, ast.Constant) and str(name.value).rpartition(".")[2].isupper())


def test_tests_use_no_mocks() -> None:
    mocks = ("unittest.mock", "pytest_mock", "mock")
    assert [place(path) for path in TESTS if any(name.startswith(mocks) for name in imports(path))] == []
    assert [
        place(path, node)
        for path in TESTS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and called_name(node) == "setattr" and "patch" in ast.unparse(node.func)
        if replaces_our_own(node)
    ] == []


def test_tests_are_no_package() -> None:
    assert [place(path) for path in TESTS if path.name == "__init__.py"] == []

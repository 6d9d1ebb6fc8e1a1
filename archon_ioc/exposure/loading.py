"""Loading: Python objects of the site, imported by the names that the site file gives them."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from archon_ioc.config import HooksConfig, SiteConfig
from archon_ioc.errors import ConfigError
from archon_ioc.exposure.hook_shutter import HookShutter
from archon_ioc.exposure.hooks import Hooks, UserShutter

_HOOKS = ("pre_expose", "during_exposure", "during_readout", "post_process")


def check_hooks(site: SiteConfig) -> None:
    """Import the code that a site file names, and see whether it can be called; nothing is called.

    Raises:
        ConfigError: as `hooks_of` and `shutter_of`.
    """
    hooks_of(site.hooks)
    if site.shutter.hook:
        _shutter(site.shutter.hook)


def hooks_of(config: HooksConfig) -> Hooks:
    """Import the hooks of a site file. Runs the site's code.

    Raises:
        ConfigError: if one is not there, cannot be imported or cannot be called with one argument.
    """
    names = {hook: getattr(config, hook) for hook in _HOOKS}
    found: dict[str, Any] = {hook: _hook(f"hooks.{hook}", name) for hook, name in names.items() if name}
    return Hooks(**found, timeout=config.timeout, wait=config.wait)


def shutter_of(site: SiteConfig) -> HookShutter | None:
    """Import the shutter of a site file, None if it names none. Runs the site's code.

    Raises:
        ConfigError: if it is not there, cannot be imported, or does not open and close.
    """
    if not site.shutter.hook:
        return None
    found = _shutter(site.shutter.hook)
    made = _made(cast("Callable[[], object]", found)) if inspect.isclass(found) else found
    return HookShutter(cast("UserShutter", made), site.hooks.timeout)


def imported(name: str, where: str) -> object:
    """Return the object that ``module:attribute`` or ``file.py:attribute`` names.

    Raises:
        ConfigError: if there is none, saying ``where`` it was asked for.
    """
    origin, _, attribute = name.rpartition(":")
    module = _module(origin, where)
    try:
        return reduce(getattr, attribute.split("."), cast("object", module))
    except AttributeError as error:
        raise ConfigError(f"{where}: {error}") from error


def _shutter(name: str) -> object:
    where = f"shutter.hook: {name}"
    found = imported(name, where)
    for method in ("open", "close"):
        _check_call(getattr(found, method, None), int(inspect.isclass(found)), f"{where}: {method}")
    return found


def _hook(where: str, name: str) -> object:
    hook = imported(name, f"{where}: {name}")
    _check_call(hook, 1, f"{where}: {name}")
    return hook


def _check_call(what: object, arguments: int, where: str) -> None:
    if not callable(what):
        raise ConfigError(f"{where} cannot be called")
    try:
        inspect.signature(what).bind(*[None] * arguments)
    except TypeError as error:
        raise ConfigError(f"{where} cannot be called with {arguments} arguments: {error}") from error
    except ValueError:  # a built-in tells nobody what it takes
        return


def _module(origin: str, where: str) -> ModuleType:
    if origin.endswith(".py") and str(Path(origin).absolute()) in sys.modules:
        return sys.modules[str(Path(origin).absolute())]
    try:
        return _executed(Path(origin).absolute()) if origin.endswith(".py") else importlib.import_module(origin)
    except Exception as error:
        raise ConfigError(f"{where}: {type(error).__name__}: {error}") from error


def _executed(path: Path) -> ModuleType:
    """Return the module that a file is; its name is its path, so that two files are never mistaken for each other."""
    spec = importlib.util.spec_from_file_location(str(path), path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _made(kind: Callable[[], object]) -> object:
    try:
        return kind()
    except Exception as error:
        raise ConfigError(f"shutter.hook: {kind}: {type(error).__name__}: {error}") from error

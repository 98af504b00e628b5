"""Plug-in points: a package whose every module may hold one constant; a new plug-in is one new file."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def discover(package: str, constant: str) -> dict[str, object]:
    """Return the value of `constant` of each module of `package` that has one, by module name, in name order."""
    path = import_module(package).__path__
    names = sorted(module.name for module in iter_modules(path))
    modules = {name: import_module(f"{package}.{name}") for name in names}
    return {name: getattr(module, constant) for name, module in modules.items() if hasattr(module, constant)}

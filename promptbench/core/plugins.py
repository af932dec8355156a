"""Finds the files of a folder that are plugins, and those of other distributions, without importing any.

The name people write is the module's name with dashes, underscores and spaces alike: `json schema` is
`json_schema.py`. A module whose name starts with an underscore is no plugin.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType

from promptbench.core.errors import EnvironmentFailure


def module_name(written: str) -> str:
    """The module name of a name as people write it."""
    return "_".join(written.strip().lower().replace("-", " ").replace("_", " ").split())


class Plugins:
    """The plugins of one kind: the modules in `package`'s folder and the entry points of `promptbench.<kind>`."""

    def __init__(self, package: str, kind: str) -> None:
        self.package = package
        self.group = f"promptbench.{kind}"
        # A name is looked up for every check of every case.
        self._loaded: dict[str, ModuleType] = {}

    def names(self) -> list[str]:
        """All module names, sorted."""
        return sorted({*self._own(), *self._foreign()})

    def __contains__(self, written: str) -> bool:
        if written in self._loaded:
            return True
        name = module_name(written)
        return name in self._own() or name in self._foreign()

    def home(self, name: str) -> str:
        """The dotted name of the module of a plugin that there is, which is not imported for it."""
        return f"{self.package}.{name}" if name in self._own() else self._foreign()[name].module

    def load(self, written: str) -> ModuleType:
        """The plugin's module. Raises KeyError when there is none, EnvironmentFailure when a foreign one is broken."""
        if written not in self._loaded:
            self._loaded[written] = self._load(module_name(written))
        return self._loaded[written]

    def _load(self, name: str) -> ModuleType:
        if name in self._own():
            return importlib.import_module(f"{self.package}.{name}")
        entry = self._foreign()[name]
        try:
            module = entry.load()
        except Exception as error:  # foreign code may raise anything
            raise EnvironmentFailure(
                f"the plugin '{name}' of {entry.dist.name if entry.dist else 'another package'} does not load: {error}",
                hint="update or uninstall that package",
            ) from error
        if not isinstance(module, ModuleType):
            raise EnvironmentFailure(f"the entry point '{name}' in {self.group} must name a module")
        return module

    def _own(self) -> frozenset[str]:
        return _listed(self.package)

    def _foreign(self) -> dict[str, metadata.EntryPoint]:
        return _entry_points(self.group)


def _listed(package: str) -> frozenset[str]:
    return _modules(tuple(importlib.import_module(package).__path__))


@cache
def _modules(folders: tuple[str, ...]) -> frozenset[str]:
    stems = (path.stem for folder in folders for path in Path(folder).glob("*.py"))
    return frozenset(stem for stem in stems if stem.isidentifier() and not stem.startswith("_"))


@cache
def _entry_points(group: str) -> dict[str, metadata.EntryPoint]:
    return {module_name(entry.name): entry for entry in metadata.entry_points(group=group)}

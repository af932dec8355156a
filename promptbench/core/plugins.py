"""Find the plug-ins of one kind, in our own folder and in other distributions, without importing them.

A name may be written with spaces, dashes or underscores: `json schema` is the module `json_schema.py`. A module whose
name starts with an underscore is not a plug-in.
"""

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from promptbench.core.errors import EnvironmentFailure

Spec = TypeVar("Spec")


def module_name(written: str) -> str:
    """Return the module name for a plug-in's name as people write it."""
    return "_".join(written.strip().lower().replace("-", " ").replace("_", " ").split())


class Plugins(Generic[Spec]):
    """The plug-ins of one kind: modules in the folder of `package`, and entry points of the group `promptbench.<kind>`.

    `deprecated` maps old names to `module:attribute`. They load, but they are not listed.
    """

    def __init__(
        self,
        package: str,
        kind: str,
        spec_type: type[Spec] = ModuleType,  # type: ignore[assignment]
        deprecated: Mapping[str, str] | None = None,
    ) -> None:
        self.package = package
        self.group = f"promptbench.{kind}"
        self._spec_type = spec_type
        self._deprecated = {
            name: metadata.EntryPoint(name, value, self.group) for name, value in (deprecated or {}).items()
        }
        # A name is looked up for every check of every case.
        self._loaded: dict[str, Spec] = {}

    def names(self) -> list[str]:
        """Return all names except deprecated ones, sorted."""
        return sorted({*self._own(), *self._foreign()})

    def __contains__(self, written: str) -> bool:
        return written in self._loaded or self._find(module_name(written)) is not None

    def home(self, name: str) -> str:
        """Return the dotted name of a known plug-in's module, without importing it."""
        return f"{self.package}.{name}" if name in self._own() else self._foreign()[name].module

    def load(self, written: str) -> Spec:
        """Return the plug-in's spec.

        Raises KeyError if there is no such plug-in, EnvironmentFailure if it does not load or has no spec of this kind.
        """
        if written not in self._loaded:
            self._loaded[written] = self._load(module_name(written))
        return self._loaded[written]

    def _load(self, name: str) -> Spec:
        entry = self._find(name)
        if entry is None:
            raise KeyError(name)
        # Our own modules must not hide their errors behind a sentence about packages.
        loaded: Any = entry.load() if name in self._own() else _load_foreign(entry)
        if isinstance(loaded, self._spec_type):
            return loaded
        spec = vars(loaded).get("SPEC") if isinstance(loaded, ModuleType) else None
        if not isinstance(spec, self._spec_type):
            raise EnvironmentFailure(
                f"the plug-in '{name}' in {self.group} has no {self._spec_type.__name__}",
                hint=f"'{entry.value}' must be a module with SPEC = {self._spec_type.__name__}(…), or the spec itself",
            )
        return spec

    def _find(self, name: str) -> metadata.EntryPoint | None:
        if name in self._own():
            return metadata.EntryPoint(name, f"{self.package}.{name}", self.group)
        return self._foreign().get(name) or self._deprecated.get(name)

    def _own(self) -> frozenset[str]:
        return _modules(tuple(importlib.import_module(self.package).__path__))

    def _foreign(self) -> dict[str, metadata.EntryPoint]:
        return {module_name(entry.name): entry for entry in installed_entry_points(self.group)}


def _load_foreign(entry: metadata.EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:  # foreign code may raise anything
        owner = entry.dist.name if entry.dist else "another package"
        raise EnvironmentFailure(
            f"the plug-in '{entry.name}' of {owner} does not load: {error}", hint="update or uninstall that package"
        ) from error


@cache
def _modules(folders: tuple[str, ...]) -> frozenset[str]:
    stems = (path.stem for folder in folders for path in Path(folder).glob("*.py"))
    return frozenset(stem for stem in stems if stem.isidentifier() and not stem.startswith("_"))


def installed_entry_points(group: str) -> tuple[metadata.EntryPoint, ...]:
    """Return what other distributions register in a group, in order of names."""
    return _entry_points(group, tuple(sys.path))


# Kept until the import path changes: reading the metadata of every distribution takes about 12 ms.
@cache
def _entry_points(group: str, _path: tuple[str, ...]) -> tuple[metadata.EntryPoint, ...]:
    return tuple(sorted(metadata.entry_points(group=group), key=lambda entry: entry.name))

"""Who may import whom. Read from the sources, so that nothing has to be imported to be checked."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import promptbench

ROOT = Path(promptbench.__file__).parent
LEAVES = {"core", "formats", "text", "plugins"}
MAY_IMPORT = {
    "core": set(),
    "formats": {"core"},
    "text": {"core"},
    # Types only: what plug-ins of every kind hand over.
    "plugins": {"report"},
    **dict.fromkeys(
        ("settings", "suite", "prompts", "providers", "ingest", "gateway", "store", "report", "stats", "metrics"),
        LEAVES,
    ),
    "checks": LEAVES | {"metrics"},
    "gate": {"stats", "core"},
    "project": LEAVES | {"suite", "prompts", "checks", "providers", "ingest"},
    "engine": {"gateway", "project", "core"},
    "cli": {"api", "report", "settings", "core"},
    # What an application imports: the store and the engine that fills a prompt, and nothing that reads YAML.
    "client": {"store", "prompts", "text", "core"},
    # A front like the command line.
    "pytest_plugin": {"api", "report", "core"},
}
MAY_IMPORT["api"] = set(MAY_IMPORT) - {"cli", "client", "pytest_plugin"}
STANDARD_ONLY = {"core"}
MODULES = {"client", "plugins", "pytest_plugin"}
"""Layers that are one file."""


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, at any depth."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def files() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in MODULES)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_only_what_its_layer_may(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0].removesuffix(".py")
    own = {name.split(".")[1] for name in imported(path) if name.startswith("promptbench.")}
    assert own - {layer} <= MAY_IMPORT[layer]


@pytest.mark.parametrize("layer", sorted(STANDARD_ONLY))
def test_core_needs_only_the_standard_library(layer: str) -> None:
    import sys

    for path in (ROOT / layer).rglob("*.py"):
        foreign = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names) - {"promptbench"}
        assert not foreign, path


def test_every_folder_has_a_layer() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders == set(MAY_IMPORT) - MODULES

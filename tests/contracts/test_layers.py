"""Who may import whom. Read from the sources, so that nothing has to be imported to be checked."""

from __future__ import annotations

import ast
from pathlib import Path

import promptbench

ROOT = Path(promptbench.__file__).parent
LEAVES = {"core", "plugins", "yaml", "parsing", "tables", "text", "redaction", "schemas"}
ROOMS = ("start", "judge", "logs", "store", "trust", "measure", "upkeep")
MAY_IMPORT = {
    "core": set(),
    "plugins": {"core"},
    "parsing": {"core", "plugins"},
    "yaml": {"core", "parsing"},
    "tables": {"core", "yaml"},
    "text": {"core"},
    "redaction": {"core", "text"},
    "schemas": {"core"},
    "recording": {"core"},
    "answers": {"parsing", "plugins", "schemas", "core"},
    "stats": set(),
    "metrics": {"core", "stats"},
    **dict.fromkeys(("settings", "suite", "prompts", "providers", "ingest", "gateway", "store"), LEAVES),
    "report": LEAVES | {"metrics"},
    "checks": LEAVES | {"metrics"},
    "gate": {"stats", "core"},
    "engine": LEAVES | {"gateway", "gate", "suite", "prompts", "checks", "providers", "ingest"},
    "project": LEAVES | {"engine", "gate", "store", "settings", "suite", "prompts"},
    "client": {"store", "prompts", "text", "core"},
    "cli": {"web", "workflows", "project", "report", "settings", "core"},
    "web": {"workflows", "project", "report", "settings", "core"},
    "pytest_plugin": {"workflows", "project", "report", "core"},
}
MAY_IMPORT["workflows"] = set(MAY_IMPORT) - {"cli", "web", "client", "pytest_plugin", "recording", "answers"}
# What each part may import; the import rules of docs/architecture.md.
MODULES = {"answers", "client", "plugins", "project", "pytest_plugin", "recording"}
# Parts that are one file.
BELOW = {
    "judge": set(),
    "logs": {"judge"},
    "store": {"judge", "trust"},
    "trust": {"judge"},
    "measure": {"judge", "logs"},
    "start": {"judge", "logs", "trust"},
    "upkeep": {"judge", "store", "logs"},
}
# Which rooms of workflows/ a room may import.


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports, at any depth."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.parent == ROOT:
        # `plugins` and `__init__` name types of higher layers for type checkers.
        tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and _is_type_checking(node.test))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).with_suffix("").parts


FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in MODULES)


def test_each_file_imports_only_what_its_part_may() -> None:
    wrong = {}
    for path in FILES:
        part = parts(path)[0]
        own = {name.split(".")[1] for name in imported(path) if name.startswith("promptbench.")}
        if forbidden := own - {part, "__version__"} - MAY_IMPORT[part]:
            wrong[path.relative_to(ROOT).as_posix()] = forbidden
    assert not wrong


def test_rooms_of_workflows_form_no_circle() -> None:
    wrong = {}
    for path in (ROOT / "workflows").rglob("*/*.py"):
        room = parts(path)[1]
        others = {name.split(".")[2] for name in imported(path) if name.startswith("promptbench.workflows.")}
        if forbidden := others - {room} - BELOW[room]:
            wrong[path.relative_to(ROOT).as_posix()] = forbidden
    assert not wrong


def test_core_needs_only_the_standard_library() -> None:
    import sys

    for path in (ROOT / "core").rglob("*.py"):
        foreign = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names) - {"promptbench"}
        assert not foreign, path


def test_every_folder_has_its_rules() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert folders == set(MAY_IMPORT) - MODULES


def test_the_rooms_are_the_panels_of_help() -> None:
    from promptbench.cli.app import PANELS

    folders = {path.name for path in (ROOT / "workflows").iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders == set(ROOMS) == {panel.lower() for panel in PANELS}


def test_no_file_is_longer_than_500_lines() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")}
    assert not {path: length for path, length in lengths.items() if length > 500}

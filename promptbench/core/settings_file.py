"""The project's settings file: `promptbench.toml`, or `[tool.promptbench]` in `pyproject.toml`."""

from __future__ import annotations

from pathlib import Path

PROJECT_FILE = "promptbench.toml"
PYPROJECT = "pyproject.toml"
_TABLE = "[tool.promptbench"


def settings_file(folder: Path) -> Path | None:
    """Return the settings file in a folder; a pyproject.toml needs `[tool.promptbench]`. May raise OSError."""
    if (folder / PROJECT_FILE).is_file():
        return folder / PROJECT_FILE
    pyproject = folder / PYPROJECT
    if pyproject.is_file() and _TABLE in pyproject.read_text(encoding="utf-8", errors="replace"):
        return pyproject
    return None


def place(root: Path, table: str = "", line: str = "") -> str:
    """Return how a hint names a setting in the file that the project has: the file, its table, and the line to write.

    Args:
        root: the project's root.
        table: the table below the settings, such as `providers.http`; empty for the top level.
        line: what to write there.
    """
    try:
        file = settings_file(root)
    except OSError:
        file = None
    in_pyproject = file is not None and file.name == PYPROJECT
    names = [*(["tool", "promptbench"] if in_pyproject else []), *([table] if table else [])]
    header = f"[{'.'.join(names)}]" if names else ""
    written = " ".join(part for part in (header, line) if part)
    return f"{PYPROJECT if in_pyproject else PROJECT_FILE}: {written}"

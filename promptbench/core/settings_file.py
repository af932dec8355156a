"""The project's settings file: `promptbench.toml`, or `[tool.promptbench]` in `pyproject.toml`."""

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


def place(root: Path, table: str = "") -> str:
    """Return how a hint names a table of the settings, and the file that this project has.

    Args:
        root: the project's root.
        table: the table below the settings, such as `providers.http`; empty for the top level.
    """
    try:
        found = settings_file(root)
    except OSError:
        found = None
    file = found.name if found else PROJECT_FILE
    header = ".".join(part for part in ("tool.promptbench" if file == PYPROJECT else "", table) if part)
    return f"[{header}] of {file}" if header else file

"""The settings file of a project, `promptbench.toml` or `[tool.promptbench]` of `pyproject.toml`; user folders."""

import sys
from collections.abc import Mapping
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


def config_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of the user's settings, existing or not; None without a home folder."""
    return _folder(environ, "APPDATA", "XDG_CONFIG_HOME", ".config")


def data_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of what promptbench downloads for the user, existing or not; None without a home folder."""
    return _folder(environ, "LOCALAPPDATA", "XDG_DATA_HOME", ".local/share")


def _folder(environ: Mapping[str, str], windows: str, xdg: str, below_home: str) -> Path | None:
    if sys.platform == "win32":
        base = environ.get(windows)
    else:
        home = environ.get("HOME")
        base = environ.get(xdg) or (f"{home}/{below_home}" if home else None)
    return Path(base) / "promptbench" if base else None

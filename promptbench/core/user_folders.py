"""The folders of the user that promptbench reads and writes outside of a project."""

import sys
from collections.abc import Mapping
from pathlib import Path


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

"""Resolve paths in a suite, which are always below the suite's folder."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

from promptbench.core.diagnostics import Code, Diagnostics, Location


def below(folder: Path, written: str, location: Location, found: Diagnostics) -> Path | None:
    """Return the path `written` below `folder`, existing or not. Add a diagnostic and return None if it is outside."""
    path = Path(folder, written.replace("\\", "/"))
    windows = PureWindowsPath(written)
    try:
        path.is_file()  # raises ValueError for an impossible name
        outside = bool(windows.root or windows.drive) or not path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        found.add(Code.BAD_VALUE, f"'{written}' is not a valid file name", location)
        return None
    if outside:
        found.add(
            Code.PATH_OUTSIDE,
            f"'{written}' is outside the suite's folder",
            location,
            hint="copy the file next to the suite, and write only its name",
        )
        return None
    return path

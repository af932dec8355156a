"""Paths that a suite names: always below the suite's folder, always with forward slashes."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

from promptbench.core.diagnostics import Code, Diagnostics, Location


def below(folder: Path, written: str, location: Location, found: Diagnostics) -> Path | None:
    """The file `written` below `folder`, whether it exists or not; None, with a diagnostic, when it lies elsewhere."""
    path = Path(folder, written.replace("\\", "/"))
    windows = PureWindowsPath(written)
    try:
        path.is_file()  # raises for what no file can be called
        outside = bool(windows.root or windows.drive) or not path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        found.add(Code.BAD_VALUE, f"'{written}' cannot be the name of a file", location)
        return None
    if outside:
        hint = "copy the file beside the suite, and write its name only"
        found.add(Code.PATH_OUTSIDE, f"'{written}' lies outside the suite's folder", location, hint=hint)
        return None
    return path

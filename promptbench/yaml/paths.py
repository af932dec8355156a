"""Resolve paths in a suite, which are always below the suite's folder."""

from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath

from promptbench.core.errors import Code, Diagnostics, Location


def below(
    folder: Path, written: str, location: Location, found: Diagnostics, *, root: Path | None = None
) -> Path | None:
    """Return the path `written` from `folder`, existing or not. Add a diagnostic and return None if it is outside.

    It must be below the folder, or below the project's `root` if that is given.
    """
    path = Path(folder, written.replace("\\", "/"))
    windows = PureWindowsPath(written)
    try:
        path.is_file()  # raises ValueError for an impossible name
        outside = bool(windows.root or windows.drive) or not path.resolve().is_relative_to((root or folder).resolve())
    except (OSError, ValueError, RuntimeError):
        found.add(Code.BAD_VALUE, f"'{written}' is not a valid file name", location)
        return None
    if outside:
        found.add(
            Code.PATH_OUTSIDE,
            f"'{written}' is outside the {'project' if root else 'suite'}'s folder",
            location,
            hint="copy the file next to the suite, and write only its name",
        )
        return None
    return path


def matches(
    folder: Path,
    written: str,
    location: Location,
    found: Diagnostics,
    *,
    hint: str,
    counts: Callable[[Path], bool] = lambda _: True,
) -> Iterator[Path]:
    """Yield the files below `folder` that a name or a pattern means, those of a pattern in order.

    A file that is named need not exist, and a pattern leaves out those that do not count. A pattern that is invalid,
    matches nothing, or leaves the folder adds a diagnostic; `hint` is that of no match.
    """
    path = below(folder, written, location, found)
    if path is None:
        return
    if path.is_file() or not any(char in written for char in "*?["):
        yield path
        return
    try:
        files = [item for item in sorted(folder.glob(written.replace("\\", "/"))) if item.is_file() and counts(item)]
    except ValueError:
        advice = f"'**' must be a whole part of the path, as in **/NAME{path.suffix}"
        found.add(Code.BAD_VALUE, f"'{written}' is not a valid pattern", location, hint=advice)
        return
    if not files:
        found.add(Code.FILE_NOT_FOUND, f"no file matches '{written}'", location, hint=hint)
    # A match may leave the suite's folder by a symbolic link.
    yield from (item for item in files if below(folder, item.relative_to(folder).as_posix(), location, found))

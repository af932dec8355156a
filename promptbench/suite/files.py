"""Read the files that a case names: images and PDFs as they are, all others as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity, did_you_mean
from promptbench.core.files import FileValue
from promptbench.core.types import Json
from promptbench.suite.models import Where
from promptbench.yaml.paths import below
from promptbench.yaml.source import SourceError, read_source

_FORMATS = "expected an image (PNG, JPEG, GIF, WebP), a PDF or text"


def values_of_files(
    files: Mapping[str, Sequence[str]], variables: Mapping[str, Json], where: Where, folder: Path, found: Diagnostics
) -> dict[str, Json] | None:
    """Return the values of a case's `files:` by name; None, with errors in `found`, if one is not valid.

    Args:
        variables: the case's other values.
        folder: the suite's folder, in which the files are.
    """
    before = len(found.errors)
    for name, value in variables.items():
        if name in files:
            message = f"'{name}' is in both 'vars' and 'files'"
            found.add(Code.DUPLICATE_KEY, message, where.location("vars", name), hint="keep one of them")
        elif isinstance(value, str) and value.startswith("file://"):
            hint = f"write it outside of 'vars': files: {{{name}: {value.removeprefix('file://')}}}"
            message = f"'{value}' is sent as this text, and no file is read"
            found.add(Code.BAD_VALUE, message, where.location("vars", name), hint=hint, severity=Severity.WARNING)
    values: dict[str, Json] = {}
    for name, paths in files.items():
        listed = isinstance(where.below("files", name).value, list)
        steps = [("files", name, index) if listed else ("files", name) for index in range(len(paths))]
        read = [_read(path, folder, where.location(*at), found) for path, at in zip(paths, steps, strict=True)]
        values[name] = read if listed else read[0]
    return values if len(found.errors) == before else None


def _read(written: str, folder: Path, location: Location, found: Diagnostics) -> Json:
    path = below(folder, written, location, found)
    if path is None:
        return None
    code, message, hint = Code.UNREADABLE_FILE, "", None
    try:
        if not path.exists():
            near = did_you_mean(path.name, [item.name for item in path.parent.glob("*") if item.is_file()])
            code, hint = Code.FILE_NOT_FOUND, f"did you mean '{near}'?" if near else None
            message = f"file '{written}' not found below the suite's folder"
        elif not path.is_file():
            message = f"'{written}' is not a file"
        else:
            return FileValue.of(path, written.replace("\\", "/")) or read_source(path, written).text.removesuffix("\n")
    except SourceError as error:
        code = error.diagnostic.code
        message = f"'{written}': {error.diagnostic.message}"
        hint = _FORMATS if code is Code.UNREADABLE_FILE else None
    except OSError as error:
        message = f"'{written}' cannot be read: {error.strerror}"
    found.add(code, message, location, hint=hint)
    return None

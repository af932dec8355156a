"""Images and PDFs as values of a case: what is known of a file without its bytes, and where these are."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The media types that models take, by the bytes that files of the type begin with.
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"RIFFWEBP": "image/webp",  # with the size between the two words
    b"%PDF-": "application/pdf",
}


def kind_of(media: str) -> str:
    """Return a media type as people name it: `PNG image`, `PDF`."""
    family, _, form = media.upper().partition("/")
    return f"{form} image" if family == "IMAGE" else form


class FileValue(dict[str, Any]):
    """An image or a PDF: plain data with the keys `file`, `type`, `size` in bytes, and `sha256`.

    The data stands for the file wherever a value is hashed or recorded. The bytes stay at `path`, which is None if
    the data is from a record.
    """

    path: Path | None = None

    @classmethod
    def of(cls, path: Path, name: str) -> FileValue | None:
        """Return the file at `path`, which a case calls `name`; None if it is neither an image nor a PDF.

        Raise OSError.
        """
        with path.open("rb") as file:
            head, state = file.read(12), os.fstat(file.fileno())
        media = next(
            (kind for magic, kind in _MAGIC.items() if magic in (head[: len(magic)], head[:4] + head[8:])), None
        )
        if media is None:
            return None
        sha256 = _sha256(path.absolute(), state.st_size, state.st_mtime_ns)
        found = cls(file=name, type=media, size=state.st_size, sha256=sha256)
        found.path = path.absolute()
        return found

    @property
    def is_image(self) -> bool:
        return str(self["type"]).startswith("image/")

    def __str__(self) -> str:
        return f"{self['file']}, {kind_of(self['type'])}, {self['size']:,} bytes"


def files_in(value: Any) -> list[FileValue]:
    """Return the files of a value: itself, or the files in a list."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, FileValue)]


def map_files(value: Any, change: Callable[[FileValue], Any]) -> Any:
    """Return a copy of plain data in which `change` replaces every file."""
    if isinstance(value, FileValue):
        return change(value)
    if isinstance(value, dict):
        return {key: map_files(item, change) for key, item in value.items()}
    return [map_files(item, change) for item in value] if isinstance(value, list) else value


def recorded_names(value: Any) -> Any:
    """Return the name of a file or the names of a list of files, as a record has them; None for any other value."""
    if isinstance(value, list):
        names = [recorded_names(item) for item in value]
        return names if names and all(names) else None
    return value["file"] if isinstance(value, dict) and value.keys() == {"file", "type", "size", "sha256"} else None


# By size and time too: the cases of a file next to a suite are read each time they are used.
@functools.lru_cache(maxsize=10_000)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

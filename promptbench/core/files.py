"""Files that are hashed: images and PDFs as values of a case, and the files behind a version of a function or service.

Of an image or PDF, the data is what is known of it without its bytes. A function's files are its module, the modules
below that module's folder that it imports, and data that the suite names, with paths relative to the suite's folder.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

from promptbench.core.canonical import digest, lf

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


# The largest file whose text is kept with the version; of a larger or binary one only the hash is.
KEPT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file of a version. `text` has LF line ends; it is None if only the hash is kept."""

    sha256: str
    text: str | None = None

    @classmethod
    def of(cls, text: str) -> PinnedFile:
        return cls(hashlib.sha256(lf(text).encode()).hexdigest(), lf(text))

    @classmethod
    def read(cls, path: Path) -> PinnedFile:
        """Read a file. Raise OSError if it is unreadable."""
        with path.open("rb") as file:
            head = file.read(KEPT_BYTES + 1)
            with suppress(UnicodeDecodeError):
                if len(head) <= KEPT_BYTES:
                    return cls.of(head.decode())
            file.seek(0)
            return cls(hashlib.file_digest(file, "sha256").hexdigest())

    def matches(self, path: Path) -> bool:
        """Return True if a path is this file."""
        return path.is_file() and self.read(path).sha256 == self.sha256


@dataclass(frozen=True)
class Pinned:
    """What has to answer: a function with exactly these `files`, or a service that reports `version` about itself."""

    files: Mapping[str, PinnedFile] = field(default_factory=dict)
    version: str | None = None

    @cached_property
    def hash(self) -> str:
        return digest(self.version or {path: file.sha256 for path, file in self.files.items()})

    @property
    def not_kept(self) -> list[str]:
        """The files of which only the hash is kept."""
        return [path for path, file in self.files.items() if file.text is None]

    def written(self, home: Path, folder: Path) -> Path:
        """Return the folder below `home` that has the files, and write it if it is missing.

        Files that are not kept are copied from `folder`. Raise ValueError if one is missing or changed.
        """
        target = home / self.hash.removeprefix("sha256:")
        if not target.is_dir():
            home.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", dir=home) as name:
                for path, file in self.files.items():
                    copy = Path(name, "files", path)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    if file.text is not None:
                        copy.write_bytes(file.text.encode())
                    elif file.matches(folder / path):
                        shutil.copyfile(folder / path, copy)
                    else:
                        known = f"the file with the SHA-256 {file.sha256[:12]}…"
                        raise ValueError(f"{folder / path} must be {known}, which is too large for the prompt store")
                # Another process may have written the same folder meanwhile.
                with suppress(OSError):
                    Path(name, "files").replace(target)
        changed = [target / path for path, file in self.files.items() if not file.matches(target / path)]
        # A module more could take the place of another one.
        more = [path for path in target.rglob("*.py*") if path.relative_to(target).as_posix() not in self.files]
        for wrong in (*changed, *more):
            raise ValueError(f"{wrong} was changed; delete the folder {target.name[:8]}…, and it is written again")
        return target


NOTHING_PINNED = Pinned()


def is_inside(path: str) -> bool:
    """Return True if a path of a version stays below its folder, on every system."""
    parts = PureWindowsPath(path)
    return bool(path) and not (parts.drive or parts.root or ".." in parts.parts)

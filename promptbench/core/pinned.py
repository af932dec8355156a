"""The files behind a version of a function or service: what runs again when the version is called later.

A function's files are its module, the modules below that module's folder that it imports, and data that the suite
names. Paths are relative to the suite's folder.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PureWindowsPath

from promptbench.core.canonical import digest, lf

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

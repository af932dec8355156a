"""A gzip file that is read as it comes, and refused when it turns out to be a bomb."""

from __future__ import annotations

import gzip
import io
from typing import Any, BinaryIO

MOST_RATIO = 250
"""Logs shrink to a fifth or a fiftieth; zeros to a thousandth."""
FREE_BYTES = 64 * 1024 * 1024
"""So much may come out of any file."""


class CompressionBomb(ValueError):
    """A compressed file that expands beyond all measure."""


class BoundedGzip(io.RawIOBase):
    """The decompressed bytes of `packed`, which is closed with it. Reading raises Bomb, and what `gzip` raises."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")
        self._out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._file.read(len(buffer))
        buffer[: len(part)] = part
        self._out += len(part)
        if self._out > FREE_BYTES and self._out > MOST_RATIO * self._packed.tell():
            raise CompressionBomb(f"expands to more than {MOST_RATIO} times its size, which no log does")
        return len(part)

    def close(self) -> None:
        self._file.close()
        self._packed.close()
        super().close()

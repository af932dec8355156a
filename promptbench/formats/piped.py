"""Bytes from a pipe that can be read again from the start, without a file to keep them in.

What is in a log is not redacted yet, so it must not reach a disk. The beginning is kept in memory; whoever reads on
behind it uses the pipe up.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

KEPT_BYTES = 48 * 1024 * 1024
"""More than a reader needs to see what it has before it: two records of the largest size."""


class PipeBuffer:
    """The bytes of `stream`. Each reader from `open` starts at the beginning."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._gone = 0

    def open(self, mode: str = "rb") -> BinaryIO:
        return io.BufferedReader(_PipeReader(self), 64 * 1024)

    @property
    def position(self) -> int:
        """How many bytes have come out of the pipe."""
        return len(self._kept) + self._gone

    def read(self, start: int, most: int) -> bytes:
        """Up to `most` bytes from `start` on. Raises OSError when they are gone."""
        if start < len(self._kept):
            return bytes(self._kept[start : start + most])
        if start != self.position:
            raise OSError(f"standard input can be read only once behind its first {KEPT_BYTES // 2**20} MB")
        part = self._stream.read(most)
        if len(self._kept) + len(part) <= KEPT_BYTES and not self._gone:
            self._kept += part
        else:
            self._gone += len(part)
        return part


class _PipeReader(io.RawIOBase):
    def __init__(self, piped: PipeBuffer) -> None:
        self._piped = piped
        self._place = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        part = self._piped.read(self._place, len(buffer))
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

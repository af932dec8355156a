"""Byte streams that a log is read from: gzip with a bound on what comes out, and pipes that can be read twice."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

CHUNK_BYTES = 64 * 1024
# Logs shrink to a fifth or a fiftieth of their size; only a file of zeros shrinks to a thousandth.
MAX_RATIO = 250
# Below this size no ratio is suspicious.
FREE_BYTES = 64 * 1024 * 1024
# More than a format needs for detection: two records of the largest size.
KEPT_BYTES = 48 * 1024 * 1024


class LogError(ValueError):
    """A log that cannot be read, or cannot be read any further. Its message follows the name of the file."""


class ByteStream(io.RawIOBase):
    """A readable file over chunks of bytes. Closing it closes `source`."""

    def __init__(self, chunks: Iterator[bytes], source: IO[Any] | None = None) -> None:
        self._chunks = chunks
        self._source = source
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._left or next(self._chunks, b"")
        size = min(len(buffer), len(chunk))
        buffer[:size] = chunk[:size]
        self._left = chunk[size:]
        return size

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
        super().close()


def open_stream(chunks: Iterator[bytes], source: IO[Any] | None = None) -> BinaryIO:
    """Return a buffered ByteStream."""
    return io.BufferedReader(ByteStream(chunks, source), CHUNK_BYTES)


def open_gzip(packed: BinaryIO) -> BinaryIO:
    """Return the decompressed bytes. Reading raises LogError for damaged data and for a decompression bomb."""
    return open_stream(_decompress(packed), packed)


def _decompress(packed: BinaryIO) -> Iterator[bytes]:
    size = 0
    file = gzip.GzipFile(fileobj=packed, mode="rb")
    try:
        while chunk := file.read(CHUNK_BYTES):
            size += len(chunk)
            if size > FREE_BYTES and size > MAX_RATIO * packed.tell():
                raise LogError(f"expands to more than {MAX_RATIO} times its size, which no log does")
            yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise LogError("the gzip data is damaged or truncated") from None


class PipeBuffer:
    """A pipe whose beginning can be read again.

    The beginning is kept in memory, never in a file, because a log is not redacted yet. A reader that continues past
    the kept part consumes the pipe.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._consumed = 0

    def open(self, mode: str = "rb") -> BinaryIO:
        """Return a reader that starts at the first byte."""
        return open_stream(self._chunks())

    @property
    def position(self) -> int:
        """The number of bytes that were read from the pipe."""
        return len(self._kept) + self._consumed

    def _chunks(self) -> Iterator[bytes]:
        start = 0
        while chunk := self._read(start):
            yield chunk
            start += len(chunk)

    def _read(self, start: int) -> bytes:
        if start < len(self._kept):
            return bytes(self._kept[start : start + CHUNK_BYTES])
        if start != self.position:
            raise OSError(f"standard input can be read only once past its first {KEPT_BYTES // 2**20} MB")
        chunk = self._stream.read(CHUNK_BYTES)
        if len(self._kept) + len(chunk) <= KEPT_BYTES and not self._consumed:
            self._kept += chunk
        else:
            self._consumed += len(chunk)
        return chunk

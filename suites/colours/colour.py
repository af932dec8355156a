"""The colour of an image without a language model: the largest part of its first pixel."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any


def name(variables: dict[str, Any]) -> str:
    """Return the colour of the PNG image `photo`, whose pixels are three bytes each, without a palette."""
    data = Path(variables["photo"]["path"]).read_bytes()
    start = data.index(b"IDAT")
    size = int.from_bytes(data[start - 4 : start], "big")
    pixels = zlib.decompress(data[start + 4 : start + 4 + size])
    parts = dict(zip(("red", "green", "blue"), pixels[1:4], strict=True))  # the byte before them is the row's filter
    return max(parts, key=lambda part: parts[part])

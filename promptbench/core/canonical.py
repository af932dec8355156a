"""Canonical JSON and its tagged hash: equal content has equal bytes.

Canonical form: JSON, UTF-8, keys sorted, no spaces, LF line ends inside text. Numbers keep Python's shortest form, so
1 and 1.0 differ, as they do in a prompt.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from secrets import token_hex
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def lf(text: str) -> str:
    """Return `text` with CRLF and lone CR replaced by LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _normalise(value: Any) -> Any:
    if isinstance(value, str):
        return lf(value)
    if isinstance(value, dict):
        return {lf(str(key)): _normalise(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_normalise(item) for item in value]
    return value


def canonical(value: Any) -> str:
    """Return the canonical JSON text of plain data. Lone surrogates are escaped, so that every text has a hash."""
    text = _dump(value)
    if "\\r" in text:
        text = _dump(_normalise(value))
    return escape_surrogates(text)


def compact_encoder(*, sort_keys: bool = False) -> Callable[[Any], str]:
    """Return a function that writes JSON without spaces. It raises ValueError for NaN, TypeError for other objects."""
    encoder = json.JSONEncoder(sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return encoder.encode
    # JSONEncoder makes one for each text, which takes longer than writing a short one.
    write = make(None, encoder.default, json.encoder.encode_basestring, None, ":", ",", sort_keys, False, False)
    return lambda value: "".join(write(value, 0))


_dump = compact_encoder(sort_keys=True)


def escape_surrogates(text: str) -> str:
    """Return JSON text with lone surrogates as JSON escapes, so that it can be encoded as UTF-8 and read back."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return "".join(f"\\u{ord(char):04x}" if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)


def without_halves(text: str) -> str:
    """Return the text with lone surrogates, half a character each, as the replacement character U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def parse_json(text: str) -> Any:
    """Return the value of JSON that has a hash. Raise ValueError for anything that programs read in different ways.

    That is a duplicate key, NaN or an infinite number; and for nesting that is too deep.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
    return found


def digest(value: Any) -> str:
    """Return `sha256:<hex>` over the canonical form of plain data."""
    return digest_text(canonical(value))


def digest_by(data: Mapping[str, Any], name: str) -> Callable[[Any], str]:
    """Return a function from a value of the key `name` to the `digest` of `data` with it; the rest is written once."""
    mark = token_hex()
    before, _, after = canonical({**data, name: mark}).partition(f'"{mark}"')
    return lambda value: digest_text(f"{before}{canonical(value)}{after}")


class ListDigest:
    """The `digest` of a list, computed item by item so that the list never has to be in memory."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"[")
        self._first = True

    def add(self, item: Any) -> str:
        """Add an item and return its canonical text."""
        text = canonical(item)
        self._hash.update((("" if self._first else ",") + text).encode())
        self._first = False
        return text

    @property
    def value(self) -> str:
        whole = self._hash.copy()
        whole.update(b"]")
        return "sha256:" + whole.hexdigest()


def digest_text(text: str) -> str:
    """Return `sha256:<hex>` over the UTF-8 bytes of `text` with LF line ends."""
    return "sha256:" + hashlib.sha256(escape_surrogates(lf(text)).encode()).hexdigest()


def short(tagged: str) -> str:
    """Return `sha256:` and the first eight digits, for display."""
    return tagged[: len("sha256:") + 8]


def map_values(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy of plain data in which `change` replaces every value that is neither a mapping nor a list."""
    if isinstance(value, Mapping):
        return {key: map_values(item, change) for key, item in value.items()}
    return [map_values(item, change) for item in value] if isinstance(value, list | tuple) else change(value)


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in plain data, the keys of mappings too."""
    if isinstance(value, str):
        yield value
    items = [*value, *value.values()] if isinstance(value, Mapping) else value
    for item in items if isinstance(items, list | tuple) else ():
        yield from texts_in(item)

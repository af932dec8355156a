"""E-mail addresses in a text, and passwords in those of the web."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptbench.text import _secret_shapes
from promptbench.text._placeholders import Digests, SensitiveSpan

_LOCAL_BACKWARDS = re.compile(r"[\w.!#$&'*+=?^`{|}~-]+")
_DOMAIN = re.compile(r"[^\W_][\w-]*(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_PERSON = re.compile(r"person\d{10}")
_HOST = "example.com"
_LONGEST_LOCAL = 64


def suspicious(text: str) -> bool:
    """Whether an @ is in `text`, as it is or as an address in the web has it."""
    return "@" in text or "%40" in text


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """The addresses, looked for from each @ on, so that a long text with few of them costs next to nothing."""
    yield from _secret_shapes.find_in_addresses(text, digests)
    for at in ("@", "%40"):
        place = text.find(at)
        while place >= 0:
            behind = place + len(at)
            domain = _DOMAIN.match(text, behind)
            start = _start(text, place)
            if domain and start < place:
                written, local = text[start : domain.end()], text[start:place]
                kept = _PERSON.fullmatch(local) and domain[0] == _HOST
                yield SensitiveSpan(
                    start, domain.end(), written if kept else _person(local, at, domain[0], digests), "email"
                )
            place = text.find(at, behind)


def _start(text: str, at: int) -> int:
    """Where the local part before an @ begins; `at` where there is none."""
    local = _LOCAL_BACKWARDS.match(text[max(0, at - _LONGEST_LOCAL) : at][::-1])
    if local is None:
        return at
    start = at - local.end()
    if start and text[start - 1] == "\\":
        # JSON that is kept as text: `\\nann@…` is a line's end and an address.
        start += 5 if text[start] == "u" else 1
    return start


def _person(local: str, at: str, domain: str, digests: Digests) -> str:
    # An address means the same in capitals.
    return f"person{digests.digits('email', f'{local}@{domain}'.lower(), 10)}{at}{_HOST}"

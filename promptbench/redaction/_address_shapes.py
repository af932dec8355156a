"""Detection of e-mail addresses."""

import re
from collections.abc import Iterator

from promptbench.redaction._placeholders import Digests, SensitiveSpan

MARKS = ("@", "%00")

_LOCAL_BACKWARDS = re.compile(r"[\w.!#$&'*+=?^`{|}~-]+")
_DOMAIN = re.compile(r"[^\W_][\w-]*(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_PERSON = re.compile(r"person\d{10}")
_HOST = "example.com"
_MAX_LOCAL = 64


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the addresses. The search starts at each @, so a long text with few addresses is cheap."""
    for at in ("@", "%40"):
        position = text.find(at)
        while position >= 0:
            after = position + len(at)
            domain = _DOMAIN.match(text, after)
            start = _find_start(text, position)
            if domain and start < position:
                written, local = text[start : domain.end()], text[start:position]
                is_placeholder = _PERSON.fullmatch(local) and domain[0] == _HOST
                yield SensitiveSpan(
                    start, domain.end(), written if is_placeholder else _replace(local, at, domain[0], digests), "email"
                )
            position = text.find(at, after)


def _find_start(text: str, at: int) -> int:
    local = _LOCAL_BACKWARDS.match(text[max(0, at - _MAX_LOCAL) : at][::-1])
    if local is None:
        return at
    start = at - local.end()
    if start and text[start - 1] == "\\":
        # JSON that is kept as text: `\\nann@…` is a line's end and an address.
        start += 5 if text[start] == "u" else 1
    return start


def _replace(local: str, at: str, domain: str, digests: Digests) -> str:
    # Addresses are case-insensitive.
    return f"person{digests.digits('email', f'{local}@{domain}'.lower(), 10)}{at}{_HOST}"

"""Detection of keys, tokens and passwords. A placeholder keeps the prefix of its key."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from promptbench.redaction._placeholders import AFTER_ESCAPE, Digests, SensitiveSpan

MARK = "REDACTED"

_PREFIXES = (
    r"(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|ant[-_]|proj[-_])?(?=[\w-]*\d)[\w-]{12,}",
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    r"gh[pousr]_\w{20,}",
    r"github_pat_\w{20,}",
    r"glpat-[\w-]{16,}",
    r"xox[a-z]-[\w-]{10,}",
    r"AIza[\w-]{30,}",
    r"(?:hf|gsk|npm)_(?=\w*\d)\w{16,}",
    r"xai-(?=[\w-]*\d)[\w-]{16,}",
)
_HEAD = re.compile(
    r"(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|ant[-_]|proj[-_])?|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AIza|(?:hf|gsk|npm)_|xai-|eyJ"
)
_KEY = re.compile(rf"(?:(?<![\w-])|{AFTER_ESCAPE})(?:{'|'.join(_PREFIXES)})")
_GITHUB = re.compile("gh[pousr]_")
_JWT = re.compile(rf"(?:(?<![\w-])|{AFTER_ESCAPE})eyJ[\w-]{{8,}}\.[\w-]{{8,}}(?:\.[\w-]*)?")
_BEARER = re.compile(r"(?i)\bbearer[ ]+([\w.~+/=-]{12,})")
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----((?:[^-]|-(?!----))*)")
_IN_URL = re.compile(r"(?<=://)[^/\s:@\"']{0,64}:([^/\s@\"']{1,256})(?=@)")
_NAME = r"(?:key|token|secret|passw(?:or)?d|passwd|pwd|authorization|credentials?)"
_NAMED = re.compile(
    rf"(?i){_NAME}[\"'\\]{{0,3}}[ ]?[:=][ ]?[\"'\\]{{0,3}}(?:basic |token )?([^\s\"'\\,;&<>()\[\]{{}}]{{8,512}})"
)
_NAME_MARKS = ("key", "token", "secret", "passw", "pwd", "authorization", "credential")
_PASSWORD = re.compile(r"(?i)passw|pwd")
_SECRET_NAME = re.compile(rf"(?i)(?:^|[_\W]|[a-z]){_NAME}$")
_ONE_WORD = re.compile(r"[\w+/=~-]+")
_LETTER_AND_DIGIT = re.compile(r"(?=.*[A-Za-z])(?=.*\d)", re.DOTALL)


def may_contain(text: str) -> bool:
    """Return True if `text` may contain a secret."""
    if "eyJ" in text or "-----BEGIN" in text or _may_be_key(text):
        return True
    lower = text.lower()
    return "bearer" in lower or _may_be_named(text, lower)


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the secrets, each kind from left to right."""
    lower = text.lower()
    if "-----BEGIN" in text:
        for match in _PEM.finditer(text):
            body = match[2]
            yield SensitiveSpan(match.start(2), match.end(2), body if MARK in body else _mask_pem(body, digests), "key")
    for applies, pattern in (("eyJ" in text, _JWT), (_may_be_key(text), _KEY)):
        for match in pattern.finditer(text) if applies else ():
            head = _HEAD.match(match[0])
            yield SensitiveSpan(match.start(), match.end(), mask(match[0], digests, head[0] if head else ""), "key")
    if "bearer" in lower:
        yield from (_mask_group(match, digests) for match in _BEARER.finditer(text))
    if _may_be_named(text, lower):
        for match in _NAMED.finditer(text):
            if looks_secret(match[1], password=_PASSWORD.match(match[0]) is not None):
                yield _mask_group(match, digests)


def find_in_urls(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the passwords in URLs, which otherwise look like the beginning of an e-mail address."""
    if "://" in text:
        yield from (_mask_group(match, digests) for match in _IN_URL.finditer(text))


def _may_be_key(text: str) -> bool:
    # Unrolled, because this runs on every text and a loop takes four times as long.
    return (
        "k-" in text
        or "k_" in text
        or "xox" in text
        or "xai-" in text
        or "pat-" in text
        or "_pat_" in text
        or "hf_" in text
        or "npm_" in text
        or "IA" in text
        or "AIza" in text
        or _GITHUB.search(text) is not None
    )


def _may_be_named(text: str, lower: str) -> bool:
    """Return True if `text` has a word that ends in the name of a secret, unlike `max_tokens`."""
    if "=" not in text and ":" not in text:
        return False
    for mark in _NAME_MARKS:
        position = lower.find(mark)
        while position >= 0:
            position += len(mark)
            if not lower[position : position + 1].isalpha() or mark in ("passw", "credential"):
                return True
            position = lower.find(mark, position)
    return False


def is_secret(name: str, value: str) -> bool:
    """Return True if a field of this name and value is a secret."""
    return is_secret_name(name) and looks_secret(value, password=_PASSWORD.search(name) is not None)


def is_secret_name(name: str) -> bool:
    """Return True if a field of this name may contain a secret."""
    return _SECRET_NAME.search(name) is not None


def looks_secret(value: str, *, password: bool) -> bool:
    """Return True if a value looks random: letters and digits, with an entropy above 3 bits per character.

    A password may be short. A value with dots or colons is a name or a path.
    """
    if not _LETTER_AND_DIGIT.match(value):
        return False
    if password:
        return not any(char.isspace() for char in value)
    return len(value) >= 16 and _ONE_WORD.fullmatch(value) is not None and _measure_entropy(value) > 3.0


def _measure_entropy(value: str) -> float:
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())


def _mask_group(match: re.Match[str], digests: Digests) -> SensitiveSpan:
    return SensitiveSpan(match.start(1), match.end(1), mask(match[1], digests), "key")


def mask(value: str, digests: Digests, head: str = "") -> str:
    """Return `head`, the mark and letters of the value's digest; as long as the value, if that is long enough."""
    if value.startswith(head + MARK):
        return value
    return head + MARK + digests.letters("key", value, max(6, len(value) - len(head) - len(MARK)))


def _mask_pem(body: str, digests: Digests) -> str:
    end = "\n" if body.endswith("\n") else ""
    start = "\n" if body.startswith("\n") else ""
    return start + MARK + digests.letters("key", body, 24) + end

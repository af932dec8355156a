"""Detection of keys and tokens by their form. A placeholder keeps the prefix of its key."""

import base64
import re
from collections.abc import Iterator

from promptbench.redaction._placeholders import AFTER_ESCAPE, Digests, SensitiveSpan

# The prefix, which a placeholder keeps, and the rest.
_FORMS = (
    (r"(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|ant[-_]|proj[-_]|or[-_])?", r"(?=[\w-]*\d)[\w-]{12,}"),
    (r"AKIA|ASIA", r"[0-9A-Z]{16}"),
    (r"gh[pousr]_", r"\w{20,}"),
    (r"(?:github|dckr)_pat_", r"[\w-]{20,}"),
    (r"glpat-", r"[\w-]{16,}"),
    (r"shpat_", r"[0-9a-fA-F]{32}"),
    (r"xox[a-z]-", r"[\w-]{10,}"),
    (r"AIza", r"[\w-]{30,}"),
    (r"GOCSPX-", r"[\w-]{20,}"),
    (r"ya29\.", r"[\w-]{20,}"),
    (r"(?:hf|gsk|npm)_", r"(?=\w*\d)\w{16,}"),
    (r"(?:xai|pypi)-|whsec_", r"(?=[\w-]*\d)[\w-]{16,}"),
    (r"SG\.", r"[\w-]{16,}\.[\w-]{16,}"),
    (r"hvs\.", r"[\w-]{20,}"),
    (r"hooks\.slack\.com/services/", r"T\w+/B\w+/\w+"),
)  # fmt: skip
MARKS = (
    "sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "_pat_", "glpat-",
    "shpat_", "xox", "aiza", "gocspx-", "ya00.", "hf_", "npm_", "xai-", "pypi-", "whsec_", "sg.", "hvs.", "hooks.slack",
    "eyj", "-----begin", "bearer", "basic", "://",
)  # fmt: skip
_HEAD = re.compile("|".join(head for head, _ in _FORMS))
_KEY = re.compile(rf"(?:(?<![\w-])|{AFTER_ESCAPE})(?:{'|'.join(f'(?:{head}){rest}' for head, rest in _FORMS)})")
_JWT = re.compile(rf"(?:(?<![\w-])|{AFTER_ESCAPE})eyJ[\w-]{{8,}}\.[\w-]{{8,}}(?:\.[\w-]*)?")
_BEARER = re.compile(r"(?i)\bbearer[ ]+((?=\S*\d)[\w.~+/=-]{12,})")
_BASIC = re.compile(r"(?i)\bbasic[ ]+([\w+/-]{6,}={0,2})")
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\s*([^\s-](?:[^-]|-(?!----))*)(?<!\s)")
_IN_URL = re.compile(r"(?<=://)[^/\s:@\"']{0,64}:([^/\s@\"']{1,256})(?=@)")


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the secrets, each kind from left to right."""
    for match in _PEM.finditer(text):
        yield SensitiveSpan(match.start(2), match.end(2), digests.mask(match[2]), "key")
    for pattern in (_JWT, _KEY):
        for match in pattern.finditer(text):
            head = "eyJ" if pattern is _JWT else _HEAD.match(match[0])[0]  # type: ignore[index]
            yield SensitiveSpan(match.start(), match.end(), digests.mask(match[0], head), "key")
    for pattern in (_BEARER, _BASIC, _IN_URL):
        for match in pattern.finditer(text):
            if pattern is not _BASIC or is_basic(match[1]):
                yield SensitiveSpan(match.start(1), match.end(1), digests.mask(match[1]), "key")


def is_basic(value: str) -> bool:
    """Return True if `value` is a user and a password in Base64 (RFC 7617), or their placeholder."""
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_" if "-" in value else None)
    except ValueError:
        return False

"""Detection of public IP addresses. Those of private networks and of documentation stay."""

import ipaddress
import re
from collections.abc import Iterator
from itertools import product

from promptbench.redaction._placeholders import Digests, SensitiveSpan

# Two groups between dots, or the first group of an IPv6 address.
MARKS = (
    "0.0.0", "0.00.0", "0.000.0", *(f"0{''.join(group)}:" for group in product("0abcdef", repeat=3)),
)  # fmt: skip

# The search skips to a digit; all IPv6 addresses that are in use begin with 2.
_FORM = re.compile(
    r"\d(?:(?<![\w.]\d)|(?<=\\[nrtbf]\d))(?:\d{0,2}(?:\.\d{1,3}){3}(?!\w|\.\w)"
    r"|(?<![0-9a-fA-F]:\d)(?<=2)[0-9a-fA-F]{3}:[0-9a-fA-F:]{2,34}(?![\w:]|\.\w))"
)
_REACH = 24
_VERSION = re.compile(
    r"(?i)(?:version|release|firmware|build|section|chapter|kapitel|abschnitt|update|§)\w{0,8}\W{0,6}\Z"
)
# Benchmark networks (RFC 2544) and documentation (RFC 3849): they belong to nobody.
_IP4 = "198.18."
_IP6 = "2001:db8::"


def find(text: str, digests: Digests) -> Iterator[SensitiveSpan]:
    """Yield the addresses."""
    for match in _FORM.finditer(text):
        start, end = match.span()
        if _is_public(match[0]) and not _VERSION.search(text, max(0, start - _REACH), start):
            yield SensitiveSpan(start, end, _replace(match[0], digests), "ip")


def _is_public(written: str) -> bool:
    try:
        return ipaddress.ip_address(written).is_global
    except ValueError:
        return False


def _replace(written: str, digests: Digests) -> str:
    if ":" in written:
        digits = digests.digits("ip", ipaddress.IPv6Address(written).compressed, 8)
        return f"{_IP6}{digits[:4]}:{digits[4:]}"
    high, low = divmod(int(digests.digits("ip", written, 9)) % 65536, 256)
    return f"{_IP4}{high}.{low}"

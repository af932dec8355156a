"""What may stand after the `@` of a prompt reference, and which version it means."""

from __future__ import annotations

import re
from collections.abc import Iterable

from promptbench.core.errors import InputError

_DIGITS = re.compile(r"[0-9a-f]{6,64}")


def select(prompt: str, selector: str, labels: dict[str, str], numbers: dict[str, int]) -> str:
    """The version hash that `prompt@selector` means: a label, else a number, else the first digits of a hash.

    Args:
        labels: label to version hash.
        numbers: version hash to version number.

    Raises:
        InputError: it means none of the versions, or several.
    """
    if selector in labels:
        return labels[selector]
    found = [version for version, number in numbers.items() if selector == str(number)]
    digits = selector.removeprefix("sha256:")
    if not found and _DIGITS.fullmatch(digits):
        found = [version for version in numbers if version.startswith(f"sha256:{digits}")]
    if len(found) == 1:
        return found[0]
    if found:
        several = " or ".join(f"{prompt}@{numbers[version]} ({version})" for version in found)
        raise InputError(f"{prompt}@{selector} may be {several}", hint="write more digits, or the number")
    if digits != selector or selector.isdecimal() or _DIGITS.fullmatch(selector):
        last = f"its versions are 1 to {len(numbers)}; a hash needs its first six digits at least"
        raise InputError(f"{prompt} has no version {selector!r}", hint=last)
    raise InputError(f"{prompt} has no label {selector!r}", hint=suggest(selector, labels) or "it has no label at all")


def selector_of(prompt: str, text: str) -> str:
    """The part after the `@`, of a whole reference to `prompt` or of that part alone."""
    name, at, selector = text.rpartition("@")
    if at and name != prompt:
        raise InputError(f"{text!r} is a version of another prompt than {prompt}")
    return selector


def suggest(word: str, known: Iterable[str]) -> str | None:
    """A hint for a name that is not known; None when none is."""
    # Applications import this, and most of them never ask for a name that is not there.
    from promptbench.core.diagnostics import did_you_mean

    names = sorted(known)
    if close := did_you_mean(word, names):
        return f"did you mean {close!r}?"
    shown = names[:10] + (["…"] if len(names) > 10 else [])
    return "there is " + ", ".join(shown) if shown else None

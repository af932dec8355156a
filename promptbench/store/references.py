"""Resolve the part after the `@` of a prompt reference to a version."""

from __future__ import annotations

import re
from collections.abc import Iterable

from promptbench.core.errors import InputError

_DIGITS = re.compile(r"[0-9a-f]{6,64}")


def select(prompt: str, selector: str, labels: dict[str, str], numbers: dict[str, int]) -> str:
    """Return the version hash for `prompt@selector`: a label, else a number, else the first digits of a hash.

    Args:
        labels: label to version hash.
        numbers: version hash to version number.

    Raises:
        InputError: no version matches, or several do.
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
        raise InputError(f"{prompt}@{selector} is ambiguous: {several}", hint="write more digits, or the number")
    if digits != selector or selector.isdecimal() or _DIGITS.fullmatch(selector):
        known = f"its versions are 1 to {len(numbers)}; a hash needs at least its first six digits"
        raise InputError(f"{prompt} has no version {selector!r}", hint=known)
    raise InputError(f"{prompt} has no label {selector!r}", hint=suggest(selector, labels) or "it has no label at all")


def selector_of(prompt: str, text: str) -> str:
    """Return the part after the `@`, given a whole reference to `prompt` or that part alone."""
    name, at, selector = text.rpartition("@")
    if at and name != prompt:
        raise InputError(f"{text!r} is a version of another prompt than {prompt}")
    return selector


def suggest(word: str, known: Iterable[str]) -> str | None:
    """Return a hint for an unknown name; None if there is nothing to suggest."""
    # Applications import this module, and most of them never ask for an unknown name.
    from promptbench.core.diagnostics import did_you_mean

    names = sorted(known)
    if close := did_you_mean(word, names):
        return f"did you mean {close!r}?"
    shown = names[:10] + (["…"] if len(names) > 10 else [])
    return "there is " + ", ".join(shown) if shown else None

"""Names of prompts, labels and runs, and references such as `triage@production`.

Prompt and label names are also safe as folder names on every system.
"""

import re
import secrets
from collections.abc import Iterable

from promptbench.core.errors import InputError, did_you_mean

PRODUCTION = "production"

_PROMPT = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,79}")
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul"] + [f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)]
)


def is_prompt_name(name: str) -> bool:
    """Return True if `name` can be a prompt's name."""
    return _PROMPT.fullmatch(name) is not None and name not in _RESERVED


def check_prompt_name(name: str) -> None:
    """Raise InputError if `name` cannot be a prompt's name."""
    if not is_prompt_name(name):
        hint = "use lower-case letters, digits, - and _, starting with a letter or digit, 80 characters at most"
        reserved = name in _RESERVED
        raise InputError(
            f"invalid prompt name {name!r}" + (": Windows reserves it for a device" if reserved else ""),
            hint="choose another name" if reserved else hint,
        )


def is_label(label: str) -> bool:
    """Return True if `label` can be a label."""
    return _LABEL.fullmatch(label) is not None


def check_label(label: str) -> None:
    """Raise InputError if `label` cannot be a label."""
    if not is_label(label):
        raise InputError(
            f"invalid label {label!r}",
            hint="use lower-case letters, digits, - and _, starting with a letter, 80 characters at most",
        )


def new_run_name(at: str) -> str:
    """Return a name for a run that started at an ISO 8601 time: `YYYYMMDD-HHMMSS-` and four random hex digits."""
    return at[:19].replace("-", "").replace("T", "-").replace(":", "") + "-" + secrets.token_hex(2)


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
    names = sorted(known)
    if close := did_you_mean(word, names):
        return f"did you mean {close!r}?"
    shown = names[:10] + (["…"] if len(names) > 10 else [])
    return "there is " + ", ".join(shown) if shown else None

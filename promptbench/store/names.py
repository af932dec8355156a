"""What prompts and labels may be called: names that are also safe as folders on every system."""

from __future__ import annotations

import re

from promptbench.core.errors import InputError

PRODUCTION = "production"

_PROMPT = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,79}")
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul"] + [f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)]
)


def is_prompt_name(name: str) -> bool:
    return _PROMPT.fullmatch(name) is not None and name not in _RESERVED


def check_prompt_name(name: str) -> None:
    """Raises InputError when `name` cannot be a prompt's name."""
    if name in _RESERVED:
        raise InputError(
            f"{name!r} cannot be a prompt's name: Windows keeps it for a device", hint="choose another name"
        )
    if not _PROMPT.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be a prompt's name",
            hint="use lower-case letters, digits, - and _, starting with a letter or digit, 80 characters at most",
        )


def is_label(label: str) -> bool:
    return _LABEL.fullmatch(label) is not None


def check_label(label: str) -> None:
    """Raises InputError when `label` cannot be a label."""
    if not is_label(label):
        raise InputError(
            f"{label!r} cannot be a label",
            hint="use lower-case letters, digits, - and _, starting with a letter, 80 characters at most",
        )

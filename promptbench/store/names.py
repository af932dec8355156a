"""Valid names of prompts and labels: they are also safe as folder names on every system."""

from __future__ import annotations

import re
import secrets

from promptbench.core.errors import InputError

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

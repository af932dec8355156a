"""The redactor of a project: its own patterns, and the key from which placeholders are derived."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.project import Project
from promptbench.redaction.redactor import Redactor

KEY_FILE = "redaction.key"
_KEY_BYTES = 32


def load_redactor(project: Project, *, keep_key: bool = True) -> Redactor:
    """Return the project's redactor. Create the key if there is none, and with `keep_key` write it.

    The key stays in `.promptbench/`. Without it nobody can find a telephone number by trying all of them, and with it
    a value has the same placeholder in every import. Raise InputError if a pattern of the project is invalid.
    """
    patterns = dict(project.settings.values.redact)
    for name, pattern in patterns.items():
        try:
            Redactor(b"", {name: pattern})
        except ValueError as error:
            raise InputError(f"the pattern '{name}' in [tool.promptbench.redact] {error}") from None
    return Redactor(_load_key(project.settings.state / KEY_FILE, keep=keep_key), patterns)


def _load_key(path: Path, *, keep: bool) -> bytes:
    try:
        if not path.exists():
            key = secrets.token_bytes(_KEY_BYTES)
            if not keep:
                return key
            _write_once(path, key.hex())
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise EnvironmentFailure(f"cannot read or write the redaction key {path}: {error.strerror}") from None
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise EnvironmentFailure(
            f"{path} is not a valid redaction key",
            hint="delete it: a new key is created, and later imports have other placeholders",
        )
    return key


def _write_once(path: Path, text: str) -> None:
    """Write a file atomically, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(text, encoding="ascii")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()

"""The secret key of a project, from which its placeholders are derived."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.redaction.redactor import Redactor

_KEY_FILE = "redaction.key"
_KEY_BYTES = 32


def load_redactor(folder: Path, patterns: Mapping[str, str], *, keep_key: bool = True) -> Redactor:
    """Return the redactor of a project. Create the key in `folder` if there is none, and with `keep_key` write it.

    Without the key nobody can find a telephone number by trying all of them, and with it a value has the same
    placeholder in every import. Raise InputError if a pattern of the project is invalid.
    """
    try:
        return Redactor(_load_key(folder / _KEY_FILE, keep=keep_key), patterns)
    except ValueError as error:
        raise InputError(f"the setting 'redact': {error}") from None


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

"""The project's redaction: its own patterns, and the key from which its placeholders are derived."""

from __future__ import annotations

import secrets
from pathlib import Path

from promptbench.api.workspace import Project
from promptbench.core.errors import EnvironmentFailure, InputError
from promptbench.text.redaction import Redactor

KEY_FILE = "redaction.key"
_KEY_BYTES = 32


def redactor(project: Project, *, keep_key: bool = True) -> Redactor:
    """The project's redactor. Without `keep_key` no key is written where there is none yet.

    The key is drawn once, and stays in `.promptbench/`: nobody can try out telephone numbers without it, and the same
    value has the same placeholder in every import. Raises InputError when one of the project's patterns is wrong.
    """
    patterns = dict(project.settings.values.redact)
    for name, pattern in patterns.items():
        try:
            Redactor(b"", {name: pattern})
        except ValueError as error:
            raise InputError(f"the pattern '{name}' in [tool.promptbench.redact] {error}") from None
    return Redactor(_key(project.settings.state / KEY_FILE, keep=keep_key), patterns)


def _key(path: Path, *, keep: bool) -> bytes:
    try:
        if not path.exists() and not keep:
            return secrets.token_bytes(_KEY_BYTES)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path)
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise EnvironmentFailure(f"the key of the redaction, {path}, cannot be kept: {error.strerror}") from None
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise EnvironmentFailure(
            f"{path} is no key of the redaction",
            hint="delete it: a new one is drawn, and what is imported from then on has other placeholders",
        )
    return key


def _write_once(path: Path) -> None:
    """Writes a new key as a whole, unless another process was faster."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(secrets.token_bytes(_KEY_BYTES).hex(), encoding="ascii")
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()

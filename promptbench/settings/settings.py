"""Settings: a flag wins over the environment, that over the project's file, that over the user's.

The project's file is `promptbench.toml`, or `[tool.promptbench]` in `pyproject.toml`; its folder is the project root.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptbench.core.diagnostics import Code, Diagnostic, Place, did_you_mean
from promptbench.core.errors import InputError

PROJECT_FILE = "promptbench.toml"


class SettingsFile(BaseModel):
    """The keys of a settings file. Dashes and underscores are the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: list[str] = Field(default_factory=list, description="files that may be run as models or checks, as globs")
    concurrency: int | None = Field(default=None, ge=1, le=1000, description="requests at once to one model")
    retries: int = Field(default=4, ge=0, le=20, description="further tries after a provider's transient failure")
    machine_price_per_hour: float | None = Field(
        default=None, ge=0, description="US dollars an hour of the machine under local models costs"
    )
    actor: str | None = Field(default=None, min_length=1, description="who promotes, where git does not say")
    providers: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options of each provider, for example base_url"
    )


@dataclass(frozen=True)
class Settings:
    """The settings in force, where each came from, and the project root."""

    root: Path
    values: SettingsFile
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """Runs, recordings and crash reports; ignored by git."""
        return self.root / ".promptbench"

    @property
    def store(self) -> Path:
        return self.root / "prompt_store"


def load(start: Path, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings for a command started in `start`. Raises InputError with diagnostics."""
    project = find_project(start)
    layers: list[tuple[str, dict[str, Any]]] = []
    for path in (user_file(environ), project):
        if path is not None and path.is_file():
            layers.append((str(path), _read(path)))
    layers.append(("environment", _from_environment(environ)))
    layers.append(("flag", {key: value for key, value in (flags or {}).items() if value is not None}))
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, layer in layers:
        merged.update(layer)
        origin.update(dict.fromkeys(layer, name))
    try:
        values = SettingsFile.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, origin) from None
    return Settings((project.parent if project else start).resolve(), values, origin)


def find_project(start: Path) -> Path | None:
    """The nearest settings file at or above `start`; a pyproject.toml counts when it has `[tool.promptbench]`."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
        pyproject = folder / "pyproject.toml"
        if pyproject.is_file() and "[tool.promptbench" in pyproject.read_text(encoding="utf-8", errors="replace"):
            return pyproject
    return None


def user_file(environ: Mapping[str, str]) -> Path | None:
    """The user's own settings file, whether it exists or not; None where there is no home."""
    if sys.platform == "win32":
        base = environ.get("APPDATA")
    else:
        home = environ.get("HOME")
        base = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None)
    return Path(base) / "promptbench" / "config.toml" if base else None


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        data: dict[str, Any] = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}", hint='texts need quotes: key = "text"') from None
    if path.name == "pyproject.toml":
        data = data.get("tool", {}).get("promptbench", {})
    known = SettingsFile.model_fields
    for key in data:
        if key.replace("-", "_") not in known:
            guess = did_you_mean(key.replace("-", "_"), known)
            hint = f"did you mean '{guess.replace('_', '-')}'?" if guess else f"known are {', '.join(known)}"
            place = _place_of(path, text, key)
            raise InputError(
                "there is a mistake in the settings",
                diagnostics=[Diagnostic(Code.SETTINGS, f"'{key}' is not a setting", place, hint)],
            )
    return {key.replace("-", "_"): value for key, value in data.items()}


def _place_of(path: Path, text: str, key: str) -> Place:
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(rf"\s*(?:\[tool\.promptbench\.)?({re.escape(key)})\b", line)
        if found:
            return Place(str(path), number, found.start(1) + 1, len(key), line)
    return Place(str(path))


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {
        f"PROMPTBENCH_{name.upper()}": name for name in ("concurrency", "retries", "actor", "machine_price_per_hour")
    }
    return {setting: environ[name] for name, setting in names.items() if environ.get(name)}


def _explain(error: ValidationError, origin: Mapping[str, str]) -> InputError:
    diagnostics = []
    for item in error.errors(include_url=False):
        key = str(item["loc"][0])
        where = origin.get(key, "settings")
        name = f"PROMPTBENCH_{key.upper()}" if where == "environment" else key.replace("_", "-")
        message = f"'{name}': {item['msg'].lower()}, not {item['input']!r}"
        path = Path(where)
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
        place = _place_of(path, text, key.replace("_", "-")) if text else Place(where)
        diagnostics.append(Diagnostic(Code.SETTINGS, message, place))
    return InputError("there is a mistake in the settings", diagnostics=diagnostics)


def actor(settings: Settings, environ: Mapping[str, str], flag: str | None) -> str:
    """Who acts: the flag, the setting, the CI's actor, git's author, else the account's name."""
    if flag or settings.values.actor:
        return flag or str(settings.values.actor)
    for name in ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_REQUESTEDFOR", "BUILDKITE_BUILD_CREATOR"):
        if environ.get(name):
            return environ[name]
    return _git_author(settings.root) or environ.get("USER") or environ.get("USERNAME") or f"uid {_uid()}"


def _uid() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _git_author(root: Path) -> str | None:
    import subprocess

    parts = []
    for key in ("user.name", "user.email"):
        try:
            done = subprocess.run(
                ["git", "config", key], cwd=root, capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        parts.append(done.stdout.strip())
    name, email = parts
    return f"{name} <{email}>" if name and email else name or email or None

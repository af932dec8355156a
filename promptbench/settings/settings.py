"""Load settings. Precedence: flags, environment, project file, user file.

The project's file is `promptbench.toml`, or `[tool.promptbench]` in `pyproject.toml`; its folder is the project root.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptbench.core.addresses import host, hosts_in, is_loopback, is_providers_own
from promptbench.core.errors import Code, Diagnostic, InputError, Location, suggest
from promptbench.core.plugins import module_name
from promptbench.core.secrets import hide, is_secret_name
from promptbench.core.settings_file import config_folder, settings_file

DOTENV = ".env"
USER_ONLY = frozenset({"trusted_hosts", "cluster"})  # what a project must not decide for its users
_CI_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_REQUESTEDFOR", "BUILDKITE_BUILD_CREATOR")


class LimitsFile(BaseModel):
    """The rate limits of a model or of each model of a provider."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=True,
    )

    requests_per_minute: float | None = Field(default=None, gt=0, description="calls a minute")
    tokens_per_minute: float | None = Field(default=None, gt=0, description="tokens a minute, of inputs and answers")

    def by_kind(self) -> dict[str, float]:
        """Return the limits that are set, per minute, by `requests` and `tokens`."""
        found = {"requests": self.requests_per_minute, "tokens": self.tokens_per_minute}
        return {kind: limit for kind, limit in found.items() if limit is not None}


class SettingsFile(BaseModel):
    """The keys of a settings file; dashes and underscores are the same."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    python: list[str] = Field(default_factory=list, description="files that may be run as models or checks, as globs")
    repairs: list[str] = Field(default_factory=list, description="files with repair rules of your own, as globs")
    concurrency: int | None = Field(default=None, ge=1, le=1000, description="requests at once to one model")
    retries: int = Field(default=4, ge=0, le=20, description="retries after a transient failure of a provider")
    outage_minutes: float = Field(
        default=5, ge=0, le=1440, description="how long to wait for an unavailable model; 0 disables it at once"
    )
    machine_price_per_hour: float | None = Field(
        default=None, ge=0, description="cost per hour of the machine for local models, in US dollars"
    )
    max_file_mb: float = Field(
        default=20, gt=0, description="the largest image or PDF of a case, and document of `generate`, in MB"
    )
    batch_min: int = Field(
        default=200, ge=1, description="`run --batch` calls a model live if a round has fewer requests to it"
    )
    batch_lines: int | None = Field(
        default=None, ge=1, description="the most requests in a batch, for a small queue; by default the provider's"
    )
    batch_poll: float = Field(
        default=15, ge=0.02, le=3600, description="seconds until a batch is looked at again; slower in long waits"
    )
    prices: str | None = Field(
        default=None,
        min_length=1,
        description="file with prices of your own, from the project root; TOML or JSON, also LiteLLM's",
    )
    actor: str | None = Field(default=None, min_length=1, description="who promotes, if git does not know")
    trusted_hosts: list[str] = Field(
        default_factory=list,
        description="hosts that may receive keys although only a project names them, and clusters by tcp://; "
        "not in a project's files",
    )
    cluster: str | None = Field(
        default=None,
        min_length=1,
        description="Dask cluster for local and Python models and for `runs rescore`: local or tls://HOST:PORT; "
        "not in a project's files",
    )
    limits: dict[str, LimitsFile] = Field(
        default_factory=dict,
        description="requests-per-minute and tokens-per-minute by model (openai/gpt-5.4-mini) or by provider",
    )
    redact: dict[str, str] = Field(
        default_factory=dict, description="regular expressions of what to redact in logs, by name"
    )
    redact_runs: bool = Field(
        default=False,
        description="replace personal data in the records of runs too; the runs cannot be scored again",
    )
    providers: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options of each provider, for example base_url"
    )


@dataclass(frozen=True)
class Settings:
    """The effective settings, the origin of each (a file, `environment` or `flag`), and the project root."""

    root: Path
    values: SettingsFile
    origin: Mapping[str, str] = field(default_factory=dict)
    # The variables of the `.env` file beside the project's file that the environment does not set.
    dotenv: Mapping[str, str] = field(default_factory=dict)
    # The hosts that the user's own file and environment name.
    own_hosts: frozenset[str] = frozenset()

    @property
    def state(self) -> Path:
        """The folder of runs and recordings, which git ignores."""
        return self.root / ".promptbench"

    @property
    def store(self) -> Path:
        return self.root / "prompt_store"

    def may_receive_key(self, url: str, variable: str) -> bool:
        """Return whether a server may get the key in a variable: only a key of `.env` goes where the project says."""
        trusted = is_loopback(url) or is_providers_own(url) or host(url) in self.own_hosts
        return trusted or variable in self.dotenv


def load(start: Path, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings for a command started in `start`. Raise InputError with diagnostics."""
    project = find_project(start)
    user = user_file(environ)
    dotenv = read_dotenv(project.parent / DOTENV, environ) if project else {}
    own = _read(user) if user is not None and user.is_file() else {}
    layers = [
        (str(user), own),
        (str(project), _read(project) if project else {}),
        (DOTENV, _from_environment(dotenv)),
        ("environment", _from_environment(environ)),
        ("flag", {key: value for key, value in (flags or {}).items() if value is not None}),
    ]
    merged: dict[str, Any] = {}
    for name, layer in layers:
        merged = _merge(merged, layer)
        if (key := next(iter(USER_ONLY & layer.keys()), None)) and name in (str(project), DOTENV):
            raise _error(f"'{_written(key)}' is not a setting of a project", Location(name), f"write it in {user}")
    origin = {key: name for name, layer in layers for key in _keys(layer)}
    try:
        values = SettingsFile.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, origin) from None
    # Only variables with addresses of providers: a CI puts texts of others, such as commit messages, into variables.
    addresses = {name: text for name, text in environ.items() if name.endswith(("_BASE_URL", "_ENDPOINT"))}
    hosts = frozenset([*values.trusted_hosts, *hosts_in(own), *hosts_in(addresses)])
    return Settings((project.parent if project else start).resolve(), values, origin, dotenv, hosts)


def read_dotenv(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a `.env` file that are not set; empty without a file. Lines of another form are left out.

    `${NAME}` stays as it is: filled in, it could carry a key of the environment into an address.
    """
    if not path.is_file():
        return {}
    import io

    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    found = {item.key: item.value for item in parse_stream(io.StringIO(text)) if item.key and item.value}
    return {name: value for name, value in found.items() if not environ.get(name)}


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return two tables as one; where both have a value, `above` wins, and tables are merged."""
    tables = {
        key: _merge(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return {**below, **above, **tables}


def _keys(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the keys of a table and of the tables in it, with dots."""
    for key, value in table.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")


def find_project(start: Path) -> Path | None:
    """Return the nearest settings file at or above `start`; a pyproject.toml needs `[tool.promptbench]`."""
    for folder in (start.resolve(), *start.resolve().parents):
        try:
            if found := settings_file(folder):
                return found
        except OSError:
            continue  # an unreadable folder is not a project of this user
    return None


def user_file(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the user's settings file, existing or not; None without a home folder."""
    folder = config_folder(environ)
    return folder / "config.toml" if folder else None


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _error(
            "the file is not UTF-8 text", Location(str(path)), "save it as plain text, encoding UTF-8"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    try:
        data: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message, location = _toml_problem(str(error), path, text)
        raise _error(f"this is not valid TOML: {message}", location, 'texts need quotes: key = "text"') from None
    for table in ("tool", "promptbench") if path.name == "pyproject.toml" else ():
        data = data.get(table) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        raise _error("'tool.promptbench' must be a table of settings", Location(str(path)), "write [tool.promptbench]")
    if key := next(_secrets(data.get("providers")), None):
        message = f"'{key}' is a secret; promptbench reads secrets only from the environment"
        hint = "remove it from the file, and set the variable that the provider reads, such as OPENAI_API_KEY"
        raise _error(message, _location_of(path, text, key), hint)
    found = {key.replace("-", "_"): value for key, value in data.items()}
    if isinstance(found.get("providers"), dict):
        # One spelling, so that the tables of two files meet.
        found["providers"] = {module_name(name): table for name, table in found["providers"].items()}
    return found


def _secrets(table: Any) -> Iterator[str]:
    # A reference such as `${NAME}` is not a secret.
    for name, value in table.items() if isinstance(table, dict) else ():
        if isinstance(value, str) and is_secret_name(name) and "${" not in value:
            yield name
        yield from _secrets(value)


def _shown(line: str) -> str:
    name, equals, _ = line.partition("=")
    return f"{name}= ***" if equals and is_secret_name(name.strip(" \t\"'")) else hide(line)


def _written(name: str) -> str:
    return name.replace("_", "-")


def _error(message: str, location: Location, hint: str) -> InputError:
    return InputError("the settings are invalid", diagnostics=[Diagnostic(Code.SETTINGS, message, location, hint)])


def _toml_problem(message: str, path: Path, text: str) -> tuple[str, Location]:
    what, _, where = message.partition(" (at ")
    lines = text.split("\n")
    at = re.match(r"line (\d+), column (\d+)", where)
    line, column = (int(at[1]), int(at[2])) if at else (len(lines), len(lines[-1]) + 1)
    written = lines[line - 1].rstrip("\r") if line <= len(lines) else ""
    return what[:1].lower() + what[1:], Location(str(path), line, column, 1, _shown(written))


def _location_of(path: Path, text: str, key: str) -> Location:
    pattern = rf"\s*(?:\[(?:tool\.promptbench\.)?)?[\"']?({re.escape(key).replace('_', '[_-]')})\b"
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(pattern, line)
        if found:
            return Location(str(path), number, found.start(1) + 1, len(key), _shown(line))
    return Location(str(path))


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: environ.get(_variable(name), "").strip() for name in VARIABLES}
    return {name: VARIABLES[name](text) for name, text in texts.items() if text}


def _variable(name: str) -> str:
    return f"PROMPTBENCH_{name.upper()}"


def _number(text: str) -> int | float | str:
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        return text


def _list(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


# The settings that an environment variable can set, and how its text is read.
VARIABLES: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("concurrency", "retries", "outage_minutes", "machine_price_per_hour"), _number),
    **dict.fromkeys(("actor", "prices", "cluster"), str),
    "trusted_hosts": _list,
}

_WANTED = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "string_type": "must be text in quotes",
    "list_type": "must be a list of texts in square brackets",
    "dict_type": "must be a table",
    "string_too_short": "must not be empty",
    "greater_than": "must be more than {gt:g}",
    "extra_forbidden": "has an unknown key",
    "model_type": "must be a table",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}


def _explain(error: ValidationError, origin: Mapping[str, str]) -> InputError:
    diagnostics = []
    for item in error.errors(include_url=False):
        key = str(item["loc"][0])
        where = origin.get(".".join(map(str, item["loc"])), origin.get(key, "settings"))
        inner = "".join(f".{_written(str(part))}" for part in item["loc"][1:])
        name = _variable(key) if where == "environment" else _written(key) + (inner if key == "limits" else "")
        wanted = _WANTED.get(item["type"], "is invalid: {msg}").format(msg=item["msg"].lower(), **item.get("ctx", {}))
        message, hint = f"'{name}' {wanted}, not {str(item['input'])[:60]!r}", None
        if item["type"] == "extra_forbidden" and not inner:
            known = [_written(field) for field in SettingsFile.model_fields]
            message, hint = f"unknown setting '{name}'", suggest(name, known, f"known settings: {', '.join(known)}")
        path = Path(where)
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
        location = _location_of(path, text, key) if text else Location(where)
        diagnostics.append(Diagnostic(Code.SETTINGS, message, location, hint))
    return InputError("the settings are invalid", diagnostics=diagnostics)


def actor(settings: Settings, environ: Mapping[str, str], flag: str | None) -> str:
    """Return who acts: the flag, the setting, the CI's actor, git's author, or the user's name."""
    named = (flag, settings.values.actor, *(environ.get(name) for name in _CI_ACTORS))
    if found := next((name for name in named if name), None):
        return found
    uid = os.getuid() if hasattr(os, "getuid") else "unknown"
    return _git_author(settings.root) or environ.get("USER") or environ.get("USERNAME") or f"uid {uid}"


def _git_author(root: Path) -> str | None:
    import subprocess

    command = ["git", "config", "--get-regexp", r"^user\.(name|email)$"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    found = {key: value.strip() for key, _, value in (line.partition(" ") for line in lines)}
    name, email = found.get("user.name"), found.get("user.email")
    return f"{name} <{email}>" if name and email else name or email or None

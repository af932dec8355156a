"""All that the author of a plug-in needs: a spec for each kind of plug-in, and the types that its hooks exchange.

A plug-in is a module with an attribute `SPEC`. It is a file in promptbench's own folder of that kind, where its name is
the file's name, or it is in another distribution that declares an entry point:

    [project.entry-points."promptbench.checks"]
    polite = "shop_checks.polite"

The entry point names the module or the spec itself, and its name is the plug-in's name.

A provider of one model, whole:

    from promptbench.plugins import Answer, Provider, ProviderContext, ProviderSpec, Request

    class Shout(Provider):
        async def complete(self, request: Request) -> Answer:
            return Answer(text=request.messages[-1].content.upper(), model="shout")

    def connect(name: str, context: ProviderContext) -> Provider:
        return Shout()

    SPEC = ProviderSpec(connect=connect)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from promptbench.core.protocols import (
    Check,
    CheckContext,
    ExpectingCheck,
    JudgedCheck,
    Log,
    MissingExtra,
    Problem,
    Provider,
    ProviderContext,
    Subject,
)
from promptbench.core.secrets import without_secrets
from promptbench.core.types import (
    Answer,
    BadRecord,
    CallFacts,
    FailureKind,
    FailureTier,
    Json,
    LoggedCall,
    Message,
    ModelRef,
    ProviderFailure,
    Reading,
    Request,
    Rung,
    Score,
    Usage,
)

if TYPE_CHECKING:
    from promptbench.report.document import Report, Target

__all__ = [
    "Answer",
    "BadRecord",
    "Billing",
    "CallFacts",
    "Check",
    "CheckContext",
    "CheckSpec",
    "ExpectingCheck",
    "FailureKind",
    "FailureTier",
    "Json",
    "JudgedCheck",
    "Log",
    "LogFormatSpec",
    "LoggedCall",
    "Message",
    "MissingExtra",
    "ModelRef",
    "Problem",
    "Provider",
    "ProviderContext",
    "ProviderFailure",
    "ProviderOption",
    "ProviderSpec",
    "Reading",
    "RepairSpec",
    "ReportFormatSpec",
    "Request",
    "Rung",
    "Score",
    "ServiceAddress",
    "Subject",
    "Usage",
]

# ---- checks: group promptbench.checks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """A check: how it is built from its YAML argument, and what people and editors read about it."""

    # The module's `__doc__`: a first line `name: summary.`, then What, When, Options and Example.
    doc: str | None
    # Raise ValueError with one sentence if the argument is invalid, MissingExtra if a package is not installed.
    build: Callable[[Json, CheckContext], Check]
    # JSON Schema of the argument, for editors.
    argument_schema: Json = field(default_factory=dict)
    # For a check that depends on a file: return what of the file decides the score, or None. Must not raise.
    fingerprint: Callable[[Json, CheckContext], Json] | None = None
    # For a deprecated name: return what to write instead, as an entry of `checks:`. Raise ValueError if invalid.
    replacement: Callable[[Json], Json] | None = None


# ---- log formats: group promptbench.ingest ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormatSpec:
    """A format of production logs: how a file is recognised, and how its calls are read."""

    # Return True if the file is of this format, by its head, its keys or its first record. Must not raise.
    matches: Callable[[Log], bool]
    # Yield the calls one at a time, in constant memory, with a BadRecord for each record that cannot be read. Raise
    # ValueError if the rest of the file cannot be read.
    read: Callable[[Log], Iterator[LoggedCall | BadRecord]]
    # How reliable `matches` is. Formats are tried from the highest to the lowest, equal ones by name: 100 for a marker
    # of the format's own, 50 for several keys that only this format combines, 10 for a few common keys, negative for a
    # format that accepts almost anything.
    specificity: int = 0
    # Like `read`, but for calls that need neither an input nor an answer, only a latency. Default: `read`.
    read_timings: Callable[[Log], Iterator[LoggedCall | BadRecord]] | None = None
    # True if each line of a JSON Lines file is one call with an id of its own, and no other line or file changes it.
    # Lines that were imported before are then skipped without being read.
    by_line: bool = False


# ---- repair rules: group promptbench.repairs, and the files of the setting `repairs` ---------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairSpec:
    """A team's own repair rule for answers that are not valid JSON.

    Args:
        name: lower-case letters, digits and underscores. Reports count the repair under this name.
        trust: `safe` if the text has one reading, which the rule restores; `risky` if the rule guesses.
        repair: a pure function. It gets the whole answer and returns the repaired text, or None if the rule does not
            apply. It must return the same result each time, and must leave its own result as it is.
        examples: texts that the rule must change, each with the data that it must be read as.
        unchanged: texts that the rule must leave as they are.
    """

    name: str
    trust: Literal["safe", "risky"]
    repair: Callable[[str], str | None]
    examples: Mapping[str, Json]
    unchanged: Sequence[str]

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name):
            raise ValueError(f"'name': expected lower-case letters, digits and underscores, got {self.name!r}")
        if self.trust not in ("safe", "risky"):
            raise ValueError(f"'trust': expected 'safe' or 'risky', got {self.trust!r}")
        if not (self.examples and self.unchanged):
            raise ValueError("expected at least one text in 'examples' and one in 'unchanged'")

    def apply(self, text: str) -> str | None:
        """Return the repaired text, or None if the rule leaves it as it is.

        Raises:
            TypeError: if the function returned neither a text nor None.
        """
        repaired = self.repair(text)
        if repaired is not None and not isinstance(repaired, str):
            raise TypeError(f"{self.name} returned {type(repaired).__name__}, expected str or None")
        return None if repaired == text else repaired

    def as_dict(self) -> dict[str, Json]:
        """Return everything but the function, as plain data."""
        return {
            "name": self.name,
            "trust": self.trust,
            "examples": dict(self.examples),
            "unchanged": list(self.unchanged),
        }


# ---- providers: group promptbench.providers --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Billing:
    """Whose price list applies to a model.

    `address` is the server's base URL where it is not the provider's own: a proxy sets its own prices. `model` is the
    model behind a name that the user chose, such as a deployment's.
    """

    address: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """A server that a provider calls, for `promptbench doctor` and `promptbench init`.

    Args:
        name: the provider, or `provider/server` where the settings name several.
        url: the base URL; empty if none is configured.
        source: where the URL was configured: a setting, a variable, or `default`.
        keys: the environment variables that hold its keys; empty if it needs none.
    """

    name: str
    url: str
    source: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderOption:
    """A key of a provider's table in the settings.

    `kind` is `text`, `number` (above 0), `true or false` or `table`. `variable` is the environment variable that is
    read where the key is missing.
    """

    kind: str
    meaning: str
    default: str = ""
    variable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """A provider. Only `connect` is required.

    The hooks take the model's name without the provider (`gpt-5.4-mini` of `openai/gpt-5.4-mini`) and the context. They
    run before any call, so they must be fast, and must not raise, import an SDK, load weights or open a connection.
    """

    # Return the model. Cheap: whatever takes time belongs in the first `Provider.complete`.
    connect: Callable[[str, ProviderContext], Provider]

    # Return everything known to be wrong before a call: an unknown model, a missing key, a bad setting.
    problems: Callable[[str, ProviderContext], list[Problem]] = lambda name, context: []

    # Return a problem for each key of a prompt's `config` that the model does not take.
    unsupported: Callable[[str, ProviderContext, Mapping[str, Json]], list[Problem]] = lambda name, context, config: []

    # Return what of a prompt's output schema the server will not enforce although the settings want it, in a sentence.
    unenforced: Callable[[str, ProviderContext, Mapping[str, Json]], str | None] = lambda name, context, schema: None

    # Return why the model cannot be sent a prompt's tools (`Request.tools`), None if it can.
    without_tools: Callable[[str, ProviderContext], str | None] = lambda name, context: "its provider sends no tools"

    # Return why the model does not take files of a media type such as `image/png`, in a phrase; None if it does or may.
    unsupported_file: Callable[[str, ProviderContext, str], str | None] = lambda name, context, media: None

    # Return whether the model gets messages. A model that is a function gets only the variables of a case.
    reads_prompt: Callable[[str, ProviderContext], bool] = lambda name, context: True

    # Return whether the model reports the version of its service, and refuses to answer as another one than
    # `Request.pinned` names.
    reports_version: Callable[[str, ProviderContext], bool] = lambda name, context: False

    # True if its models answer a request with `embeds`.
    embeds: bool = False

    # Return whether the model runs on this machine: it costs machine time and has no rate limit.
    runs_here: Callable[[str, ProviderContext], bool] = lambda name, context: False

    # Return what shapes an answer besides the request (address, options, state of files), for the cache key.
    #
    # It must not contain a secret. None means that not everything is known, so answers are never cached.
    shaped_by: Callable[[str, ProviderContext], Json] = lambda name, context: without_secrets(context.options)

    # Return the same for a model that runs in a process, but alike on all machines where its answers are: no path, no
    # time, hashes of files. By default what `shaped_by` returns.
    fingerprint: Callable[[str, ProviderContext], Json] | None = None

    # Return how many tokens fit into the model, input and answer together. Only called for long prompts.
    context_window: Callable[[str, ProviderContext], int | None] = lambda name, context: None

    # Return whose prices apply to the model.
    billing: Callable[[str, ProviderContext], Billing] = lambda name, context: Billing()

    # Return the body that is posted for a request, for `promptbench get --format NAME`. Raises ProviderFailure.
    request_body: Callable[[Request], dict[str, Json]] | None = None

    # True if answers come from a record: they cost nothing, have no rate limit, and their latency means nothing.
    replays: bool = False

    context_setting: str = "context_window"  # The setting that overrides `context_window`, for hints.

    # The keys of its table in the settings; `doctor` reports all others. Empty if they are not known.
    options: Mapping[str, ProviderOption] = field(default_factory=dict)

    # Return the servers that the provider would call.
    addresses: Callable[[ProviderContext], Sequence[ServiceAddress]] = lambda context: ()

    # For `promptbench init`: a model that can be used without further settings, and what its prompts have as `config`.
    # Only what every model of the provider takes; a limit on tokens would end the thinking of models that think.
    starter_model: str = ""
    starter_config: Mapping[str, Json] = field(default_factory=dict)

    starter_settings: str = ""  # TOML that `promptbench init` adds to a new project whose answers are JSON.

    # The optional distribution that the provider needs and the command that installs it, for `promptbench doctor`.
    requires: tuple[str, str] | None = None


# ---- report formats: group promptbench.reports ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReportFormatSpec:
    """A report format, as `--format` and `--output` name it."""

    # Return the reports of a command as one text that ends with a line break. Raise ValueError if a report has nothing
    # that the format could hold.
    render: Callable[[Sequence[Report], Target], str]

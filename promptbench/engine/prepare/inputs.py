"""Recover what a logged call put into its prompt, and find the conversation it belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from promptbench.core.canonical import digest
from promptbench.core.errors import Code, Diagnostics, Location
from promptbench.core.types import BadRecord, Json, LoggedCall, Message
from promptbench.ingest import detect_format, load_format, plugins
from promptbench.ingest.files.log_file import LogFile
from promptbench.ingest.files.streams import LogError
from promptbench.prompts.prompt import Prompt
from promptbench.prompts.recovery import Recovered, Unrecovered, recover
from promptbench.suite.models import Suite
from promptbench.yaml.source import below

# Names of fields that identify a conversation, the most specific first; lower case, without dots, dashes, underscores.
_CONVERSATION_FIELDS = ("conversationid", "threadid", "sessionid", "chatid", "conversation", "thread")
_LONGEST_ID = 200
# Calls repeat the names of their fields.
_plain_name = lru_cache(maxsize=1024)(lambda name: "".join(char for char in str(name).lower() if char not in "._-"))
# Formats that have a right answer as `expect:` compares it, and checks as a suite has them.
_FORMATS_WITH_CHECKS = ("promptbench_log", "promptfoo")


@dataclass(frozen=True, slots=True)
class CallInput:
    """The `vars:` and `messages:` of a case that repeats a logged call."""

    variables: Mapping[str, Json]
    history: tuple[Message, ...] = ()

    @property
    def hash(self) -> str:
        return digest([dict(self.variables), [message.as_dict() for message in self.history]])


def unusable(given: CallInput | str, prompts: Sequence[Prompt]) -> str | None:
    """Return why a call with this result of `input_of` cannot be replayed with `prompts`, or None."""
    if isinstance(given, str):
        return given
    missing = sorted({name for prompt in prompts for name in prompt.missing(given.variables)})
    if missing:
        return f"it has no value for {', '.join(f'{{{{{name}}}}}' for name in missing)}"
    unused = given.history and not all(prompt.takes_history for prompt in prompts)
    return "a prompt has no {{history}} for its messages" if unused else None


def input_of(
    call: LoggedCall,
    templates: Sequence[Prompt],
    candidates: Sequence[Prompt],
    defaults: Mapping[str, Json] = MappingProxyType({}),
) -> CallInput | str:
    """Return the input of a call, or a phrase that says why there is none.

    Args:
        templates: Prompts that may have rendered the call's messages. The first that fits is used.
        candidates: Prompts that the input is for.
        defaults: Values of variables that the log's lack.

    Variables of the log are used as they are unless a candidate needs others: the log may use these names for
    something else. If no template fits, the messages are replayed unchanged, provided that every candidate takes
    messages and needs no variables.
    """
    variables = None if call.variables is None else {**defaults, **call.variables}
    # A result of a tool is sent as a message of the user: without the call's id no provider takes it as one of a tool.
    messages = tuple(replace(item, role="user") if item.role == "tool" else item for item in call.messages)
    known = variables is not None and not any(prompt.missing(variables) for prompt in candidates)
    tried: list[Unrecovered] = []
    for prompt in templates if messages else ():
        if known and not prompt.takes_history:
            continue
        found = recover(prompt, messages)
        if isinstance(found, Recovered):
            return CallInput(variables if known and variables is not None else found.variables, found.history)
        tried.append(found)
    if variables is not None:
        return CallInput(variables)
    if not messages:
        return "it has neither variables nor messages"
    if candidates and all(prompt.takes_history and not prompt.missing({}) for prompt in candidates):
        return CallInput({}, messages)
    # A template that fits in several ways is most likely the one that was used.
    best = next((item for item in tried if item.ambiguous), tried[0] if tried else None)
    return f"its variables cannot be recovered: {best.reason}" if best else "no prompt to recover it with"


def expectations_in_log(call: LoggedCall) -> tuple[tuple[Json, ...], list[Json]]:
    """Return the value for `expect:`, if the log has one, and the entries for `checks:`."""
    if call.format not in _FORMATS_WITH_CHECKS:
        return (), []
    checks = call.extra.get("checks")
    expected = () if call.expected is None else (call.expected,)
    return expected, list(checks) if isinstance(checks, list) else []


def conversation_of(call: LoggedCall) -> str | None:
    """Return the id of the call's conversation, thread or session, or None if the log has none.

    Cases from one conversation pass and fail together, so the gate counts them as a cluster.
    """
    # LangSmith calls a whole project a session.
    metadata = [call.extra] if call.format != "langsmith" else []
    metadata += [inner for name in ("metadata", "attributes") if isinstance(inner := call.extra.get(name), Mapping)]
    for name in _CONVERSATION_FIELDS:
        for fields in metadata:
            for key, value in fields.items():
                if _plain_name(key) == name and isinstance(value, (str, int)) and not isinstance(value, bool):
                    found = str(value).strip()
                    if found and len(found) <= _LONGEST_ID:
                        return found
    return None


def read_logs(suite: Suite, found: Diagnostics) -> list[LoggedCall]:
    """Return all calls of all logs of a suite, in order."""
    calls: list[LoggedCall] = []
    for index, written in enumerate(suite.logs):
        location = suite.location(("log", index))
        path = below(suite.folder, written, location, found)
        if path is not None:
            calls += _read(path, written, location, found)
    return calls


def _read(path: Path, written: str, location: Location, found: Diagnostics) -> list[LoggedCall]:
    def refuse(why: str, hint: str | None = None) -> list[LoggedCall]:
        found.add(Code.BAD_LOG, f"the log '{written}' cannot be read: {why}", location, hint=hint)
        return []

    try:
        file = LogFile.from_path(path, written)
    except FileNotFoundError:
        found.add(Code.FILE_NOT_FOUND, f"log '{written}' not found next to the suite", location)
        return []
    except (OSError, LogError) as error:
        return refuse("it is a folder" if path.is_dir() else getattr(error, "strerror", None) or f"it {error}")
    if not file.head.strip():
        return []
    name = detect_format(file)
    if name is None:
        known = ", ".join(name.replace("_", " ") for name in plugins.names())
        found.add(Code.BAD_LOG, f"unknown log format: '{written}'", location, hint=f"known formats: {known}")
        return []
    calls = []
    try:
        for call in load_format(name).read(file):
            if isinstance(call, BadRecord):
                return refuse(f"{call.place}: {call.reason}", "fix or delete that record")
            calls.append(call)
    except (OSError, ValueError) as error:
        return refuse(str(error))
    return calls

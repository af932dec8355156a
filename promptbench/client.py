"""Read prompts in a running application: read-only, standard library only.

    from promptbench.client import PromptClient

    prompts = PromptClient("prompt_store", ttl=30)
    prompt = prompts.get("triage@production")
    messages = prompt.render(message="I was charged twice")

    chain = prompts.get_chain("routing@production")
    messages = chain["choose"].prompt.render(text="…", steps={"candidates": ["billing", "delivery"]})

A hash is read once and cached for ever; a label or a number is read again after `ttl` seconds. An uncertain result is
flagged: `is_fallback` for a text that the application brought itself, `stale` for a version that may no longer be the
store's, and `note` gives the reason.
"""

from __future__ import annotations

import json
import math
import os
import re
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptbench.core.canonical import digest
from promptbench.core.errors import ConflictError, EnvironmentFailure, InputError
from promptbench.store.chain import ledger_of
from promptbench.store.database import FILE_NAME, Database, storage_errors
from promptbench.store.mirror import Mirror
from promptbench.store.names import PRODUCTION, is_prompt_name, select, suggest
from promptbench.store.proof import ProvenModel, proof_of, proven_models

if TYPE_CHECKING:
    from promptbench.prompts.prompt import Prompt as Engine

__all__ = [
    "PromptClient",
    "ProvenModel",
    "ServedChain",
    "ServedPrompt",
    "ServedStep",
    "StoreUnreadable",
    "UnknownPrompt",
]

# Seconds before an unreadable store is tried again.
RETRY_SECONDS = 1.0
_STEPS = "steps"  # The key that only the content of a chain has.
_ROLES = ("system", "user", "assistant")
_HASH = re.compile(r"(sha256:)?[0-9a-f]{64}")
_BUILD = (
    "run `promptbench store verify` once per deployment, before the start: it builds the database from the text mirror"
)


class UnknownPrompt(LookupError):
    """The prompt, label or version is not in the store. Raised even if a fallback is given."""


class StoreUnreadable(RuntimeError):
    """The store is missing or unreadable, and there is neither an earlier answer nor a fallback."""


@dataclass(frozen=True, slots=True)
class ServedPrompt:
    """One version of a prompt as `PromptClient.get` returns it.

    Attributes:
        number: the version number, as in `triage@7`. None for a fallback, as are `hash` and `label`.
        hash: `sha256:…` of the content.
        label: the label in the reference, if it named one.
        models: the models that the version was proven on; none if it was adopted or forced.
        content: messages, config and schemas as canonical JSON, from which the hash is computed.
        is_fallback: True for the application's own text, because the store is unreadable.
        stale: True for an earlier answer, or if the text mirror is ahead of the database: production may have moved.
        note: why it is a fallback or stale.
    """

    name: str
    number: int | None
    hash: str | None
    label: str | None
    models: tuple[ProvenModel, ...]
    content: str
    is_fallback: bool = False
    stale: bool = False
    note: str | None = None

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as written, `{"role", "content"}`; `{"history": true}` marks the position of a conversation."""
        return list(json.loads(self.content)["messages"])

    @property
    def config(self) -> dict[str, Any]:
        """The model parameters under the names of the prompt file, such as `temperature` and `maxOutputTokens`."""
        return dict(json.loads(self.content)["config"])

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the answer, or None. Its keys are in alphabetical order."""
        schema: dict[str, Any] | None = json.loads(self.content)["output"]["schema"]
        return schema

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools, each as `name`, `description` and `inputSchema`, a JSON Schema."""
        return list(json.loads(self.content).get("tools", ()))

    def render(
        self, values: Mapping[str, Any] | None = None, /, *, history: Sequence[Mapping[str, str]] = (), **more: Any
    ) -> list[dict[str, Any]]:
        """Return the messages with all values inserted, each `{"role", "content"}`.

        The content of a message with files is a list: `{"text"}` for a text, `{"file", "type", "size", "sha256"}` for
        an image or PDF, where `file` is its path.

        Args:
            values: value by variable name; keyword arguments do the same. A `Path` is read as a file.
            history: the conversation that replaces `{{history}}`.

        Raises:
            WrongVariables: a ValueError that lists every missing and every unknown variable.
        """
        from promptbench.core.files import FileValue
        from promptbench.core.types import Message
        from promptbench.prompts.prompt import HISTORY, WrongVariables

        engine = _engine(self.name, self.content)
        variables = {
            name: (FileValue.of(value, str(value)) or value.read_text("utf-8")) if isinstance(value, Path) else value
            for name, value in {**(values or {}), **more}.items()
        }
        engine.check_variables(variables)
        if history and not engine.takes_history:
            raise WrongVariables([], [HISTORY], sorted(engine.variables))
        turns = [Message(turn["role"], turn["content"]) for turn in history]  # type: ignore[arg-type]
        return [message.as_data() for message in engine.render(variables, turns)]


@dataclass(frozen=True, slots=True)
class ServedStep:
    """A step of a chain: a `prompt`, or the reference of a `model` with the hashes of its files by their paths.

    `version` is what a service reports about itself; nothing verifies it.
    """

    name: str
    prompt: ServedPrompt | None = None
    model: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None


@dataclass(frozen=True, slots=True)
class ServedChain:
    """One version of a chain as `PromptClient.get_chain` returns it, with all steps of this version in order.

    `chain["choose"]` is a step; the other attributes are those of `ServedPrompt`.
    """

    name: str
    number: int | None
    hash: str | None
    label: str | None
    models: tuple[ProvenModel, ...]
    steps: tuple[ServedStep, ...]
    is_fallback: bool = False
    stale: bool = False
    note: str | None = None

    def __getitem__(self, name: str) -> ServedStep:
        """Return a step. Raise KeyError if there is none with this name."""
        return {step.name: step for step in self.steps}[name]


@dataclass(frozen=True, slots=True)
class _CacheEntry:
    """A prompt, or why it is unreadable, until a time of the monotonic clock."""

    prompt: ServedPrompt | None
    failure: str | None
    until: float


class PromptClient:
    """A reader of one prompt store. Thread-safe and fork-safe; it holds no connection between reads."""

    def __init__(self, folder: str | Path = "prompt_store", *, ttl: float = 30.0, timeout: float = 2.0) -> None:
        """
        Args:
            folder: the folder of `prompts.sqlite`, and of the text mirror `text/` if it is deployed too.
            ttl: seconds for which the version of a label or number is cached.
            timeout: seconds to wait for a process that is writing.
        """
        if not ttl >= 0:
            raise ValueError(f"ttl: expected seconds, got {ttl!r}")
        self._path = Path(folder) / FILE_NAME
        self._mirror = Mirror(Path(folder) / "text")
        self._ttl = ttl
        self._timeout = timeout
        self._cache: dict[str, _CacheEntry] = {}
        self._models: dict[str, tuple[ProvenModel, ...]] = {}
        self._lock = threading.Lock()
        _clients.add(self)

    def get(self, reference: str, *, fallback: str | Sequence[Mapping[str, str]] | None = None) -> ServedPrompt:
        """Return the version for `NAME`, `NAME@LABEL`, `NAME@N` or `NAME@HASH`; `NAME` is `NAME@production`.

        Args:
            fallback: used while the store is unreadable and was not read before: the text of one user message,
                or `{"role", "content"}` messages, in the syntax of a prompt file.

        Raises:
            UnknownPrompt: prompt, label or version not found, even if a fallback is given.
            StoreUnreadable: the store is unreadable, and there is neither an earlier answer nor a fallback.
            ValueError: the fallback is not a prompt, or the reference is to a chain.
        """
        spare = None if fallback is None else _fallback(reference, fallback)
        found = self._current_or(reference, spare)
        if _STEPS in json.loads(found.content):
            raise ValueError(f"{found.name} is a chain of several steps: read it with `get_chain`")
        return found

    def get_chain(
        self, reference: str, *, fallback: Mapping[str, str | Sequence[Mapping[str, str]]] | None = None
    ) -> ServedChain:
        """Return all steps of a chain in one version, which one read finds: a mix of two versions is impossible.

        Args:
            reference: as for `get`.
            fallback: as for `get`, for each step with a prompt, by its name.

        Raises:
            UnknownPrompt, StoreUnreadable: as `get` does.
            ValueError: the fallback is not a prompt, or the reference is to a single prompt.
        """
        prompts = {name: _fallback(name, text) for name, text in (fallback or {}).items()}
        steps = [{"step": name, "prompt": json.loads(item.content)} for name, item in prompts.items()]
        name, content = reference.partition("@")[0], json.dumps({_STEPS: steps})
        spare = ServedPrompt(name, None, None, None, (), content, is_fallback=True)
        found = self._current_or(reference, spare if fallback else None)
        steps = json.loads(found.content).get(_STEPS)
        if steps is None:
            raise ValueError(f"{found.name} is a single prompt: read it with `get`")
        facts = {item.name: getattr(found, item.name) for item in fields(found) if item.name != "content"}
        return ServedChain(**facts, steps=tuple(_step(step, found) for step in steps))

    def _current_or(self, reference: str, spare: ServedPrompt | None) -> ServedPrompt:
        try:
            return self._current(reference)
        except StoreUnreadable as error:
            if spare is None:
                raise
            return replace(spare, note=str(error))

    def _current(self, reference: str) -> ServedPrompt:
        entry = self._cache.get(reference)
        if entry is None or time.monotonic() >= entry.until:
            with self._lock:
                # Another thread may have read it meanwhile.
                entry = self._cache.get(reference)
                if entry is None or time.monotonic() >= entry.until:
                    entry = self._cache[reference] = self._refresh(reference, entry.prompt if entry else None)
        if entry.prompt is None:
            raise StoreUnreadable(entry.failure)
        return entry.prompt

    def _refresh(self, reference: str, last: ServedPrompt | None) -> _CacheEntry:
        try:
            prompt = self._read(reference)
        except UnknownPrompt:
            self._cache.pop(reference, None)
            raise
        except (ConflictError, EnvironmentFailure) as error:
            failure = f"{error.message}; {error.hint}"
            stale = replace(last, stale=True, note=failure) if last else None
            return _CacheEntry(stale, failure, time.monotonic() + min(self._ttl, RETRY_SECONDS))
        forever = _HASH.fullmatch(reference.partition("@")[2]) and not prompt.stale
        return _CacheEntry(prompt, None, math.inf if forever else time.monotonic() + self._ttl)

    def _read(self, reference: str) -> ServedPrompt:
        """Read from the database. Raise UnknownPrompt, EnvironmentFailure or ConflictError."""
        name, at, selector = reference.partition("@")
        with storage_errors(self._path):
            # Read before the database, which is written first, so that a promotion here never looks like a pulled one.
            mirrored = self._mirror.event_names(name) if is_prompt_name(name) else []
            if not self._path.is_file():
                what = "has a text mirror but no database" if self._mirror.prompts() else "not found"
                raise EnvironmentFailure(f"prompt store {self._path.parent} {what}", hint=_BUILD)
            database = Database.open(self._path, timeout=self._timeout, mode="ro")
            try:
                with database.snapshot():
                    return self._select(database, mirrored, name, selector if at else PRODUCTION)
            finally:
                database.close()

    def _select(self, database: Database, mirrored: list[str], name: str, selector: str) -> ServedPrompt:
        if database.pending():
            raise EnvironmentFailure(f"{self._path} needs a migration", hint=_BUILD)
        events = database.events(name)
        ahead = bool(set(mirrored) - {event.file_name for event in events})
        # Labels and numbers follow from the chain, so rows that somebody edited are never served.
        database.check_counts()
        ledger = ledger_of(name, events)
        try:
            if not events:
                raise InputError(f"prompt {name!r} not found", hint=suggest(name, database.prompts()))
            tagged = select(name, selector, ledger.labels, ledger.numbers)
        except InputError as error:
            if ahead:
                raise EnvironmentFailure(_ahead(name), hint=_BUILD) from None
            raise UnknownPrompt(f"{error.message}; {error.hint}" if error.hint else error.message) from None
        label = selector if selector in ledger.labels else None
        version = database.version(name, tagged, number=ledger.numbers[tagged])
        return ServedPrompt(
            name=name,
            number=version.number,
            hash=tagged,
            label=label,
            models=self._proven(database, proof_of(events, tagged, label)),
            content=json.dumps(version.content, ensure_ascii=False),
            stale=ahead and label is not None,
            note=f"{_ahead(name)}; {_BUILD}" if ahead and label is not None else None,
        )

    def _proven(self, database: Database, evidence: str | None) -> tuple[ProvenModel, ...]:
        if evidence is None:
            return ()
        if evidence not in self._models:
            self._models[evidence] = proven_models(database.evidence(evidence))
        return self._models[evidence]


def _ahead(name: str) -> str:
    return f"the text mirror of {name} has events that the database does not have, as after a `git pull`"


def _step(step: Mapping[str, Any], chain: ServedPrompt) -> ServedStep:
    name, content = step["step"], step.get("prompt")
    if content is None:
        return ServedStep(name, None, step["model"], step["files"], step.get("unverified version"))
    text, tagged = json.dumps(content, ensure_ascii=False), None if chain.is_fallback else digest(content)
    return ServedStep(name, replace(chain, name=name, number=None, hash=tagged, content=text))


@lru_cache(maxsize=256)
def _engine(name: str, content: str) -> Engine:
    from promptbench.prompts.prompt import Prompt as Engine

    return Engine.of_content(name, json.loads(content))


def _fallback(reference: str, given: str | Sequence[Mapping[str, str]]) -> ServedPrompt:
    from promptbench.prompts.prompt import ENGINE, HISTORY
    from promptbench.text.templates import all_tags, is_name

    turns = [{"role": "user", "content": given}] if isinstance(given, str) else [dict(turn) for turn in given]
    if not turns or any(turn.get("role") not in _ROLES or not isinstance(turn.get("content"), str) for turn in turns):
        raise ValueError("fallback: expected text, or messages with a role (system, user, assistant) and a content")
    content = {
        "engine": ENGINE,
        "messages": turns,
        "config": {},
        "input": {"schema": None, "default": {}},
        "output": {"schema": None},
    }
    name = reference.partition("@")[0]
    prompt = ServedPrompt(name, None, None, None, (), json.dumps(content, ensure_ascii=False), is_fallback=True)
    # An invalid fallback must fail on the first day, not in the first outage.
    for template in _engine(name, prompt.content).templates:
        for tag, depth in all_tags(template.parts):
            if tag.body == HISTORY or not is_name(tag.body, depth):
                raise ValueError(f"{{{{{tag.body}}}}} is not supported in a fallback")
    return prompt


_clients: weakref.WeakSet[PromptClient] = weakref.WeakSet()


def _after_fork() -> None:
    # Another thread may have held a lock in the parent, and that thread does not exist in the child.
    for client in _clients:
        client._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

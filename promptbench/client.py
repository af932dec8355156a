"""Prompts for a running application: reads the prompt store, changes nothing, needs only the standard library.

    from promptbench.client import PromptClient

    prompts = PromptClient("prompt_store", ttl=30)
    prompt = prompts.get("triage@production")
    messages = prompt.render(message="I was charged twice")

A hash is read once and kept for ever; a label, or a number, is looked up again when it is older than `ttl` seconds.
What is not known for sure is flagged: `is_fallback` for a text that the application brought itself, `stale` for an
answer that may no longer be the store's, and `note` says why.
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
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptbench.core.errors import ConflictError, EnvironmentFailure, InputError
from promptbench.store.database import FILE_NAME, Database, storage_errors
from promptbench.store.mirror import Mirror
from promptbench.store.names import PRODUCTION, is_prompt_name
from promptbench.store.proof import ProvenModel, proof_of, proven_models
from promptbench.store.references import select, suggest

if TYPE_CHECKING:
    from promptbench.prompts.prompt import Prompt as Engine

__all__ = ["Prompt", "PromptClient", "ProvenModel", "StoreUnreadable", "UnknownPrompt"]

RETRY_SECONDS = 1.0
"""How long a store that could not be read is left alone."""
_ROLES = ("system", "user", "assistant")
_HASH = re.compile(r"(sha256:)?[0-9a-f]{64}")
_BUILD = "`promptbench store verify` builds it from the text mirror; a deployment runs that once, before it starts"


class UnknownPrompt(LookupError):
    """The store was read and has no such prompt, label or version. Never answered with a fallback."""


class StoreUnreadable(RuntimeError):
    """The store is not there, or cannot be read now, and there is neither an earlier answer nor a fallback."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a prompt, as it was asked for."""

    name: str
    number: int | None
    """What people call the version, as in `triage@7`. None for a fallback, as are `hash` and `label`."""
    hash: str | None
    """`sha256:…` of the content."""
    label: str | None
    """The label that was asked for."""
    models: tuple[ProvenModel, ...]
    """The models that the evidence proves it on; none where it was adopted or forced."""
    content: str
    """Messages, config and schemas as canonical JSON: what the hash is over."""
    is_fallback: bool = False
    """The application's own text: the store could not be read."""
    stale: bool = False
    """An earlier answer, or the database's while the text mirror beside it is ahead; production may be elsewhere."""
    note: str | None = None
    """Why it is a fallback or stale."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as written, `{"role", "content"}`; `{"history": true}` where a conversation is placed."""
        return list(json.loads(self.content)["messages"])

    @property
    def config(self) -> dict[str, Any]:
        """The parameters as the prompt's file names them, such as `temperature` and `maxOutputTokens`."""
        return dict(json.loads(self.content)["config"])

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the answer, where the prompt has one; its keys are in alphabetical order."""
        schema: dict[str, Any] | None = json.loads(self.content)["output"]["schema"]
        return schema

    def render(
        self, values: Mapping[str, Any] | None = None, /, *, history: Sequence[Mapping[str, str]] = (), **more: Any
    ) -> list[dict[str, str]]:
        """The messages with all values in place, each `{"role", "content"}`.

        Args:
            values: by variable; keywords do the same for names that Python can spell.
            history: the conversation that `{{history}}` stands for.

        Raises WrongVariables, a ValueError that names every variable without a value and every value without a place.
        """
        from promptbench.core.types import Message
        from promptbench.prompts.prompt import HISTORY, WrongVariables

        engine = _engine(self.name, self.content)
        variables = {**(values or {}), **more}
        engine.check_variables(variables)
        if history and not engine.takes_history:
            raise WrongVariables([], [HISTORY], sorted(engine.variables))
        turns = [Message(turn["role"], turn["content"]) for turn in history]  # type: ignore[arg-type]
        return [message.as_dict() for message in engine.render(variables, turns)]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of a reference: a prompt, or why there is none, until a moment of the monotonic clock."""

    prompt: Prompt | None
    failure: str | None
    until: float


class PromptClient:
    """Reads one prompt store. For any number of threads, also after a fork; it holds no connection between reads."""

    def __init__(self, folder: str | Path = "prompt_store", *, ttl: float = 30.0, timeout: float = 2.0) -> None:
        """
        Args:
            folder: the prompt store's: `prompts.sqlite`, and the text mirror `text/` where it is deployed too.
            ttl: seconds for which a label's or a number's version is taken as known.
            timeout: seconds to wait for a process that is just writing.
        """
        if not ttl >= 0:
            raise ValueError(f"ttl is a number of seconds, not {ttl!r}")
        self._path = Path(folder) / FILE_NAME
        self._mirror = Mirror(Path(folder) / "text")
        self._ttl = ttl
        self._timeout = timeout
        self._kept: dict[str, _Kept] = {}
        self._models: dict[str, tuple[ProvenModel, ...]] = {}
        self._lock = threading.Lock()
        _clients.add(self)

    def get(self, reference: str, *, fallback: str | Sequence[Mapping[str, str]] | None = None) -> Prompt:
        """The version that `NAME`, `NAME@LABEL`, `NAME@N` or `NAME@HASH` means now; `NAME` is `NAME@production`.

        Args:
            fallback: what to answer while the store cannot be read and there is no earlier answer: the text of one
                user message, or `{"role", "content"}` messages, in the words of a prompt file.

        Raises:
            UnknownPrompt: the store has no such prompt, label or version, whether there is a fallback or not.
            StoreUnreadable: the store cannot be read, and there is nothing else to answer with.
            ValueError: the fallback is no prompt.
        """
        spare = None if fallback is None else _fallback(reference, fallback)
        try:
            return self._current(reference)
        except StoreUnreadable as error:
            if spare is None:
                raise
            return replace(spare, note=str(error))

    def _current(self, reference: str) -> Prompt:
        kept = self._kept.get(reference)
        if kept is None or time.monotonic() >= kept.until:
            with self._lock:
                kept = self._kept.get(reference)
                if kept is None or time.monotonic() >= kept.until:
                    kept = self._refreshed(reference, kept.prompt if kept else None)
        if kept.prompt is None:
            raise StoreUnreadable(kept.failure)
        return kept.prompt

    def _refreshed(self, reference: str, last: Prompt | None) -> _Kept:
        """Reads a reference anew. While that fails, the last answer is kept, and flagged."""
        try:
            prompt = self._read(reference)
        except UnknownPrompt:
            self._kept.pop(reference, None)
            raise
        except (ConflictError, EnvironmentFailure) as error:
            failure = f"{error.message}; {error.hint}"
            stale = replace(last, stale=True, note=failure) if last else None
            kept = _Kept(stale, failure, time.monotonic() + min(self._ttl, RETRY_SECONDS))
        else:
            for_ever = _HASH.fullmatch(reference.partition("@")[2]) and not prompt.stale
            kept = _Kept(prompt, None, math.inf if for_ever else time.monotonic() + self._ttl)
        self._kept[reference] = kept
        return kept

    def _read(self, reference: str) -> Prompt:
        """Raises UnknownPrompt, EnvironmentFailure or ConflictError."""
        name, at, selector = reference.partition("@")
        with storage_errors(self._path):
            # Before the database, which is written first: so what is here is there, if this machine promoted it.
            mirrored = self._mirror.event_names(name) if is_prompt_name(name) else []
            if not self._path.is_file():
                what = "has a text mirror and no database" if self._mirror.prompts() else "is not there"
                raise EnvironmentFailure(f"the prompt store {self._path.parent} {what}", hint=_BUILD)
            database = Database.reading(self._path, timeout=self._timeout)
            try:
                with database.snapshot():
                    return self._found(database, mirrored, name, selector if at else PRODUCTION)
            finally:
                database.close()

    def _found(self, database: Database, mirrored: list[str], name: str, selector: str) -> Prompt:
        if database.pending():
            raise EnvironmentFailure(f"{self._path} is not complete", hint=_BUILD)
        events = database.events(name)
        ahead = bool(set(mirrored) - {event.file_name for event in events})
        labels, numbers = database.labels(name), database.hashes(name)
        try:
            if not events:
                raise InputError(f"no prompt {name!r} in the store", hint=suggest(name, database.prompts()))
            tagged = select(name, selector, labels, numbers)
        except InputError as error:
            if ahead:
                raise EnvironmentFailure(_ahead(name), hint=_BUILD) from None
            raise UnknownPrompt(f"{error.message}; {error.hint}" if error.hint else error.message) from None
        label = selector if selector in labels else None
        version = database.version(name, tagged)
        return Prompt(
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
    return f"the text mirror of {name} has events that the database has not, as after a `git pull`"


@lru_cache(maxsize=256)
def _engine(name: str, content: str) -> Engine:
    from promptbench.prompts.prompt import Prompt as Engine

    return Engine.of_content(name, json.loads(content))


def _fallback(reference: str, given: str | Sequence[Mapping[str, str]]) -> Prompt:
    from promptbench.prompts.prompt import ENGINE, HISTORY
    from promptbench.text.templates import is_name

    turns = [{"role": "user", "content": given}] if isinstance(given, str) else [dict(turn) for turn in given]
    if not turns or any(turn.get("role") not in _ROLES or not isinstance(turn.get("content"), str) for turn in turns):
        raise ValueError("a fallback is a text, or messages with a role (system, user, assistant) and a content")
    content = {
        "engine": ENGINE,
        "messages": turns,
        "config": {},
        "input": {"schema": None, "default": {}},
        "output": {"schema": None},
    }
    name = reference.partition("@")[0]
    prompt = Prompt(name, None, None, None, (), json.dumps(content, ensure_ascii=False), is_fallback=True)
    # A fallback that is no prompt should be found on the first day, not in the first outage.
    for variable in _engine(name, prompt.content).variables:
        if variable == HISTORY or not is_name(variable):
            raise ValueError(f"{{{{{variable}}}}} is not supported in a fallback")
    return prompt


_clients: weakref.WeakSet[PromptClient] = weakref.WeakSet()


def _after_fork() -> None:
    """Another thread may have held a lock in the parent, and that thread is not in the child."""
    for client in _clients:
        client._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

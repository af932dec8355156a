"""Keep secrets of the environment out of everything that is written."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from promptbench.core.types import Answer, Json, Step

# Ends so; `max_tokens` and `json_keys` are none.
_SECRET_NAME = re.compile(r"(?:^|[_-])(?:key|token|secret|password|authorization|cookie)$", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_LOOKS_SECRET = re.compile(
    r"(?<=://)[^/@\s\"']+(?=@)"  # user and password in an address
    r"|(?<![\w-])(?:sk|pk|gsk|ghp|hf|xai)[-_](?=[\w-]*\d)[\w-]{12,}"  # keys, as the large providers make them
    r"|(?<=\bBearer )(?!\$\{)[^\s\"']{8,}"
)
_MARKS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_SHORTEST = 8  # A shorter value is a word that stands in harmless texts too.


def without_secrets(table: Mapping[str, Json]) -> dict[str, Json]:
    """Return a table without the entries, at any depth, that have secret names; `api_key_env` is not secret."""
    return {
        name: without_secrets(value) if isinstance(value, dict) else value
        for name, value in table.items()
        if not _SECRET_NAME.search(name)
    }


def is_secret_name(name: str) -> bool:
    """Return whether an entry of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def variables(table: Json) -> Iterator[str]:
    """Yield the environment variables from which settings take secrets: `api_key_env` keys and `${NAME}` in texts."""
    match table:
        case str():
            yield from _PLACEHOLDER.findall(table)
        case list():
            for item in table:
                yield from variables(item)
        case dict():
            for name, item in table.items():
                if name.endswith("_env") and isinstance(item, str):
                    yield item
                yield from variables(item)


def hide(text: str) -> str:
    """Return `text` with everything shaped like a key masked, so that an error message never repeats one."""
    return _LOOKS_SECRET.sub("***", text)


# The names of variables by their values: the secrets of the projects that this process has opened.
_REMEMBERED: dict[str, str] = {}


class Secrets:
    """The values of all environment variables with secret names, and of those in `named`.

    `redact` returns a text without what else must not be written.
    """

    def __init__(
        self, environ: Mapping[str, str], named: Iterable[str] = (), redact: Callable[[str], str] = str
    ) -> None:
        self._redact = redact
        self.redacts = redact is not str
        also = set(named)
        found = _REMEMBERED | {
            value: name
            for name, value in environ.items()
            if len(value) >= _SHORTEST and (name in also or any(mark in name.upper() for mark in _MARKS))
        }
        # The longest first, because one may be the beginning of another.
        self._names = dict(sorted(found.items(), key=lambda item: -len(item[0])))

    def remember(self) -> None:
        """Mask these from now on wherever secrets are masked, also those that only a project's files name."""
        _REMEMBERED.update(self._names)

    def mask(self, text: str) -> str:
        """Return `text` with each secret replaced by the name of its variable."""
        for value, name in self._names.items():
            if value in text:
                text = text.replace(value, f"<{name}>")
        return self._redact(text)

    def mask_answer(self, answer: Answer) -> Answer:
        """Return an answer without secrets; the same object if it contains none."""
        said = {name: getattr(answer, name) for name in ("text", "model", "finish_reason", "reasoning")}
        masked = {name: self.mask(text) for name, text in said.items() if text}
        changed: dict[str, Any] = {name: text for name, text in masked.items() if text != said[name]}
        calls = tuple(replace(call, arguments=self.mask(call.arguments)) for call in answer.calls)
        changed |= {"calls": calls} if calls != answer.calls else {}
        # A turn repeats all of it, signed as it was.
        return replace(answer, **changed, turn=None) if changed else answer

    def mask_step(self, step: Step) -> Step:
        """Return a step without secrets in its answer and its results."""
        return replace(step, answer=self.mask_answer(step.answer), results=tuple(map(self.mask, step.results)))

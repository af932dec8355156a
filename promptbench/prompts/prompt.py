"""A prompt: messages with placeholders, parameters, schemas, and the hash of all of these.

Roles come from the source only. Each message is rendered on its own and values are inserted as text, so a value can
neither add a message nor change a role.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from promptbench.core.canonical import digest
from promptbench.core.errors import Location
from promptbench.core.files import FileValue, files_in
from promptbench.core.types import Json, Message, Role
from promptbench.text.templates import Block, MediaTag, Part, Scope, all_tags, fill, lookup, outer_names, split_blocks

ENGINE = "promptbench/1"
# Of prompts with blocks, and of those with tools, so that a version of promptbench without them refuses such a prompt.
ENGINE_WITH_BLOCKS = "promptbench/2"
ENGINE_WITH_TOOLS = "promptbench/3"
# Of prompts with `{{media …}}`.
ENGINE_WITH_FILES = "promptbench/4"
HISTORY = "history"


class MissingVariable(KeyError):
    """A placeholder without a value."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class WrongVariables(ValueError):
    """Placeholders without a value, and values without a placeholder; the message names all of them."""

    def __init__(self, missing: Sequence[str], unused: Sequence[str], known: Sequence[str]) -> None:
        parts = [f"no value for {_listed(missing)}"] if missing else []
        if unused:
            parts.append(f"no placeholder for {_listed(unused)}")
        takes = f"it takes {_listed(known)}" if known else "it takes none"
        super().__init__("; ".join([*parts, takes]))
        self.missing = tuple(missing)
        self.unused = tuple(unused)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


@dataclass(frozen=True, slots=True)
class Template:
    """One message: its role, its canonical text, and the same text split at its placeholders and blocks."""

    role: Role
    source: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class HistoryPlace:
    """The position of a case's conversation: `{{history}}`."""


@dataclass(frozen=True)
class Prompt:
    """A parsed prompt. `name` is the store's name; `file` and `source` are where it came from."""

    name: str
    file: str
    source: str
    messages: tuple[Template | HistoryPlace, ...]
    config: Mapping[str, Json]
    input_schema: Mapping[str, Json] | None
    output_schema: Mapping[str, Json] | None
    defaults: Mapping[str, Json]
    tools: tuple[Mapping[str, Json], ...] = ()  # `name`, `description` and `inputSchema`, a JSON Schema
    # Where each word of the config is written.
    locations: Mapping[str, Location] = field(default_factory=dict, compare=False)

    @classmethod
    def of_content(cls, name: str, content: Mapping[str, Json]) -> Prompt:
        """Return the prompt with this `content`, without a file and without parsing YAML."""
        messages = (
            HistoryPlace()
            if item.get("history")
            else Template(item["role"], item["content"], tuple(split_blocks(item["content"], layout=False)))
            for item in content["messages"]
        )
        return cls(
            name=name,
            file="",
            source="",
            messages=tuple(messages),
            config=content["config"],
            input_schema=content["input"]["schema"],
            output_schema=content["output"]["schema"],
            defaults=content["input"]["default"],
            tools=tuple(content.get("tools", ())),
        )

    @cached_property
    def content(self) -> dict[str, Json]:
        """Return everything that affects an answer, as plain data: the input of the hash."""
        engine = ENGINE_WITH_BLOCKS if self.has_blocks else ENGINE
        return {
            "engine": ENGINE_WITH_FILES if self.file_names else ENGINE_WITH_TOOLS if self.tools else engine,
            "messages": [
                {"role": item.role, "content": item.source} if isinstance(item, Template) else {"history": True}
                for item in self.messages
            ],
            "config": dict(self.config),
            "input": {"schema": self.input_schema, "default": dict(self.defaults)},
            "output": {"schema": self.output_schema},
            **({"tools": [dict(tool) for tool in self.tools]} if self.tools else {}),
        }

    @cached_property
    def hash(self) -> str:
        """Return `sha256:…` of the content, the version's identity."""
        return digest(self.content)

    @cached_property
    def variables(self) -> frozenset[str]:
        """Return the names of all variables in placeholders and blocks, dots included."""
        return frozenset(name for item in self.templates for name in outer_names(item.parts))

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """Return the messages that the prompt itself has, without `{{history}}`."""
        return tuple(item for item in self.messages if isinstance(item, Template))

    @cached_property
    def has_blocks(self) -> bool:
        return any(isinstance(part, Block) for item in self.templates for part in item.parts)

    @cached_property
    def file_names(self) -> frozenset[str]:
        """Return the names in `{{media url=…}}`."""
        return frozenset(
            tag.body for item in self.templates for tag, _ in all_tags(item.parts) if isinstance(tag, MediaTag)
        )

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Return the prompts that are sent: this one. A chain has one for each step with a prompt."""
        return (self,)

    @property
    def takes_history(self) -> bool:
        return any(isinstance(item, HistoryPlace) for item in self.messages)

    def missing(self, variables: Mapping[str, Json]) -> list[str]:
        """Return the placeholders without a value, sorted. Those in a branch that is not taken need none.

        A file is not a value of a placeholder for text, and only a file is one of `{{media …}}`.
        """
        if self.has_blocks or self.file_names:
            found: list[str] = []
            for item in self.templates:
                fill(item.parts, Scope((variables, self.defaults)), found)
            return sorted(set(found))
        return sorted(name for name in self.variables if not _has(name, variables) and not _has(name, self.defaults))

    def unused(self, variables: Mapping[str, Json]) -> list[str]:
        """Return the values without a placeholder, sorted."""
        return sorted(name for name in variables if name not in self._roots)

    @cached_property
    def _roots(self) -> frozenset[str]:
        # `{{a.b}}` takes a value `a` with a field `b`, or a value named `a.b`.
        return self.variables | {name.split(".")[0] for name in self.variables}

    def check_variables(self, variables: Mapping[str, Json]) -> None:
        """Raise WrongVariables unless every placeholder has a value and every value a placeholder."""
        missing, unused = self.missing(variables), self.unused(variables)
        if missing or unused:
            raise WrongVariables(missing, unused, sorted(self.variables))

    def render(self, variables: Mapping[str, Json], history: Sequence[Message] = ()) -> tuple[Message, ...]:
        """Return the messages for one case. Raise MissingVariable if a placeholder has no value."""
        messages: list[Message] = []
        scope = Scope((variables, self.defaults))
        for item in self.messages:
            if isinstance(item, HistoryPlace):
                messages.extend(history)
                continue
            try:
                filled = fill(item.parts, scope)
            except KeyError as error:
                raise MissingVariable(error.args[0]) from None
            if any(isinstance(part, FileValue) for part in filled):
                messages.append(Message.of_parts(item.role, filled))
                continue
            text = "".join(map(str, filled))
            # White space around a message is layout, which the parser cannot remove inside of a block.
            text = text.lstrip() if isinstance(item.parts[0], Block) else text
            text = text.rstrip() if isinstance(item.parts[-1], Block) else text
            messages.append(Message(item.role, text))
        return tuple(messages)


def _has(name: str, variables: Mapping[str, Json]) -> bool:
    """Return True if there is a value that can be text."""
    try:
        return not files_in(lookup(name, variables))
    except KeyError:
        return False

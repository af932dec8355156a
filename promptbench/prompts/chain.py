"""A chain: steps in order, each a prompt or a model of its own, with one text and one hash for all of them.

The text of a chain is self-contained YAML. It holds every prompt and every pinned file in full, so that a version can
be read as a diff, is served by one read, and runs again when the files next to the suite have changed:

    chain: routing
    steps:
      - step: candidates
        model: python/retriever.py:top5
        files:
          - {file: retriever.py, sha256: …, text: …}
      - step: choose
        prompt: choose
        text: …
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from promptbench.core.errors import Code, Diagnostics
from promptbench.core.files import NOTHING_PINNED, Pinned, PinnedFile, is_inside
from promptbench.core.types import Json, Message
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.prompt import MissingVariable, Prompt
from promptbench.yaml.marked import YamlDocument, parse
from promptbench.yaml.source import Source
from promptbench.yaml.text import mapping_lines

ENGINE_OF_CHAINS = "promptbench/5"
STEPS = "steps"  # The variable with the outputs of the steps so far, by name.
_VERSION = "unverified version"  # What a service reports about itself.
_HEAD = re.compile(r"chain: .+\nsteps:\n")


@dataclass(frozen=True, slots=True)
class ChainStep:
    """A step: a `prompt` for the models of the suite, or a `model` of its own that gets the variables.

    `pinned` are the files of that model, or the version that it reports.
    """

    name: str
    prompt: Prompt | None = None
    model: str | None = None
    pinned: Pinned = NOTHING_PINNED

    @property
    def content(self) -> dict[str, Json]:
        """Return what decides the outputs of the step, as plain data."""
        if self.prompt is not None:
            return {"step": self.name, "prompt": self.prompt.content}
        files = {path: f"sha256:{file.sha256}" for path, file in self.pinned.files.items()}
        return {"step": self.name, "model": self.model, "files": files, **self._version}

    def written(self) -> dict[str, Json]:
        """Return the step as the text of its chain has it."""
        if self.prompt is not None:
            return {"step": self.name, "prompt": self.prompt.name, "text": self.prompt.source}
        files = [
            {"file": path, "sha256": file.sha256, **({} if file.text is None else {"text": file.text})}
            for path, file in sorted(self.pinned.files.items())
        ]
        return {"step": self.name, "model": self.model, **self._version, **({"files": files} if files else {})}

    @property
    def _version(self) -> dict[str, Json]:
        return {_VERSION: self.pinned.version} if self.pinned.version else {}


@dataclass(frozen=True)
class Chain(Prompt):
    """A version of a chain. It stands wherever a prompt does: it has a name, a hash, a source and variables.

    `prompts` are those of its steps. `messages` are the messages of all of them, `output_schema` is that of the last.
    The outputs of steps, `{{steps.NAME}}`, are not among its `variables`.
    """

    steps: tuple[ChainStep, ...] = ()

    @classmethod
    def of(cls, name: str, steps: Iterable[ChainStep], file: str = "") -> Chain:
        """Return the chain of these steps. `file` is the suite that has them, if one has."""
        steps = tuple(steps)
        prompts = [step.prompt for step in steps if step.prompt is not None]
        return cls(
            name=name,
            file=file,
            source="\n".join(mapping_lines({"chain": name, STEPS: [step.written() for step in steps]}, 0)) + "\n",
            messages=tuple(message for prompt in prompts for message in prompt.messages),
            config={},
            input_schema=None,
            output_schema=steps[-1].prompt.output_schema if steps[-1].prompt else None,
            defaults={key: value for prompt in reversed(prompts) for key, value in prompt.defaults.items()},
            tools=(),
            steps=steps,
        )

    @classmethod
    def parse(cls, source: Source, found: Diagnostics) -> Chain | None:
        """Return the chain in a text that `Chain.source` has. Add problems to `found` and return None if invalid."""
        before, document = len(found.errors), parse(source, found)
        if document is None:
            return None
        try:
            steps = [_read_step(document, index, item, found) for index, item in enumerate(document.value[STEPS])]
            chain = cls.of(document.value["chain"], steps, source.path)
        except (KeyError, TypeError, AttributeError, IndexError):
            found.add(Code.PROMPT_SYNTAX, "this is not the text of a chain", document.location())
            return None
        return chain if len(found.errors) == before else None

    @cached_property
    def content(self) -> dict[str, Json]:
        """Return what decides the answers, as plain data: each step's name, and its prompt or the files' hashes."""
        return {"engine": ENGINE_OF_CHAINS, STEPS: [step.content for step in self.steps]}

    @cached_property
    def variables(self) -> frozenset[str]:
        """Return the names of the variables that a case must have, dots included."""
        return frozenset(name for item in self.prompts for name in item.variables if not is_output(name))

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return tuple(step.prompt for step in self.steps if step.prompt is not None)

    def render(self, variables: Mapping[str, Json], history: Sequence[Message] = ()) -> tuple[Message, ...]:
        """Return the messages of all steps, for people: answers of steps have their names."""
        return tuple(message for it in self.prompts for message in render_unfilled(it, variables, history))

    def missing(self, variables: Mapping[str, Json]) -> list[str]:
        """Return the placeholders without a value, sorted; outputs of steps are no values of a case."""
        names = {name for prompt in self.prompts for name in prompt.missing(variables)}
        return sorted(name for name in names if not is_output(name))

    def unused(self, variables: Mapping[str, Json]) -> list[str]:
        """Return the values that no step uses, sorted. A step with a model gets all of them."""
        unused = [set(step.prompt.unused(variables)) if step.prompt else set[str]() for step in self.steps]
        return sorted(set.intersection(*unused))


def render_unfilled(prompt: Prompt, variables: Mapping[str, Json], history: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages of a step with the names of steps' answers as they are written, and no item of lists."""
    stand_ins: dict[str, Json] = {name: f"{{{{{name}}}}}" for name in prompt.variables if is_output(name)}
    while True:
        try:
            return prompt.render({**variables, **stand_ins}, history)
        except MissingVariable as error:
            name = error.name.removesuffix(".0")
            if not stand_ins.get(name):
                raise
            stand_ins[name] = []


def is_output(name: str) -> bool:
    """Return whether the name in a placeholder is that of a step's output: `steps.NAME` or `steps.NAME.field`."""
    return name.split(".", maxsplit=1)[0] == STEPS


def unverified(content: Mapping[str, Json]) -> str:
    """Return ` (2.1.0, unverified)` for content with versions that services report about themselves, else nothing."""
    reported = [step[_VERSION] for step in content.get(STEPS, ()) if _VERSION in step]
    return f" ({', '.join(reported)}, unverified)" if reported else ""


def is_chain(text: str) -> bool:
    """Return whether a stored text is that of a chain and not of a prompt."""
    return _HEAD.match(text) is not None


def parse_version(source: Source, found: Diagnostics) -> Prompt | None:
    """Return the prompt or the chain of a stored text. Add problems to `found` and return None if there are errors."""
    return Chain.parse(source, found) if is_chain(source.text) else parse_prompt(source, found)


def _read_step(document: YamlDocument, index: int, item: Mapping[str, Json], found: Diagnostics) -> ChainStep:
    name = item["step"]
    if "text" in item:
        return ChainStep(name, parse_prompt(Source(f"{item['prompt']}.prompt", item["text"]), found))
    files = {}
    for at, file in enumerate(item.get("files", ())):
        path, hashed = file["file"], PinnedFile(file["sha256"])
        files[path] = PinnedFile.of(file["text"]) if "text" in file else hashed
        if files[path].sha256 != hashed.sha256:
            where = document.location((STEPS, index, "files", at, "sha256"))
            found.add(Code.BAD_VALUE, f"{path} was changed: its text has another hash", where)
        if not is_inside(path):
            where = document.location((STEPS, index, "files", at, "file"))
            found.add(Code.BAD_VALUE, f"'{path}' is not a path below the suite's folder", where)
    return ChainStep(name, None, item["model"], Pinned(files, item.get(_VERSION)))

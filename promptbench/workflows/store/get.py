"""Get a stored version with its label, the models that it was proven on, and its messages."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from promptbench.core.canonical import short
from promptbench.core.errors import InputError
from promptbench.core.types import Json, Message, ModelRef, ProviderFailure, Request
from promptbench.project import Project, rejudge, stored_prompt
from promptbench.prompts.chain import Chain, unverified
from promptbench.prompts.prompt import HISTORY, HistoryPlace, Prompt, Template, WrongVariables
from promptbench.store.chain import LabelEvent, Version
from promptbench.store.proof import NotProven, ProvenModel
from promptbench.text.templates import Tag, all_tags, render_value

# The providers whose request body a prompt can be printed as: those with a `request_body`.
BODIES = ("openai", "anthropic")
_LANGCHAIN = {"system": "System", "user": "Human", "assistant": "AI"}


@dataclass(frozen=True, slots=True)
class FetchedPrompt:
    """A stored version. `label` is the label in the reference, None for a number or a hash."""

    version: Version
    label: str | None
    models: tuple[ProvenModel, ...]
    prompt: Prompt

    def messages(self, variables: Mapping[str, Json]) -> tuple[Message, ...]:
        """Return the messages with all values inserted.

        Raise InputError for missing or unknown variables, and for a chain, whose steps are sent one after the other.
        """
        if isinstance(self.prompt, Chain):
            hint = f"`promptbench get {self.prompt.name}` prints its steps, `PromptClient.get_chain` reads them"
            raise InputError(f"{self.version.prompt} is a chain: each step has messages of its own", hint=hint)
        try:
            self.prompt.check_variables(variables)
        except WrongVariables as error:
            named = f"{self.version.prompt}@{self.version.number}"
            raise InputError(f"{named}: {error}", hint="write each as --var NAME=TEXT or --var NAME=@FILE") from None
        return self.prompt.render(variables)

    def body(self, api: str, variables: Mapping[str, Json], *, model: str | None = None) -> dict[str, Json]:
        """Return the request body for one of `BODIES`, with the output schema; `model` is its name there, or left out.

        Raises:
            InputError: the API does not accept the prompt's parameters.
        """
        from promptbench.providers import provider_spec

        named = ModelRef(api, model or "…")
        messages = self.messages(variables)
        prompt = self.prompt
        request = Request(named, messages, prompt.config, prompt.output_schema, {}, 0, tools=prompt.tools)
        try:
            build = provider_spec(api).request_body
            assert build is not None
            body = build(request)
        except ProviderFailure as error:
            raise InputError(error.message if model else error.message.replace(str(named), api)) from None
        return body if model else {word: value for word, value in body.items() if word != "model"}

    def langchain(self, variables: Mapping[str, Json]) -> dict[str, Json]:
        """Return LangChain's `ChatPromptTemplate` as `langchain_core.load` reads it, with its messages if given values.

        Its `metadata` has the version, config, tools and output schema, which no template holds.

        Raises:
            InputError: LangChain's templates cannot hold the prompt, as with blocks and files.
        """
        rendered = self.messages(variables) if variables or isinstance(self.prompt, Chain) else ()
        prompt, version = self.prompt, self.version
        dotted = any("." in tag.body for item in prompt.templates for tag, _ in all_tags(item.parts))
        if prompt.file_names or (not variables and (prompt.has_blocks or dotted)):
            raise InputError(
                f"{version.prompt}@{version.number} cannot be a template of LangChain, "
                "which has no blocks, files or names with dots",
                hint="give all values with --var; --format openai takes files",
            )
        turns = [
            _langchain("schema", "messages", f"{_LANGCHAIN[item.role]}Message", content=item.content)
            for item in rendered
        ]
        return _langchain(
            "prompts",
            "chat",
            "ChatPromptTemplate",
            partial_variables={} if turns else {name: render_value(it) for name, it in prompt.defaults.items()},
            messages=turns or [_template(item) for item in prompt.messages],
            metadata={
                "prompt": version.prompt,
                "version": version.number,
                "hash": version.hash,
                "config": prompt.config,
                # In the forms that LangChain's `bind_tools` and `with_structured_output` take.
                "tools": [
                    {"name": tool["name"], "description": tool["description"], "parameters": tool["inputSchema"]}
                    for tool in prompt.tools
                ],
                "output_schema": prompt.output_schema and {"title": version.prompt, **prompt.output_schema},
            },
        )

    def as_dict(self) -> dict[str, Json]:
        """Return everything as plain data."""
        fields = ("prompt", "number", "hash", "created", "source", "content")
        return {
            **{name: getattr(self.version, name) for name in fields},
            "label": self.label,
            "models": [{"model": item.model, "returned": list(item.returned)} for item in self.models],
        }


def _langchain(*path: str, **kwargs: Json) -> dict[str, Json]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", *path], "kwargs": kwargs}


def _template(item: Template | HistoryPlace) -> dict[str, Json]:
    """Return a message as LangChain's template, whose placeholders have single braces."""
    if isinstance(item, HistoryPlace):
        return _langchain("prompts", "chat", "MessagesPlaceholder", variable_name=HISTORY, optional=True)
    parts = (
        f"{{{part.body}}}" if isinstance(part, Tag) else str(part).replace("{", "{{").replace("}", "}}")
        for part in item.parts
    )
    inner = _langchain("prompts", "prompt", "PromptTemplate", template="".join(parts), template_format="f-string")
    return _langchain("prompts", "chat", f"{_LANGCHAIN[item.role]}MessagePromptTemplate", prompt=inner)


def fetch(project: Project, reference: str) -> FetchedPrompt:
    """Return the version for a reference. Raise InputError if it is not found."""
    with project.prompts() as store:
        version, label, models = store.fetch(reference)
    # From the source: the content has its keys sorted, and models answer in the order of a schema's.
    return FetchedPrompt(version, label, models, stored_prompt(version.source))


def judge_evidence(project: Project, reference: str) -> tuple[str, dict[str, Json] | None, list[str]]:
    """Judge the evidence of a version again. Return the version's name, its evidence, and how the verdict differs.

    The evidence is None if the version was adopted or forced.
    """
    with project.prompts() as store:
        version = store.get(reference)
        events = store.history(version.prompt)
        proofs = [event.evidence for event in events if event.to_hash == version.hash and event.evidence]
        proof = store.evidence(proofs[-1]) if proofs else None
    name = f"{version.prompt}@{version.number}"
    try:
        return name, proof, rejudge(proof) if proof else []
    except ValueError as error:
        raise NotProven(f"{name}: {error}") from None


def describe_events(events: Iterable[LabelEvent], versions: Iterable[Version]) -> Iterator[list[str]]:
    """Yield the lines about each event of a prompt with these versions."""
    numbers = {item.hash: f"{item.number}{unverified(item.content)}" for item in versions}
    return (list(_describe(event, numbers)) for event in events)


def _describe(event: LabelEvent, numbers: Mapping[str, str]) -> Iterator[str]:
    origin = event.origin
    kind, label = origin.kind.replace("_", " "), origin.label or "all labels"
    if event.merged:
        renumbered = f" is @{event.to_number}" if event.to_number != origin.to_number else ""
        version = f"@{origin.to_number} of another branch{renumbered}" if event.to_number else "another branch"
        done = f"merged: {version}, there {kind} {label}, by {origin.actor}"
    else:
        before = f"@{numbers[event.from_hash]} → " if event.from_hash else ""
        after = f"@{numbers[event.to_hash]}" if event.to_hash else "nothing"
        done = f"{kind}  {label}: {before}{after}  by {event.actor}"
    yield f"{event.at[:19]}Z  {done}"
    if event.reason:
        yield f"  reason: {event.reason}"
    if event.evidence:
        yield f"  evidence: {short(event.evidence)}"

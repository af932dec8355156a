"""The parameters of a call, as the `config` of a prompt or of a suite's model has them, in words for all providers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from promptbench.core.errors import Code, Diagnostics, Location, suggest
from promptbench.core.types import Json

# Fields of the request's body that have no word here, passed on as they are.
EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class ConfigWord:
    """What a word takes: a JSON Schema, the same in a phrase, and what it is for, with an example."""

    schema: Mapping[str, Json]
    wanted: str
    meaning: str
    example: Json

    def described(self) -> dict[str, Json]:
        """Return the schema for editors."""
        return {**self.schema, "description": self.meaning, "examples": [self.example]}


_NUMBER = ({"type": "number", "minimum": 0}, "a number of at least 0")
_COUNT = ({"type": "integer", "minimum": 1}, "a whole number above 0")
_TEXT = ({"type": "string", "minLength": 1}, "a text, such as low")
_TEXTS = ({"type": "array", "items": {"type": "string"}}, "a list of texts")
_FIELDS = ({"type": "object"}, "'name: value' lines, the fields of the request's body")
_BUDGET = ({"type": "integer", "minimum": 0}, "a whole number of at least 0")
CONFIG: Mapping[str, ConfigWord] = {
    "temperature": ConfigWord(*_NUMBER, "How random the answers are; with 0 hardly.", 0),
    "maxOutputTokens": ConfigWord(*_COUNT, "The most tokens of an answer, with what the model thinks.", 800),
    "topP": ConfigWord(*_NUMBER, "Sample from the most likely tokens with this share of the probability.", 0.9),
    "topK": ConfigWord(*_COUNT, "Sample from this many of the most likely tokens.", 40),
    "stopSequences": ConfigWord(*_TEXTS, "Texts at which an answer ends.", ["END"]),
    "seed": ConfigWord({"type": "integer"}, "a whole number", "The start of the random numbers.", 7),
    "reasoningEffort": ConfigWord(*_TEXT, "How much the model thinks, in the provider's words.", "high"),
    "verbosity": ConfigWord(*_TEXT, "How long the answers are, in the provider's words.", "low"),
    "thinkingBudget": ConfigWord(*_BUDGET, "The most tokens that the model thinks; with 0 it does not.", 2048),
    "toolChoice": ConfigWord(
        *_TEXT, "Whether the model calls tools: auto, required, none, or one by its name.", "auto"
    ),
    EXTRA: ConfigWord(*_FIELDS, "Fields of the request's body, sent as they are.", {"service_tier": "flex"}),
}
_OTHER_NAMES = {"maxTokens": "maxOutputTokens", "stop": "stopSequences"}


def config_word(written: str) -> str:
    """Return the word for a key as written: `reasoning effort`, `reasoning_effort` and `reasoningEffort` are one."""
    first, *rest = re.split(r"[ _-]+", written.strip())
    word = first + "".join(part[:1].upper() + part[1:] for part in rest)
    return _OTHER_NAMES.get(word, word)


def spaced(word: str) -> str:
    """Return a word as a suite has it: `reasoning effort` for `reasoningEffort`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word).lower()


def config_schema() -> dict[str, Json]:
    """Return the JSON Schema of a suite's `config`, for editors."""
    return {"type": "object", "properties": {spaced(word): item.described() for word, item in CONFIG.items()}}


def read_config(
    written: Mapping[str, Json],
    locate: Callable[[str, bool], Location],
    found: Diagnostics,
    *,
    over: bool = False,
) -> tuple[dict[str, Json], dict[str, Location]]:
    """Return a written `config`, and where its keys are, by word. Problems are added to `found`.

    `locate` returns where a key (True) or its value (False) is written. `over` is True for a config that is laid over
    another one: there, nothing after the colon takes a value of the other away.
    """
    config: dict[str, Json] = {}
    locations: dict[str, Location] = {}
    for key, value in written.items():
        word = config_word(key)
        if word not in CONFIG:
            known = [spaced(name) for name in CONFIG] if over else list(CONFIG)
            hint = suggest(key, known, f"known here: {', '.join(known)}")
            if over:
                hint += f"; a field of the provider's own belongs under '{EXTRA}:'"
            found.add(Code.UNKNOWN_KEY, f"unknown key '{key}' under 'config'", locate(key, True), hint=hint)
        elif word in config:
            message, hint = f"duplicate key: '{key}' is '{word}', which is there already", "keep one of the two"
            found.add(Code.DUPLICATE_KEY, message, locate(key, True), hint=hint)
        elif not ((over and value is None) or _fits(value, CONFIG[word].schema)):
            found.add(Code.BAD_VALUE, f"'{key}' must be {CONFIG[word].wanted}", locate(key, False))
        else:
            config[word], locations[word] = value, locate(key, True)
    return config, locations


def _fits(value: Json, schema: Mapping[str, Json]) -> bool:
    kinds: dict[str, tuple[type, ...]] = {"number": (int, float), "integer": (int,), "string": (str,), "array": (list,)}
    if isinstance(value, bool) or not isinstance(value, kinds.get(schema["type"], (dict,))):
        return False
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, (int, float)):
        return bool(value >= schema.get("minimum", value))
    return bool(value) or isinstance(value, dict)


def laid_over(config: Mapping[str, Json], over: Mapping[str, Json]) -> dict[str, Json]:
    """Return a config with another one laid over it. None in that takes a value away; fields of `extra` are joined."""
    merged = {**config, **over}
    if config.get(EXTRA) and over.get(EXTRA):
        merged[EXTRA] = {**config[EXTRA], **over[EXTRA]}
    return {word: value for word, value in merged.items() if value is not None}

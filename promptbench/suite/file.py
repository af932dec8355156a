"""The suite file as its author may write it.

Field names with a space in YAML (`should be`, `uses prompt`) have an underscore here. In YAML, spaces, dashes and
underscores are the same. Descriptions and examples are those of the JSON Schema and of the reference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from promptbench.core.types import Json
from promptbench.suite.tool_fields import ToolResultsField


@lru_cache(maxsize=1024)
def field_name(written: str) -> str:
    """Return the field name of a key as written."""
    return "_".join(re.split(r"[ _-]+", written.strip()))


def path_in_file(path: Sequence[str | int], value: Json) -> tuple[str | int, ...]:
    """Return a path of field names as the path of keys in `value`; a single value written for a list has no index."""
    written: list[str | int] = []
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            key = step if step in value else next((key for key in value if field_name(key) == step), step)
            written.append(key)
            value = value.get(key)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            written.append(step)
            value = value[step]
    return tuple(written)


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


def as_list(value: Any) -> Any:
    """Return a value as a list of one, unless it is a list or nothing."""
    return value if isinstance(value, list) or value is None else [value]


def is_case_file(value: Any) -> bool:
    """Return whether an entry of `cases:` names files next to the suite."""
    return isinstance(value, str) and value.lower().endswith(CASE_FILES)


CASE_FILES = (".jsonl", ".csv", ".xlsx", ".yaml", ".yml")


def _share(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value)):
        return float(match[1]) / 100
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _margin(value: Any) -> Any:
    share = _share(value)
    if share != "auto" and not (isinstance(share, float) and 0.001 <= share < 1):
        message = "write auto, or a share from 0.1% to below 100%, such as 5%"
        raise PydanticCustomError("margin", "{message}", {"message": message})
    return share


def _tag_margin(value: Any) -> Any:
    if value == "auto":
        raise PydanticCustomError("margin", "a tag's margin cannot be auto; write a share such as 5%")
    return _margin(value)


def _ratio(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise PydanticCustomError("ratio", "write a ratio to production, such as 1.2")
    return float(value)


def _not_empty(value: TagFile) -> TagFile:
    if value.floor is None and value.margin is None:
        raise PydanticCustomError("tag", "write a floor or a margin below it")
    return value


def _days(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*(day|hour)s?\s*", value)):
        return int(match[1]) / (1 if match[2] == "day" else 24)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def dollars(value: Any) -> Any:
    """Parse `$2` or `2.50`. Return None for a text that is not an amount, and other values unchanged."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*\$?\s*(\d+(?:\.\d+)?)\s*", value)
        return float(match[1]) if match else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _one_check(item: dict[str, Any]) -> dict[str, Any]:
    names = [key for key in item if field_name(key) not in CHECK_OPTIONS]
    if len(names) != 1:
        *options, last = (f"'{name}'" for name in CHECK_OPTIONS)
        message = f"write one check per '- ' line; {', '.join(options)} and {last} may be added to it"
        raise PydanticCustomError("one_check", "{message}", {"message": message})
    reading, weight, at = (option_of(item, name) for name in CHECK_OPTIONS)
    if at is not None and (isinstance(at, bool) or not isinstance(at, (str, int)) or not str(at).strip()):
        raise PydanticCustomError("at", "'at' must be a path in the answer, such as order.items[0].sku")
    if reading not in READINGS:
        raise PydanticCustomError("reading", "'reading' must be 'strict' or 'loose'")
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
        raise PydanticCustomError("weight", "'weight' must be a number of at least 0")
    return item


def option_of(item: dict[str, Any], name: str) -> Any:
    """Return an option that every check has, or its default."""
    return next((value for key, value in item.items() if field_name(key) == name), CHECK_OPTIONS[name])


READINGS = (None, "strict", "loose")
# The options of every check, with their defaults.
CHECK_OPTIONS: dict[str, Any] = {"reading": None, "weight": 1.0, "at": None}


def _day(value: Any) -> Any:
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise PydanticCustomError("day", "write a day as year-month-day, such as 2026-12-31")


_PERCENT: dict[str, Json] = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}
_MARGINS: list[Json] = [{"type": "number", "minimum": 0.001, "exclusiveMaximum": 1}, _PERCENT]
_TEXT: Json = {"type": ["string", "number", "boolean"]}
_AMOUNT: dict[str, Json] = {"type": "string", "pattern": r"^\s*\$?\s*\d+(\.\d+)?\s*$"}
_PATHS: dict[str, Json] = {
    "description": "A path, or a list of paths.",
    "anyOf": [_TEXT, {"type": "array", "items": _TEXT}],
}
_DURATION: dict[str, Json] = {"type": "string", "pattern": r"^\s*\d+\s*(day|hour)s?\s*$"}
MODEL_NAME: dict[str, Json] = {"type": "string", "pattern": "^[^/]+/.+$"}


class Forms:
    """JSON Schema of a value with other forms; `or_list` is that of a list that may be written as its only item."""

    def __init__(self, *others: Json, or_list: bool = False) -> None:
        self._others = others
        self._or_list = or_list

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        own = handler(schema)
        return {"anyOf": [own["items"], own] if self._or_list else [*self._others, own]}


Text = Annotated[str, BeforeValidator(_as_text), Field(min_length=1), WithJsonSchema(_TEXT)]
Share = Annotated[
    float,
    BeforeValidator(_share),
    Field(ge=0, le=1),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _PERCENT]}),
]
Margin = Annotated[
    Literal["auto"] | float, BeforeValidator(_margin), WithJsonSchema({"anyOf": [{"const": "auto"}, *_MARGINS]})
]
TagMargin = Annotated[float, BeforeValidator(_tag_margin), WithJsonSchema({"anyOf": [*_MARGINS]})]
Ratio = Annotated[float, BeforeValidator(_ratio), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Dollars = Annotated[
    float,
    BeforeValidator(lambda value: value if dollars(value) is None else dollars(value)),
    Field(ge=0),
    WithJsonSchema({"anyOf": [_AMOUNT, {"type": "number", "minimum": 0}]}),
]
Days = Annotated[
    float,
    BeforeValidator(_days),
    Field(gt=0),
    WithJsonSchema({"anyOf": [_DURATION, {"type": "number", "exclusiveMinimum": 0}]}),
]
Day = Annotated[str, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
CheckItem = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: {value: None} if isinstance(value, str) else value),
    AfterValidator(_one_check),
]
# The schema of checks comes from the checks themselves: see `suite_schema`.
Checks = Annotated[list[CheckItem], BeforeValidator(as_list), WithJsonSchema({})]
AllChecks = Annotated[
    Checks, Field(description="What every answer must satisfy.", examples=[["json", {"not contains": "sorry"}]])
]
Threshold = Annotated[
    Share | None,
    Field(
        description="The weighted mean score that is enough, for example 80%; by default every check must pass.",
        examples=["80%"],
    ),
]
Texts = Annotated[list[Text], BeforeValidator(as_list), Forms(or_list=True)]


def written_keys(kind: type[BaseModel]) -> list[str]:
    """Return the keys of a kind as field names; `as`, a keyword of Python, has another one."""
    return [field.alias or name for name, field in kind.model_fields.items()]


class Written(BaseModel):
    """Base of everything an author writes. Unknown keys are refused; spaces and dashes in keys become underscores."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = written_keys(cls)
        return {key if key in fields or field_name(key) not in fields else field_name(key): data[key] for key in data}


class MessageFile(Written):
    role: Literal["system", "user", "assistant"] = Field(description="Who speaks.", examples=["user"])
    content: Text = Field(description="What is said.", examples=["Where is my parcel?"])


class ChecksFile(Written):
    """Checks on their own, without a suite."""

    checks: Checks


class QuarantineFile(Written):
    """Who looks after an unreliable case, why it is in quarantine, and until when."""

    owner: Text = Field(description="Who looks after the case.", examples=["support"])
    reason: Text = Field(description="Why the case is unreliable.", examples=["the right team is disputed"])
    review_by: Day = Field(
        description="The last day of the quarantine, such as 2026-12-31; after it the gate cannot pass.",
        examples=["2026-12-31"],
    )


class TurnFile(Written):
    """What the user says in a turn of a conversation, and what the answer must be like."""

    user: Text = Field(description="What the user says.", examples=["Where is my parcel?"])
    expect: Any = Field(
        default=None, description="What should come back in this turn, as 'expect' of a case.", examples=["On its way."]
    )
    checks: Checks = Field(
        default_factory=list,
        description="What the answer in this turn must satisfy besides.",
        examples=[[{"contains": "Monday"}]],
    )


class CaseFile(Written):
    case: Text = Field(description="The case's name: what it is about.", examples=["charged twice", "INC-2031"])
    vars: dict[str, Any] = Field(
        default_factory=dict,
        description="The values that the prompt's {{names}} stand for.",
        examples=[{"message": "I was charged twice for March"}],
    )
    files: dict[str, Annotated[Texts, WithJsonSchema(_PATHS)]] = Field(
        default_factory=dict,
        description="Files below the suite's folder as values: a text for {{name}}, an image or PDF for "
        "{{media url=name}}; a list of files for {{#each name}}.",
        examples=[{"invoice": "invoices/march.pdf"}],
    )
    messages: list[MessageFile] = Field(
        default_factory=list,
        description="A conversation, placed where the prompt says {{history}}.",
        examples=[
            [{"role": "user", "content": "Where is my parcel?"}, {"role": "assistant", "content": "On its way."}]
        ],
    )
    turns: list[TurnFile] = Field(
        default_factory=list,
        description="A conversation that the model takes part in: what the user says in each turn, in order, after the "
        "'messages'. Each answer is checked, and part of the next request where the prompt says {{history}}.",
        examples=[[{"user": "Where is my parcel?"}, {"user": "When will it come?", "expect": "On Monday."}]],
    )
    tool_results: ToolResultsField = None
    expect: Any = Field(
        default=None,
        description="What should come back: fields of a JSON answer, or a text.",
        examples=[{"team": "billing"}, "yes"],
    )
    expect_at: dict[str, Any] = Field(
        default_factory=dict,
        description="What should come back from a step of a chain: 'expect at NAME', as 'expect'.",
        examples=[{"candidates": {"intents": ["billing duplicate"]}}],
    )
    was: Annotated[
        str | None,
        BeforeValidator(lambda value: "null" if value is None else _as_text(value)),
        WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
    ] = Field(
        default=None,
        description="The logged answer that was wrong, as text: the case must fail on it.",
        examples=['{"team": "billing",}'],
    )
    should_be: Any = Field(
        default=None, description="An answer that must pass all checks of the case.", examples=['{"team": "delivery"}']
    )
    checks: AllChecks = Field(default_factory=list)
    threshold: Threshold = None
    tags: Texts = Field(
        default_factory=list,
        description="Words to select cases by; 'critical' cases must be correct.",
        examples=[["critical", "captured"]],
    )
    cluster: Text | None = Field(
        default=None,
        description="What it has in common with other cases, such as a conversation: statistics count clusters.",
        examples=["conversation 8812"],
    )
    quarantine: QuarantineFile | None = Field(
        default=None,
        description="Sets an unreliable case apart: it is shown and proves nothing.",
        examples=[{"owner": "support", "reason": "the right team is disputed", "review by": "2026-12-31"}],
    )
    repeats: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None,
        description="How often this case is called at first, if more often than the gate's 'repeats'.",
        examples=[10],
    )
    only_models: Texts = Field(
        default_factory=list,
        description="The models of the suite that the case is for; by default all.",
        examples=[["openai/gpt-5.4-mini"]],
    )
    skip: Text | None = Field(
        default=None,
        description="Why the case is not called. It is listed, and proves nothing.",
        examples=["the price list changes in March"],
    )
    origin: Any = Field(default=None, description="Where the case came from.", examples=[{"ticket": 2031}])
    note: Text | None = Field(
        default=None,
        description="Anything the next reader of the case should know.",
        examples=["the customer wrote in a hurry"],
    )

    @model_validator(mode="before")
    @classmethod
    def _expected_at_steps(cls, data: Any) -> Any:
        at = {key: step for key in data if (step := expected_step(key))} if isinstance(data, dict) else {}
        if not at:
            return data
        return {key: data[key] for key in data if key not in at} | {"expect_at": {at[key]: data[key] for key in at}}


def expected_step(key: str) -> str | None:
    """Return NAME of the key `expect at NAME` of a case, None for every other key."""
    match = re.fullmatch(r"expect[ _-]+at[ _-]+(?P<step>\S.*)", key)
    return match and match["step"]


class TagFile(Written):
    """What the gate requires of the cases with a tag."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    floor: Share | None = Field(
        default=None,
        description="The minimum share of correct answers to the cases with this tag, for example 90%.",
        examples=["90%"],
    )
    margin: TagMargin | None = Field(
        default=None,
        description="How much of what passes now may be lost, such as 5%; 'auto' requires that nothing breaks.",
        examples=["5%"],
    )


class GateFile(Written):
    margin: Margin = Field(
        default="auto",
        description="How much of what passes now may be lost, such as 5%; 'auto' requires that nothing breaks.",
        examples=["5%"],
    )
    repeats: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3,
        description="How often each case is called at first on a model that is not deterministic.",
        examples=[5],
    )
    fixed: Literal["all", "any"] = Field(
        default="any", description="'all' when every failure must be fixed; 'any' when one is enough.", examples=["all"]
    )
    models: Texts = Field(
        default_factory=list,
        description="The models that must pass; by default all that use the prompt.",
        examples=[["openai/gpt-5.4-mini"]],
    )
    format_floor: Share = Field(
        default=0.95, description="The minimum share of readable answers, for example 95%.", examples=["98%"]
    )
    answer_floor: Share = Field(
        default=0.80,
        description="The minimum share of correct answers of a first version, for example 80%.",
        examples=["90%"],
    )
    tags: dict[str, Annotated[TagFile, AfterValidator(_not_empty)]] = Field(
        default_factory=dict,
        description="What the cases with a tag must meet besides: a 'floor', a 'margin', or both below the tag's name.",
        examples=[{"payment": {"floor": "98%"}, "small talk": {"margin": "10%"}}],
    )
    cost_ratio: Ratio | None = Field(
        default=None,
        description="How many times the cost in production a call may have, for example 1.2.",
        examples=[1.2],
    )
    latency_ratio: Ratio | None = Field(
        default=None,
        description="How many times the latency in production a call may have, by the median, for example 1.5.",
        examples=[1.5],
    )
    max_age: Days = Field(
        default=7.0,
        description="How old the evidence of a promotion may be, for example 7 days.",
        examples=["7 days", "12 hours"],
    )
    max_cost: Dollars | None = Field(
        default=None,
        description="What a run may cost, for example $2: it stops before spending more, without a verdict.",
        examples=["$2"],
    )

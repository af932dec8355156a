"""The suite file as its author may write it, and the plain objects it becomes.

Field names with a space in YAML (`should be`, `uses prompt`) have an underscore here; spaces, dashes and underscores
are the same to the author.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from promptbench.core.diagnostics import Diagnostics, Place
from promptbench.core.types import Json, Message, ModelRef, Rung
from promptbench.formats.marked_yaml import Document


@lru_cache(maxsize=1024)
def field_name(written: str) -> str:
    """The field name of a key as people write it."""
    return "_".join(re.split(r"[ _-]+", written.strip()))


def path_in_file(path: Sequence[str | int], value: Json) -> tuple[str | int, ...]:
    """A path in field names with the keys as `value` has them; a single value that stands for a list has no index."""
    written: list[str | int] = []
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            same = [key for key in value if key == step] or [key for key in value if field_name(key) == step]
            written.append(same[0] if same else step)
            value = value[same[0]] if same else None
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            written.append(step)
            value = value[step]
    return tuple(written)


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


def _as_answer(value: Any) -> Any:
    return "null" if value is None else _as_text(value)


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


def _as_cases(value: Any) -> Any:
    return [value] if is_case_file(value) else value


def is_case_file(value: Any) -> bool:
    """Whether an entry of `cases:` names a file beside the suite. Any other text is a case without its name."""
    return isinstance(value, str) and value.lower().endswith(CASE_FILES)


CASE_FILES = (".jsonl", ".csv", ".xlsx")


def _share(value: Any) -> Any:
    """`95%` or `0.95` as a number in [0, 1]."""
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
        raise PydanticCustomError("margin", "a tag has a margin of its own or none: write a share such as 5%")
    return _margin(value)


def _ratio(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise PydanticCustomError("ratio", "write how many times as much it may be as in production, such as 1.2")
    return float(value)


def _some_wish(value: TagFile) -> TagFile:
    if value.floor is None and value.margin is None:
        raise PydanticCustomError("tag", "write a floor or a margin below it")
    return value


def _days(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*(day|hour)s?\s*", value)):
        return int(match[1]) / (1 if match[2] == "day" else 24)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def dollars(value: Any) -> Any:
    """`$2` or `2.50` as a number; None for a text that is no amount, anything else as it is."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*\$?\s*(\d+(?:\.\d+)?)\s*", value)
        return float(match[1]) if match else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _dollars(value: Any) -> Any:
    amount = dollars(value)
    return value if amount is None else amount


def _check(value: Any) -> Any:
    """`json` alone is `{json: null}`."""
    return {value: None} if isinstance(value, str) else value


def _one_check(item: dict[str, Any]) -> dict[str, Any]:
    """A mapping with one check in it and no options but those that every check has."""
    names = [key for key in item if field_name(key) not in CHECK_OPTIONS]
    if len(names) != 1:
        options = " and ".join(f"'{name}'" for name in CHECK_OPTIONS)
        message = f"write one check to a '- ' line; beside it there may be {options}"
        raise PydanticCustomError("one_check", "{message}", {"message": message})
    reading, weight = (_option(item, name) for name in CHECK_OPTIONS)
    if reading not in READINGS:
        raise PydanticCustomError("reading", "'reading' must be 'strict' or 'loose'")
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
        raise PydanticCustomError("weight", "'weight' must be a number from 0 on")
    return item


def _option(item: dict[str, Any], name: str) -> Any:
    return next((value for key, value in item.items() if field_name(key) == name), CHECK_OPTIONS[name])


READINGS = (None, "strict", "loose")
CHECK_OPTIONS: dict[str, Any] = {"reading": None, "weight": 1.0}
"""What may stand beside any check, and what holds where it does not."""


def _day(value: Any) -> Any:
    """A day of the calendar, as ISO 8601 writes it and in no other way."""
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise PydanticCustomError("day", "write a day as year-month-day, such as 2026-12-31")


def _model(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)]
Margin = Annotated[Literal["auto"] | float, BeforeValidator(_margin)]
Ratio = Annotated[float, BeforeValidator(_ratio)]
Dollars = Annotated[float, BeforeValidator(_dollars), Field(ge=0)]
Days = Annotated[float, BeforeValidator(_days), Field(gt=0)]
Day = Annotated[str, BeforeValidator(_day)]
CheckItem = Annotated[dict[str, Any], BeforeValidator(_check), AfterValidator(_one_check)]
Checks = Annotated[list[CheckItem], BeforeValidator(_as_list)]
Texts = Annotated[list[Text], BeforeValidator(_as_list)]


class Written(BaseModel):
    """Base of everything an author writes: unknown keys are refused, nothing is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {key if key in fields or field_name(key) not in fields else field_name(key): data[key] for key in data}


class ModelFile(Written):
    model: Text
    uses_prompt: bool | None = None
    fallback: Text | None = None


class MessageFile(Written):
    role: Literal["system", "user", "assistant"]
    content: Text


class ChecksFile(Written):
    """Checks on their own, without a suite."""

    checks: Checks


class QuarantineFile(Written):
    """Who looks after a case that cannot be relied on, why it is set apart, and until when."""

    owner: Text
    reason: Text
    review_by: Day


class CaseFile(Written):
    case: Text
    vars: dict[str, Any] = Field(default_factory=dict)
    messages: list[MessageFile] = Field(default_factory=list)
    expect: Any = None
    was: Annotated[str | None, BeforeValidator(_as_answer)] = None
    should_be: Any = None
    checks: Checks = Field(default_factory=list)
    threshold: Share | None = None
    tags: Texts = Field(default_factory=list)
    cluster: Text | None = None
    quarantine: QuarantineFile | None = None
    origin: Any = None
    note: Text | None = None


class TagFile(Written):
    """What the gate wants of the cases with a tag."""

    floor: Share | None = None
    margin: Annotated[float, BeforeValidator(_tag_margin)] | None = None


class GateFile(Written):
    margin: Margin = "auto"
    repeats: Annotated[int, Field(ge=1, le=100)] = 3
    fixed: Literal["all", "any"] = "any"
    models: Texts = Field(default_factory=list)
    format_floor: Share = 0.95
    answer_floor: Share = 0.80
    tags: dict[str, Annotated[TagFile, AfterValidator(_some_wish)]] = Field(default_factory=dict)
    cost_ratio: Ratio | None = None
    latency_ratio: Ratio | None = None
    max_age: Days = 7.0
    max_cost: Dollars | None = None


class SuiteFile(Written):
    suite: Text
    about: Text | None = None
    prompt: Annotated[Texts, Field(min_length=1)]
    models: Annotated[
        list[Annotated[ModelFile, BeforeValidator(_model)]], BeforeValidator(_as_list), Field(min_length=1)
    ]
    checks: Checks = Field(default_factory=list)
    threshold: Share | None = None
    log: Texts = Field(default_factory=list)
    accept: Literal["raw", "extracted", "repaired safe"] = "extracted"
    cases: Annotated[list[Any], BeforeValidator(_as_cases)] = Field(default_factory=list)
    """Each is validated as a CaseFile of its own; a text is the name of a file with cases."""
    gate: GateFile = Field(default_factory=GateFile)


class Marked(Protocol):
    """What somebody wrote: YAML or a line of JSON, as plain data with the place of everything in it."""

    @property
    def value(self) -> Json: ...

    def place(self, path: tuple[str | int, ...] = (), *, key: bool = False) -> Place: ...

    def is_blank(self, path: tuple[str | int, ...]) -> bool: ...


@dataclass(frozen=True, slots=True)
class Where:
    """Where something was written: a document, and the path to it there in field names."""

    document: Marked
    path: tuple[str | int, ...] = ()

    def below(self, *steps: str | int) -> Where:
        return Where(self.document, (*self.path, *steps))

    def place(self, *steps: str | int, key: bool = False) -> Place:
        """The place in the file of the value `steps` below, or of its key."""
        path = (*self.path, *steps)
        written = path_in_file(path, self.document.value)
        # What stands for a list, or for `name: nothing`, is a value without a key of its own.
        has_key = bool(written) and field_name(str(written[-1])) == field_name(str(path[-1]))
        return self.document.place(written, key=key and has_key)

    @property
    def value(self) -> Json:
        """What is written there."""
        value = self.document.value
        for step in path_in_file(self.path, value):
            value = value[step]
        return value


@dataclass(frozen=True, slots=True)
class WrittenCheck:
    """A check as written: its name, its argument, where the argument is, and what stands beside it.

    `reading` is "strict" or "loose", or None where the check decides how it reads an answer.
    """

    name: str
    argument: Json
    where: Where
    reading: str | None = None
    weight: float = 1.0

    @classmethod
    def of(cls, item: Mapping[str, Any], where: Where) -> WrittenCheck:
        """The check in a mapping that is written at `where`."""
        [name] = [key for key in item if field_name(key) not in CHECK_OPTIONS]
        reading, weight = (_option(dict(item), option) for option in CHECK_OPTIONS)
        return cls(name, item[name], where.below(name), reading, float(weight))


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A case that is asked and shown, and proves nothing. `review_by` is its last day, in ISO 8601."""

    owner: str
    reason: str
    review_by: str


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `has_expect` and `has_wish` tell an absent key from one whose value is null."""

    name: str
    variables: Mapping[str, Json]
    messages: tuple[Message, ...]
    has_expect: bool
    expect: Json
    was: str | None
    has_wish: bool
    should_be: Json
    checks: tuple[WrittenCheck, ...]
    tags: tuple[str, ...]
    where: Where
    threshold: float | None = None
    cluster: str | None = None
    """What it has in common with other cases: statistics count clusters. None where it stands for itself."""
    quarantine: Quarantine | None = None

    @property
    def critical(self) -> bool:
        return "critical" in self.tags


class Cases(Protocol):
    """All cases of a suite, in order. Those of files beside it are read when they are wanted, and not held."""

    def scan(self, found: Diagnostics) -> Iterator[Case]:
        """Every case that is one; what is wrong goes to `found`, also where two have the same name."""

    @property
    def numbers(self) -> dict[str, int]:
        """The place of each case of a scan before in their order."""

    def __getitem__(self, name: str) -> Case:
        """A case of a scan before. Raises KeyError, and InputError when its file has changed since."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """`uses_prompt` is None where the author leaves it to the provider; `fallback` is asked when it is given up."""

    ref: ModelRef
    uses_prompt: bool | None
    path: tuple[str | int, ...]
    fallback: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite file that is sound in itself; whether it fits its prompts, models and logs is the project's to say."""

    name: str
    about: str | None
    path: Path
    document: Document
    prompts: tuple[str, ...]
    models: tuple[ModelEntry, ...]
    checks: tuple[WrittenCheck, ...]
    threshold: float | None
    """The share of the weighted scores that a case needs; None where every check must pass."""
    logs: tuple[str, ...]
    accept: Rung
    cases: Cases
    gate: GateFile

    @property
    def folder(self) -> Path:
        return self.path.parent

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """The place in the file of the value at a path in field names, or of its key."""
        return Where(self.document).place(*path, key=key)

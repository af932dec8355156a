"""Good answers that are broken in known ways, to test whether a suite's checks notice.

An operator breaks an answer in one way in which models are known to break theirs. Where it breaks it depends on the
case's name only, so the same answer always has the same mutants. No answer raises an error.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from promptbench.core.canonical import escape_surrogates
from promptbench.core.types import Json, Rung
from promptbench.parsing.json_text import read

ANY_ITEM = "*"  # A step of a path that stands for every item of a list.
# Mutants of one operator for one answer.
MAX_MUTANTS = 4
# Characters of an answer. A longer one has no mutants.
_MAX_LENGTH = 100_000
_MAX_PLACES = 200
_MAX_FIELDS = 500
_MAX_LABELS = 20
_MAX_LABEL_LENGTH = 60
# A text with fewer words is a name, a number or a label, not prose.
_MIN_PROSE_WORDS = 4
# Separators and indent of JSON as models write it.
_STYLES = ((", ", ": ", None), (",", ":", None), (",", ": ", 2), (",", ": ", 4))
_REMOVED = object()

Path = tuple[str, ...]
Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken answer; `path` is where it is broken, () for the whole answer.

    `equivalent`: it has the same content on a rung of the ladder that the suite accepts, so it may pass.
    """

    operator: Operator
    path: Path
    text: str
    equivalent: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    """A way to break answers.

    Args:
        must: Checks must notice it. Otherwise it is for information, because some suites may allow it.
        stands_for: The failure of a model that it imitates, in one sentence.
        is_format: It changes how the answer is written, not its content.
    """

    name: str
    stands_for: str
    make: Callable[[Original], Iterator[_Change]] = field(repr=False)
    must: bool = True
    is_format: bool = False


@dataclass(frozen=True, slots=True)
class _Value:
    """A value inside an answer, and the steps that lead to it."""

    steps: Steps
    value: Json

    @property
    def path(self) -> Path:
        return tuple(step if isinstance(step, str) else ANY_ITEM for step in self.steps)


@dataclass(frozen=True, slots=True)
class _Change:
    """A new value at `steps`, or the new text of the whole answer if `steps` is None."""

    path: Path
    steps: Steps | None
    value: Json


class Vocabulary:
    """A sample of what good answers of a suite contain, for mutants that confuse it: labels by field, and answers."""

    def __init__(self, schema: Json = None) -> None:
        self._schema = schema
        self._labels: dict[Path, list[Json]] = {}
        self._answers: list[tuple[str, str]] = []

    def learn(self, original: Original) -> None:
        """Add the labels and the text of an answer, up to a limit."""
        if len(self._answers) < _MAX_LABELS:
            self._answers.append((original.case, original.text))
        for item in original.values:
            if _is_label(item.value) and (item.path in self._labels or len(self._labels) < _MAX_FIELDS):
                known = self._labels.setdefault(item.path, [])
                if item.value not in known and len(known) < _MAX_LABELS:
                    known.append(item.value)

    def labels(self, path: Path) -> list[Json]:
        """Return the labels at a path in other answers and in the prompt's output schema."""
        return [*self._labels.get(path, ()), *filter(_is_label, _listed(self._schema, path))]

    def answers(self, case: str) -> list[str]:
        """Return answers to other cases."""
        return [text for name, text in self._answers if name != case]


class Original:
    """A good answer, as data if it is an object or list that the accept level reads, else as text.

    `text` is what is broken: data is written again in the style of the answer, without the text around it.
    """

    def __init__(self, case: str, text: str, accept: Rung, words: Vocabulary) -> None:
        self.case = case
        self.accept = accept
        self.words = words
        reading = read(text)
        data = _as_written(text, reading.value) if reading.rung.within(accept) else None
        self.is_data = data is not None
        self.value: Json = text if data is None else reading.value
        self.text, self._style = data or (text, _STYLES[0])

    def changed(self, change: _Change) -> str:
        """Return the text with a change made."""
        if change.steps is None:
            return str(change.value)
        value = _put(self.value, change.steps, change.value)
        return _dump(value, self._style) if self.is_data else str(value)

    def has_content_of(self, text: str) -> bool:
        """Return True if a text has the same data, on a rung that the suite accepts."""
        reading = read(text)
        return self.is_data and reading.rung.within(self.accept) and _dump(reading.value, self._style) == self.text

    @cached_property
    def values(self) -> list[_Value]:
        """The answer and the values in it, from the outside in; the first 200."""
        found = [_Value((), self.value)]
        for item in found:
            if len(found) >= _MAX_PLACES:
                break
            found += [_Value((*item.steps, step), value) for step, value in _items(item.value)]
        return found[:_MAX_PLACES]

    def fields(self) -> Iterator[_Value]:
        return (item for item in self.values if item.steps and isinstance(item.steps[-1], str))

    def of_type(self, *types: type) -> Iterator[_Value]:
        """Return the values that are exactly of one of these types."""
        return (item for item in self.values if type(item.value) in types)

    def prose(self) -> Iterator[_Value]:
        return (item for item in self.values if _is_prose(item.value))


def make_mutants(original: Original) -> Iterator[Mutant]:
    """Yield the mutants of an answer. All are different, also from the answer when they are read."""
    if len(original.text) > _MAX_LENGTH:
        return
    seen = {original.text} if original.is_data else {original.text, original.text.strip()}
    for operator in OPERATORS:
        for change in _select(operator.make(original), original.case + operator.name):
            text = original.changed(change)
            if text in seen or (not original.is_data and text.strip() in seen):
                continue
            seen.add(text)
            yield Mutant(operator, change.path, text, operator.is_format and original.has_content_of(text))


def format_path(path: Path) -> str:
    """Return a path for people: `items[].name`."""
    if path == (ANY_ITEM,):
        return "an item of the list"
    words = "".join("[]" if step == ANY_ITEM else f".{step}" for step in path)
    return words.removeprefix(".") or "the answer"


def _listed(schema: Json, path: Path) -> Json:
    """Return the values that a schema lists for a path, without those behind references and in branches."""
    for step in path:
        inner = schema if isinstance(schema, dict) else {}
        schema = inner.get("items") if step == ANY_ITEM else (inner.get("properties") or {}).get(step)
    return schema.get("enum", []) if isinstance(schema, dict) else []


def _is_prose(value: Json) -> bool:
    # A text that can be worded in more than one right way.
    return isinstance(value, str) and len(value[:200].split(maxsplit=_MIN_PROSE_WORDS)) >= _MIN_PROSE_WORDS


def _is_label(value: Json) -> bool:
    is_short = isinstance(value, str) and 0 < len(value) <= _MAX_LABEL_LENGTH
    return isinstance(value, bool) or (is_short and not _is_prose(value))


def _select(changes: Iterator[_Change], seed: str) -> list[_Change]:
    # At most four, of different paths if possible. The seed makes them differ between cases.
    found = list(changes)
    if len(found) <= MAX_MUTANTS:
        return found
    times: Counter[Path] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for number in sorted(range(len(found)), key=lambda number: _hash(f"{seed}\0{number}")):
        path = found[number].path
        ranked.append((times[path], len(ranked), number))
        times[path] += 1
    return [found[number] for _, _, number in sorted(ranked)[:MAX_MUTANTS]]


def _hash(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "replace"))


def _as_written(text: str, value: Json) -> tuple[str, tuple[str, str, int | None]] | None:
    """Return an object or list as JSON in the style of the text, and the style; None for a value JSON cannot hold."""
    if not isinstance(value, (dict, list)):
        return None
    try:
        written = [(_dump(value, style), style) for style in _STYLES[: 4 if "\n" in text else 2]]
    except (ValueError, RecursionError):
        return None
    return next((item for item in written if item[0] == text.strip()), written[0])


def _dump(value: Json, style: tuple[str, str, int | None]) -> str:
    comma, colon, indent = style
    return escape_surrogates(
        json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(comma, colon), indent=indent)
    )


def _items(value: Json) -> list[tuple[str | int, Json]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _put(value: Json, steps: Steps, new: Json) -> Json:
    # Unchanged parts are shared.
    if not steps:
        return new
    copy = value.copy()
    if len(steps) == 1 and new is _REMOVED:
        del copy[steps[0]]
    else:
        copy[steps[0]] = _put(value[steps[0]], steps[1:], new)
    return copy


_FRENCH = "Nous avons bien reçu votre message et nous vous répondrons dans les meilleurs délais."
_GERMAN = "Wir haben Ihre Nachricht erhalten und melden uns so bald wie möglich bei Ihnen."
_FRENCH_WORDS = frozenset(("le", "la", "les", "des", "et", "est", "nous", "vous", "votre", "une", "je", "pour"))


def _respell(key: str) -> str:
    # `orderId` for `order_id` and back, `Order` for `order` and back.
    if "_" in key.strip("_"):
        first, *rest = key.split("_")
        return first + "".join(word.capitalize() for word in rest)
    snake_case = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
    if snake_case != key:
        return snake_case
    return key.capitalize() if key.capitalize() != key else f"{key}_"


def _each(values: Iterable[_Value], change: Callable[[Json], Json]) -> Iterator[_Change]:
    return (_Change(item.path, item.steps, change(item.value)) for item in values)


def _whole(*texts: str) -> Iterator[_Change]:
    return (_Change((), None, text) for text in texts)


def _rename_fields(answer: Original) -> Iterator[_Change]:
    parents = {item.steps: item.value for item in answer.of_type(dict)}
    for item in answer.fields():
        *_, key = item.steps
        other = _respell(str(key))
        parent = parents[item.steps[:-1]]
        if other not in parent:
            renamed = {other if name == key else name: value for name, value in parent.items()}
            yield _Change(item.path, item.steps[:-1], renamed)


def _wrong_type(value: Json) -> Json:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value) if value is None or isinstance(value, (bool, int, float)) else [value]


def _swap_labels(answer: Original) -> Iterator[_Change]:
    for item in answer.values:
        if isinstance(item.value, bool):
            yield _Change(item.path, item.steps, not item.value)
        elif _is_label(item.value):
            labels = answer.words.labels(item.path)
            others = [word for word in labels if isinstance(word, str) and word != item.value]
            if others:
                other = others[_hash(answer.case + format_path(item.path)) % len(others)]
                yield _Change(item.path, item.steps, other)


def _change_numbers(answer: Original) -> Iterator[_Change]:
    for item in answer.values:
        others: list[Json] = []
        if type(item.value) in (int, float):
            # Larger ones would become infinite, which JSON cannot hold.
            numbers = (item.value + 1, item.value * 10, -item.value)
            others = [other for other in numbers if other != item.value and abs(other) < 1e300]
        elif isinstance(item.value, str):
            for match in list(re.finditer(r"[0-9]{1,18}", item.value))[:MAX_MUTANTS]:
                digits = f"{(int(match[0]) + 1) % 10 ** len(match[0]):0{len(match[0])}}"
                others.append(item.value[: match.start()] + digits + item.value[match.end() :])
        yield from (_Change(item.path, item.steps, other) for other in others)


def _other_language(text: str) -> str:
    return _GERMAN if len(_FRENCH_WORDS & set(text[:2000].lower().split())) > 1 else _FRENCH


def _answer_of_others(answer: Original) -> Iterator[_Change]:
    others = [text for text in answer.words.answers(answer.case) if text.strip() != answer.text.strip()]
    return _whole(*others[_hash(answer.case) % len(others) :][:1]) if others else _whole()


def _other_letter_case(text: str) -> str:
    upper = text.upper()
    return text.lower() if upper == text else upper


def _white_space(answer: Original) -> Iterator[_Change]:
    if answer.is_data:
        return _whole(_dump(answer.value, _STYLES[3] if "\n" not in answer.text else _STYLES[0]))
    text = answer.text.strip()
    return _whole(text.replace(" ", "  ", 1)) if " " in text else _whole()


def _single_quotes(answer: Original) -> Iterator[_Change]:
    if answer.is_data and "'" not in answer.text and '\\"' not in answer.text and '"' in answer.text:
        return _whole(answer.text.replace('"', "'"))
    return _whole()


def _as_data(answer: Original, *texts: str) -> Iterator[_Change]:
    return _whole(*texts) if answer.is_data else _whole()


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "drop a field",
        "The model leaves out a field that it has nothing for.",
        lambda answer: _each(answer.fields(), lambda value: _REMOVED),
    ),
    Operator("rename a field", "The model spells a key in its own way: orderId for order_id.", _rename_fields),
    Operator(
        "null a field",
        "The model writes null where the input has a value.",
        lambda answer: _each((item for item in answer.fields() if item.value is not None), lambda value: None),
    ),
    Operator(
        "wrong type",
        "The model puts a number into quotes, a text into a list, or writes null as a text.",
        lambda answer: _each(answer.fields(), _wrong_type),
    ),
    Operator(
        "swap two labels",
        "The model takes one class for another, or one customer's value for another's.",
        _swap_labels,
    ),
    Operator(
        "change a number",
        "The model is off by one, by a power of ten or by the sign, or misreads a digit.",
        _change_numbers,
    ),
    Operator(
        "invent a number",
        "The model adds a figure to a text that is not in its input.",
        lambda answer: _each(answer.prose(), lambda text: text.rstrip() + " The reference number is 48213."),
    ),
    Operator(
        "invent a name",
        "The model adds a person to a text who is not in its input.",
        lambda answer: _each(answer.prose(), lambda text: text.rstrip() + " Please ask for Henrietta Quill."),
    ),
    Operator(
        "empty value",
        "The model gives an empty text, list or object where there should be content.",
        lambda answer: _each(
            (item for item in answer.of_type(str, list, dict) if answer.is_data and item.value),
            lambda value: type(value)(),
        ),
    ),
    Operator(
        "drop a list item",
        "The model stops before a list is complete.",
        lambda answer: _each(
            (item for item in answer.values if item.steps and isinstance(item.steps[-1], int)), lambda value: _REMOVED
        ),
    ),
    Operator(
        "duplicate a list item",
        "The model repeats itself.",
        lambda answer: _each((item for item in answer.of_type(list) if item.value), lambda value: [*value, value[-1]]),
    ),
    Operator(
        "wrong language",
        "The model answers in another language than the customer's.",
        lambda answer: _each(answer.prose(), _other_language),
    ),
    Operator(
        "answer to another case",
        "The model answers an example of the prompt, or another customer, instead of this one.",
        _answer_of_others,
    ),
    Operator(
        "refusal",
        "The model declines a harmless request.",
        lambda answer: _whole("I'm sorry, but I can't help with that request."),
    ),
    Operator("empty answer", "The model or a filter returns nothing.", lambda answer: _whole("")),
    Operator(
        "truncate",
        "The answer reaches the token limit: it ends after 60 %, or just before its last bracket.",
        lambda answer: chain(_whole(answer.text[: len(answer.text) * 6 // 10]), _as_data(answer, answer.text[:-1])),
        is_format=True,
    ),
    Operator(
        "fence",
        "The model puts its JSON into a Markdown block.",
        lambda answer: _as_data(answer, f"```json\n{answer.text}\n```"),
        is_format=True,
    ),
    Operator(
        "prose around",
        "The model writes sentences before and after its JSON.",
        lambda answer: _as_data(
            answer, f"Here is the JSON you asked for:\n\n{answer.text}\n\nLet me know if you need anything else!"
        ),
        is_format=True,
    ),
    Operator(
        "trailing comma",
        "The model writes JSON as it has seen it in programs.",
        lambda answer: _as_data(answer, *([f"{answer.text[:-1].rstrip()},{answer.text[-1]}"] if answer.value else [])),
        is_format=True,
    ),
    Operator(
        "single quotes",
        "The model writes a Python literal instead of JSON.",
        _single_quotes,
        is_format=True,
    ),
    Operator(
        "add a field",
        "The model explains itself in a field that the prompt does not define.",
        lambda answer: _each(
            (item for item in answer.of_type(dict) if "explanation" not in item.value),
            lambda value: {**value, "explanation": "as requested"},
        ),
        must=False,
    ),
    Operator(
        "reorder a list",
        "The model gives the right items in another order.",
        lambda answer: _each(answer.of_type(list), lambda value: value[::-1]),
        must=False,
    ),
    Operator(
        "letter case of a label",
        "The model writes Billing or BILLING for billing.",
        lambda answer: _each((item for item in answer.of_type(str) if _is_label(item.value)), _other_letter_case),
        must=False,
    ),
    Operator(
        "space around a value",
        "The model puts a space behind a value.",
        lambda answer: _each((item for item in answer.of_type(str) if item.value), lambda text: text + " "),
        must=False,
    ),
    Operator(
        "introduction",
        "The model announces a text before it gives it.",
        lambda answer: _whole() if answer.is_data else _whole(f"Sure! Here is what you asked for:\n\n{answer.text}"),
        must=False,
    ),
    Operator("white space", "The model breaks lines in another way.", _white_space, must=False, is_format=True),
)

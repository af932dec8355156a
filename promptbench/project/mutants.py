"""Good answers broken in known ways: what a suite's checks must notice if they are to notice it in production.

An operator breaks an answer in one way that models are known to break theirs. Which places it breaks depends on the
case's name only, so the same answer has the same mutants every time. Nothing is raised for any answer.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from promptbench.core.canonical import escape_surrogates
from promptbench.core.types import Json, Rung
from promptbench.formats.json_text import read
from promptbench.project.offers import ANY_ITEM, Path, SchemaOffers

MOST_MUTANTS = 4
"""Mutants of one operator for one answer."""
LONGEST = 100_000
"""Characters of an answer that is still broken; a longer one is left alone."""
_MOST_PLACES = 200
_MOST_FIELDS = 500
_MOST_LABELS = 20
_FREE_TEXT = 4
"""Words from which a text is prose; with fewer it is a name, a number or a label."""
_STYLES = ((", ", ": ", None), (",", ":", None), (",", ": ", 2), (",", ": ", 4))
_GONE = object()


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken answer. `path` is that of the place which is broken, empty for the whole answer."""

    operator: Operator
    path: Path
    text: str
    equivalent: bool = False
    """Whether it says the same on a rung of the ladder that the suite accepts: it may pass, by the suite's own word."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A way to break answers. Checks `must` notice it, or it is for information: some suites may let it pass."""

    name: str
    must: bool
    stands_for: str
    """The real failure, in one sentence."""
    make: Callable[[Original], Iterator[_Change]] = field(repr=False)
    is_format: bool = False
    """Whether it changes how the answer is written, and not what it says."""


@dataclass(frozen=True, slots=True)
class _Place:
    steps: tuple[str | int, ...]
    value: Json

    @property
    def path(self) -> Path:
        return tuple(step if isinstance(step, str) else ANY_ITEM for step in self.steps)


@dataclass(frozen=True, slots=True)
class _Change:
    """Another value at a place, or the whole text where `steps` is None; written out for those that are picked."""

    path: Path
    steps: tuple[str | int, ...] | None
    value: Json


class Vocabulary:
    """What good answers of a suite say, for mutants that say another one's: some labels of each field, some answers."""

    def __init__(self, schema: Json = None) -> None:
        self._offers = SchemaOffers(schema)
        self._labels: dict[Path, list[Json]] = {}
        self._answers: list[tuple[str, str]] = []

    def learn(self, original: Original) -> None:
        if len(self._answers) < _MOST_LABELS:
            self._answers.append((original.case, original.text))
        for place in original.places:
            if _is_label(place.value) and (place.path in self._labels or len(self._labels) < _MOST_FIELDS):
                known = self._labels.setdefault(place.path, [])
                if place.value not in known and len(known) < _MOST_LABELS:
                    known.append(place.value)

    def labels(self, path: Path) -> list[Json]:
        """What else stands at a path: in other answers, and by the prompt's output schema."""
        return [*self._labels.get(path, ()), *filter(_is_label, self._offers.at(path) or ())]

    def answers(self, case: str) -> list[str]:
        """Answers to other cases."""
        return [text for name, text in self._answers if name != case]


class Original:
    """A good answer, with its places: those of its data, or the whole text where it is none."""

    def __init__(self, case: str, text: str, accept: Rung, words: Vocabulary) -> None:
        self.case = case
        self.accept = accept
        self.words = words
        reading = read(text)
        data = _as_written(text, reading.value) if reading.rung.within(accept) else None
        self.is_data = data is not None
        self.value: Json = text if data is None else reading.value
        self.text, self._style = data or (text, _STYLES[0])
        """The answer that is broken: data is written anew, without what stood around it."""

    def write(self, value: Json) -> str:
        """The answer with another value; a text as it is."""
        return _dump(value, self._style) if self.is_data else str(value)

    def changed(self, change: _Change) -> str:
        """The answer with a change made."""
        return change.value if change.steps is None else self.write(_put(self.value, change.steps, change.value))

    @cached_property
    def places(self) -> list[_Place]:
        """The answer and all that is in it, from the outside in; the first 200."""
        found = [_Place((), self.value)]
        for place in found:
            if len(found) >= _MOST_PLACES:
                break
            inner = _items(place.value)
            found += [_Place((*place.steps, step), value) for step, value in inner]
        return found[:_MOST_PLACES]

    def fields(self) -> Iterator[_Place]:
        """The places that have a name."""
        return (place for place in self.places if place.steps and isinstance(place.steps[-1], str))

    def holding(self, *kinds: type) -> Iterator[_Place]:
        """The places whose value is exactly of one of these types."""
        return (place for place in self.places if type(place.value) in kinds)

    def free_texts(self) -> Iterator[_Place]:
        return (place for place in self.places if is_free_text(place.value))


def mutants(original: Original) -> Iterator[Mutant]:
    """All mutants of an answer, none twice, none that reads as the answer itself but for its format."""
    if len(original.text) > LONGEST:
        return
    seen = {original.text} if original.is_data else {original.text, original.text.strip()}
    for operator in OPERATORS:
        for change in _few(operator.make(original), original.case + operator.name):
            text = original.changed(change)
            if text in seen or (not original.is_data and text.strip() in seen):
                continue
            seen.add(text)
            yield Mutant(operator, change.path, text, operator.is_format and _says_the_same(original, text))


def shown(path: Path) -> str:
    """A path as people are told it: `items[].name`."""
    if path == (ANY_ITEM,):
        return "an item of the list"
    words = "".join("[]" if step == ANY_ITEM else f".{step}" for step in path)
    return words.removeprefix(".") or "the answer"


def facts(text: str) -> list[str]:
    """What a text hangs on: its numbers, then its words with capitals inside of a sentence, then its longest words."""
    numbers = re.findall(r"\d[\w.,-]*\w|\d", text)
    names = re.findall(r"(?<=[\w,] )[A-ZÄÖÜ]\w+", text)
    long = sorted(re.findall(r"[^\W\d_]{5,}", text), key=len, reverse=True)
    return list(dict.fromkeys([*numbers, *names, *long]))


def is_free_text(value: Json) -> bool:
    """Whether a value is prose, of which there is more than one right wording."""
    return isinstance(value, str) and len(value[:200].split(maxsplit=_FREE_TEXT)) >= _FREE_TEXT


def _is_label(value: Json) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and 0 < len(value) <= 60 and not is_free_text(value))


def _few(made: Iterator[_Change], seed: str) -> list[_Change]:
    """At most four of them, of different places first: others for another case, so that a suite sees all."""
    found = list(made)
    if len(found) <= MOST_MUTANTS:
        return found
    before: Counter[Path] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for number in sorted(range(len(found)), key=lambda number: _hash(f"{seed}\0{number}")):
        path = found[number].path
        ranked.append((before[path], len(ranked), number))
        before[path] += 1
    return [found[number] for _, _, number in sorted(ranked)[:MOST_MUTANTS]]


def _hash(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "replace"))


def _says_the_same(original: Original, text: str) -> bool:
    if not original.is_data:
        return False
    reading = read(text)
    return reading.rung.within(original.accept) and original.write(reading.value) == original.text


def _as_written(text: str, value: Json) -> tuple[str, tuple[str, str, int | None]] | None:
    """An object or list as JSON in the style of the text, with the style; None for other data, or what is no JSON."""
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


def _put(value: Json, steps: tuple[str | int, ...], new: Json) -> Json:
    """`value` with something else at a place; what is not changed is shared."""
    if not steps:
        return new
    copy = value.copy()
    if steps[1:] or new is not _GONE:
        copy[steps[0]] = _put(value[steps[0]], steps[1:], new)
    else:
        del copy[steps[0]]
    return copy


# -- operators ---------------------------------------------------------------------------------------------------------


def _change(place: _Place, value: Json) -> _Change:
    return _Change(place.path, place.steps, value)


def _whole(text: str) -> _Change:
    return _Change((), None, text)


_Maker = Callable[[Original], Iterator[_Change]]
_operators: list[Operator] = []


def _operator(name: str, *, must: bool = True, is_format: bool = False) -> Callable[[_Maker], _Maker]:
    def register(make: _Maker) -> _Maker:
        _operators.append(Operator(name, must, (make.__doc__ or "").strip(), make, is_format))
        return make

    return register


@_operator("drop a field")
def _drop_field(answer: Original) -> Iterator[_Change]:
    """The model leaves out a field that it has nothing for."""
    return (_change(place, _GONE) for place in answer.fields())


@_operator("rename a field")
def _rename_field(answer: Original) -> Iterator[_Change]:
    """The model spells a key in its own way: orderId for order_id."""
    for place in answer.fields():
        key = str(place.steps[-1])
        parent = _at(answer.value, place.steps[:-1])
        other = _respelt(key)
        if other not in parent:
            renamed = {other if name == key else name: value for name, value in parent.items()}
            yield _Change(place.path, place.steps[:-1], renamed)


@_operator("null a field")
def _null_field(answer: Original) -> Iterator[_Change]:
    """The model says null where the input has a value."""
    return (_change(place, None) for place in answer.fields() if place.value is not None)


@_operator("wrong type")
def _wrong_type(answer: Original) -> Iterator[_Change]:
    """The model puts a number into quotes, a text into a list, or writes null as a text."""
    for place in answer.fields():
        match place.value:
            case None | bool() | int() | float():
                yield _change(place, json.dumps(place.value))
            case list():
                yield _change(place, ", ".join(map(str, place.value)))
            case _:
                yield _change(place, [place.value])


@_operator("swap two labels")
def _swap_labels(answer: Original) -> Iterator[_Change]:
    """The model takes one class for another, or one customer's value for another's."""
    for place in answer.places:
        if _is_label(place.value):
            labels = answer.words.labels(place.path)
            others: list[Json] = [word for word in labels if isinstance(word, str) and word != place.value]
            if isinstance(place.value, bool):
                others = [not place.value]
            if others:
                yield _change(place, others[_hash(answer.case + shown(place.path)) % len(others)])


@_operator("change a number")
def _change_number(answer: Original) -> Iterator[_Change]:
    """The model is off by one, by a power of ten or by the sign, or misreads a digit."""
    for place in answer.places:
        if type(place.value) in (int, float):
            for other in (place.value + 1, place.value * 10, -place.value):
                if other != place.value and abs(other) < 1e300:
                    yield _change(place, other)
        elif isinstance(place.value, str):
            for match in list(re.finditer(r"[0-9]{1,18}", place.value))[:MOST_MUTANTS]:
                digits = f"{(int(match[0]) + 1) % 10 ** len(match[0]):0{len(match[0])}}"
                yield _change(place, place.value[: match.start()] + digits + place.value[match.end() :])


@_operator("invent a number")
def _invent_number(answer: Original) -> Iterator[_Change]:
    """The model adds a figure to a text that nobody gave it."""
    for place in answer.free_texts():
        yield _change(place, place.value.rstrip() + " The reference number is 48213.")


@_operator("invent a name")
def _invent_name(answer: Original) -> Iterator[_Change]:
    """The model adds a person to a text that nobody mentioned."""
    for place in answer.free_texts():
        yield _change(place, place.value.rstrip() + " Please ask for Henrietta Quill.")


@_operator("empty value")
def _empty_value(answer: Original) -> Iterator[_Change]:
    """The model gives an empty text, list or object where there should be something in it."""
    if answer.is_data:
        yield from (_change(place, type(place.value)()) for place in answer.holding(str, list, dict) if place.value)


@_operator("drop a list item")
def _drop_item(answer: Original) -> Iterator[_Change]:
    """The model stops before a list is complete."""
    return (_change(place, _GONE) for place in answer.places if place.steps and isinstance(place.steps[-1], int))


@_operator("duplicate a list item")
def _duplicate_item(answer: Original) -> Iterator[_Change]:
    """The model repeats itself."""
    return (_change(place, [*place.value, place.value[-1]]) for place in answer.holding(list) if place.value)


@_operator("wrong language")
def _wrong_language(answer: Original) -> Iterator[_Change]:
    """The model answers in another language than the customer's."""
    for place in answer.free_texts():
        french = len(_FRENCH_WORDS & set(place.value[:2000].lower().split())) > 1
        yield _change(place, _GERMAN if french else _FRENCH)


@_operator("answer to another case")
def _other_answer(answer: Original) -> Iterator[_Change]:
    """The model answers an example of the prompt, or another customer, instead of this one."""
    others = [text for text in answer.words.answers(answer.case) if text.strip() != answer.text.strip()]
    if others:
        yield _whole(others[_hash(answer.case) % len(others)])


@_operator("refusal")
def _refusal(answer: Original) -> Iterator[_Change]:
    """The model declines a harmless request."""
    yield _whole("I'm sorry, but I can't help with that request.")


@_operator("empty answer")
def _empty_answer(answer: Original) -> Iterator[_Change]:
    """The model or a filter returns nothing."""
    yield _whole("")


@_operator("truncate", is_format=True)
def _truncate(answer: Original) -> Iterator[_Change]:
    """The answer ran into the limit of its tokens: it ends after 60 %, or just before its last bracket."""
    yield _whole(answer.text[: len(answer.text) * 6 // 10])
    if answer.is_data:
        yield _whole(answer.text[:-1])


@_operator("fence", is_format=True)
def _fence(answer: Original) -> Iterator[_Change]:
    """The model puts its JSON into a block of Markdown."""
    if answer.is_data:
        yield _whole(f"```json\n{answer.text}\n```")


@_operator("prose around", is_format=True)
def _prose_around(answer: Original) -> Iterator[_Change]:
    """The model introduces its JSON, and takes leave."""
    if answer.is_data:
        yield _whole(f"Here is the JSON you asked for:\n\n{answer.text}\n\nLet me know if you need anything else!")


@_operator("trailing comma", is_format=True)
def _trailing_comma(answer: Original) -> Iterator[_Change]:
    """The model writes JSON as it has seen it in programs."""
    if answer.is_data and answer.value:
        yield _whole(f"{answer.text[:-1].rstrip()},{answer.text[-1]}")


@_operator("single quotes", is_format=True)
def _single_quotes(answer: Original) -> Iterator[_Change]:
    """The model writes a Python literal for JSON."""
    if answer.is_data and "'" not in answer.text and '\\"' not in answer.text and '"' in answer.text:
        yield _whole(answer.text.replace('"', "'"))


@_operator("add a field", must=False)
def _add_field(answer: Original) -> Iterator[_Change]:
    """The model explains itself in a field that nobody asked for."""
    for place in answer.holding(dict):
        if "explanation" not in place.value:
            yield _change(place, {**place.value, "explanation": "as requested"})


@_operator("reorder a list", must=False)
def _reorder(answer: Original) -> Iterator[_Change]:
    """The model gives the right items in another order."""
    return (_change(place, place.value[::-1]) for place in answer.holding(list))


@_operator("letter case of a label", must=False)
def _letter_case(answer: Original) -> Iterator[_Change]:
    """The model writes Billing or BILLING for billing."""
    for place in answer.holding(str):
        if _is_label(place.value):
            upper = place.value.upper()
            yield _change(place, place.value.lower() if upper == place.value else upper)


@_operator("space around a value", must=False)
def _space_around(answer: Original) -> Iterator[_Change]:
    """The model puts a space behind a value."""
    return (_change(place, place.value + " ") for place in answer.holding(str) if place.value)


@_operator("introduction", must=False)
def _introduction(answer: Original) -> Iterator[_Change]:
    """The model announces a text before it gives it."""
    if not answer.is_data:
        yield _whole(f"Sure! Here is what you asked for:\n\n{answer.text}")


@_operator("white space", must=False, is_format=True)
def _white_space(answer: Original) -> Iterator[_Change]:
    """The model breaks its lines in another way."""
    if answer.is_data:
        yield _whole(_dump(answer.value, _STYLES[3] if "\n" not in answer.text else _STYLES[0]))
    elif " " in answer.text.strip():
        yield _whole(answer.text.strip().replace(" ", "  ", 1))


OPERATORS: tuple[Operator, ...] = tuple(_operators)

_FRENCH = "Nous avons bien reçu votre message et nous vous répondrons dans les meilleurs délais."
_GERMAN = "Wir haben Ihre Nachricht erhalten und melden uns so bald wie möglich bei Ihnen."
_FRENCH_WORDS = frozenset(("le", "la", "les", "des", "et", "est", "nous", "vous", "votre", "une", "je", "pour"))


def _at(value: Json, steps: tuple[str | int, ...]) -> Json:
    for step in steps:
        value = value[step]
    return value


def _respelt(key: str) -> str:
    """`order_id` and `orderId` for each other, `Order` and `order` for each other."""
    if "_" in key.strip("_"):
        first, *rest = key.split("_")
        return first + "".join(word.capitalize() for word in rest)
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
    if split != key:
        return split
    return key.capitalize() if key.capitalize() != key else f"{key}_"

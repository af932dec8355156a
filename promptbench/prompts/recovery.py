"""Recover the variables from rendered messages: the inverse of `Prompt.render`.

A log often has what was sent to the model, but not the variables. The literal parts of the template are searched in the
text, in order; the text between them are the values. Values are only recovered if the solution is unique: adjacent
placeholders, or a literal that also occurs inside a value, may leave several.

Line ends are compared as LF. If a message does not match, it is compared without surrounding white space, because
programs add line ends. Nothing else is tolerated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.core.canonical import lf
from promptbench.core.types import Json, Message
from promptbench.prompts.prompt import HistoryPlace, Prompt, Template
from promptbench.text.templates import Tag, lookup, render_value

# Bounds the search when a variable occurs several times and can be split in several ways, in characters compared.
_MAX_EFFORT = 50_000_000
_EFFORT_PER_TRY = 2_000
_TYPED = {"integer", "number", "boolean", "object", "array"}
_EXCERPT = 40


@dataclass(frozen=True, slots=True)
class Recovered:
    """The variables and conversation. `exact` is False if white space around a message had to be ignored."""

    variables: Mapping[str, Json]
    history: tuple[Message, ...] = ()
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Unrecovered:
    """The reason why no variables were recovered. `ambiguous` are those with several solutions."""

    reason: str
    ambiguous: tuple[str, ...] = ()


def recover(prompt: Prompt, messages: Sequence[Message]) -> Recovered | Unrecovered:
    """Return the variables and conversation with which `prompt` renders `messages`, if they are unique."""
    aligned = _aligned(prompt, messages)
    if isinstance(aligned, Unrecovered):
        return aligned
    pairs, history = aligned
    forms: list[_Form] = []
    exact = True
    for number, (template, message) in pairs:
        form = _Form.of(template, lf(message.content))
        if form.ends() is None:
            form, exact = replace(form, text=form.text.strip()), False
        if form.ends() is None:
            return Unrecovered(_where_not(form, number))
        forms.append(form)
    try:
        solved = _solved(forms, _Effort(_MAX_EFFORT))
    except (_TooManyWays, RecursionError):
        return Unrecovered("there are too many ways to split the values that occur several times")
    if isinstance(solved, Unrecovered):
        return solved
    return Recovered(_as_variables(prompt, solved), history, exact)


_Pairs = list[tuple[int, tuple[Template, Message]]]


def _aligned(prompt: Prompt, messages: Sequence[Message]) -> tuple[_Pairs, tuple[Message, ...]] | Unrecovered:
    """Return each template with its message, numbered from 1, and the conversation at `{{history}}`."""
    places = sum(isinstance(item, HistoryPlace) for item in prompt.messages)
    extra = len(messages) - (len(prompt.messages) - places)
    if extra < 0 or (extra and not places) or (places and extra % places):
        count, wanted = len(messages), len(prompt.messages) - places
        return Unrecovered(f"it has {count} {_messages(count)}, and the prompt {'at least ' * bool(places)}{wanted}")
    pairs: _Pairs = []
    said: list[tuple[Message, ...]] = []
    position = 0
    for item in prompt.messages:
        if isinstance(item, HistoryPlace):
            said.append(tuple(messages[position : position + extra // places]))
            position += extra // places
            continue
        message = messages[position]
        position += 1
        if message.role != item.role:
            return Unrecovered(
                f"message {position} is the {message.role}'s, and the prompt has the {item.role}'s there"
            )
        pairs.append((position, (item, message)))
    if len(set(said)) > 1:
        return Unrecovered("the prompt repeats the conversation, and the messages do not")
    return pairs, said[0] if said else ()


def _messages(count: int) -> str:
    return "message" if count == 1 else "messages"


@dataclass(frozen=True, slots=True)
class _Form:
    """A message's text and its template: `names`, and the `literals` before, between and after them."""

    text: str
    literals: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, template: Template, text: str) -> _Form:
        literals, names = [""], []
        for part in template.parts:
            if isinstance(part, Tag):
                names.append(part.body)
                literals.append("")
            else:
                literals[-1] += part
        return cls(text, tuple(literals), tuple(names))

    def filled(self, values: Mapping[str, str]) -> _Form:
        """Return the form with the known values as literal text."""
        if not any(name in values for name in self.names):
            return self
        literals, names = [self.literals[0]], []
        for name, literal in zip(self.names, self.literals[1:], strict=True):
            if name in values:
                literals[-1] += values[name] + literal
            else:
                names.append(name)
                literals.append(literal)
        return _Form(self.text, tuple(literals), tuple(names))

    def ends(self) -> tuple[list[int], list[int]] | None:
        """Return the first and last position at which each literal can start; None if the text does not match.

        If all names differ, every occurrence of the literal in between is possible too.
        """
        text, literals = self.text, self.literals
        if not self.names:
            return ([0], [0]) if text == literals[0] else None
        head, tail = literals[0], literals[-1]
        last = len(text) - len(tail)
        if not text.startswith(head) or not text.endswith(tail) or last < len(head):
            return None
        first_starts, last_starts = [0], [last]
        position = len(head)
        for literal in literals[1:-1]:
            found = text.find(literal, position, last)
            if found < 0:
                return None
            first_starts.append(found)
            position = found + len(literal)
        limit = last
        for literal in reversed(literals[1:-1]):
            limit = text.rfind(literal, len(head), limit)
            last_starts.append(limit)
        return [*first_starts, last], [0, *reversed(last_starts)]


def _where_not(form: _Form, number: int) -> str:
    """Return which part of the template is missing in its message."""
    position = 0
    for index, literal in enumerate(form.literals):
        found = form.text.find(literal, position)
        if found < 0 or (index == 0 and found > 0):
            shown = literal.strip() or literal
            shown = shown if len(shown) <= _EXCERPT else shown[: _EXCERPT - 1] + "…"
            start = "does not start with" if index == 0 else "lacks"
            return f"message {number} {start} the prompt's text {shown!r}"
        position = found + len(literal)
    return f"message {number} does not end as the prompt does"


class _TooManyWays(Exception):
    pass


@dataclass(slots=True)
class _Effort:
    """The remaining effort of the search, in characters."""

    left: int

    def spend(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise _TooManyWays


def _solved(forms: Sequence[_Form], effort: _Effort) -> dict[str, str] | Unrecovered:
    """Return the text of each name, if the solution is unique."""
    values: dict[str, str] = {}
    narrowed = _narrowed(forms, values, effort)
    if narrowed is None:
        return Unrecovered("a value that occurs several times is not the same everywhere")
    if not narrowed:
        return values
    open_names = [name for form in narrowed for name in form.names]
    if len(set(open_names)) == len(open_names):
        return _ambiguous(narrowed)
    first: dict[str, str] | None = None
    for solution in _solutions(narrowed, values, effort):
        if first is not None:
            differ = {name for name in open_names if first[name] != solution[name]}
            return _ambiguous(narrowed, differ)
        first = solution
    return first or Unrecovered("a value that occurs several times is not the same everywhere")


def _narrowed(forms: Sequence[_Form], values: dict[str, str], effort: _Effort) -> list[_Form] | None:
    """Add all values to `values` that are determined. Return the forms that are still open; None if nothing fits.

    A known value is literal text wherever else it occurs, which may determine other values.
    """
    while True:
        known = len(values)
        rest: list[_Form] = []
        for before in forms:
            form = before.filled(values)
            effort.spend(len(form.text) + _EFFORT_PER_TRY)
            ends = form.ends()
            if ends is None:
                return None
            firsts, lasts = ends
            for index, name in enumerate(form.names):
                if firsts[index] != lasts[index] or firsts[index + 1] != lasts[index + 1]:
                    continue
                value = form.text[firsts[index] + len(form.literals[index]) : firsts[index + 1]]
                if values.setdefault(name, value) != value:
                    return None
            if any(name not in values for name in form.names):
                rest.append(form)
        if len(values) == known:
            return rest


def _solutions(forms: Sequence[_Form], values: Mapping[str, str], effort: _Effort) -> Iterator[dict[str, str]]:
    """Yield every solution, by trying each possible end of the first value."""
    form = forms[0]
    ends = form.ends()
    if ends is None:
        return
    head, after = form.literals[0], form.literals[1]
    start, last = len(head), ends[1][1]
    end = ends[0][1]
    while 0 <= end <= last:
        tried = {**values, form.names[0]: form.text[start:end]}
        rest = _narrowed(forms, tried, effort)
        if rest:
            yield from _solutions(rest, tried, effort)
        elif rest is not None:
            yield tried
        end = form.text.find(after, end + 1)
        effort.spend(1)


def _ambiguous(forms: Sequence[_Form], differ: set[str] | None = None) -> Unrecovered:
    names = dict.fromkeys(name for form in forms for name in form.names if differ is None or name in differ)
    shown = " and ".join(f"{{{{{name}}}}}" for name in names)
    adjacent = any("" in form.literals[1:-1] for form in forms)
    why = "they are adjacent" if adjacent else "the text between them also occurs inside them"
    return Unrecovered(f"where {shown} begin and end can be read in several ways: {why}", tuple(names))


def _as_variables(prompt: Prompt, texts: Mapping[str, str]) -> dict[str, Json]:
    """Return the texts as variables of a case, nested by the dots in their names, with the declared types."""
    variables: dict[str, Json] = {}
    # A name that is a prefix of another, or has a list index, is not nested.
    whole = {name for name in texts if any(other.startswith(f"{name}.") for other in texts)}
    for name, text in texts.items():
        *above, last = name.split(".")
        if any(step.isdigit() for step in (*above, last)) or _inside(above, whole):
            variables[name] = _typed(prompt, name, text)
            continue
        holder = variables
        for step in above:
            holder = holder.setdefault(step, {})
        holder[last] = _typed(prompt, name, text)
    return variables


def _inside(above: Sequence[str], whole: set[str]) -> bool:
    return any(".".join(above[:count]) in whole for count in range(1, len(above) + 1))


def _typed(prompt: Prompt, name: str, text: str) -> Json:
    """Return a text as the type that the input schema declares, if that renders to the same text."""
    try:
        schema = prompt.input_schema or {}
        for step in name.split("."):
            schema = lookup(step, schema["properties"])
        kinds = schema["type"]
        if not _TYPED & set(kinds if isinstance(kinds, list) else [kinds]):
            return text
        value = json.loads(text)
    except (KeyError, TypeError, ValueError, RecursionError):
        return text
    return value if not isinstance(value, str) and value is not None and render_value(value) == text else text

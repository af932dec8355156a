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
from promptbench.core.words import number_of
from promptbench.prompts.prompt import HistoryPlace, Prompt, Template
from promptbench.text.templates import Tag, lookup, render_value

# Bounds the search when a variable occurs several times and can be split in several ways, in characters compared.
_MAX_EFFORT = 50_000_000
_EFFORT_PER_TRY = 2_000
_TYPED = {"integer", "number", "boolean", "object", "array"}
_EXCERPT = 40
_TOO_MANY_WAYS = "there are too many ways to split the values that occur several times"


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


class _NoSolution(Exception):
    """The arguments are those of `Unrecovered`."""


def recover(prompt: Prompt, messages: Sequence[Message]) -> Recovered | Unrecovered:
    """Return the variables and conversation with which `prompt` renders `messages`, if they are unique."""
    forms: list[_Form] = []
    exact = True
    if prompt.has_blocks:
        return Unrecovered("the prompt has {{#if}} or {{#each}} blocks, from whose text no values are recovered")
    if prompt.file_names:
        return Unrecovered("the prompt has {{media …}}, and a log has no files")
    try:
        pairs, history = _align(prompt, messages)
        for number, template, message in pairs:
            form = _Form.of(template, lf(message.content))
            if form.ends() is None:
                form, exact = replace(form, text=form.text.strip()), False
            if form.ends() is None:
                raise _NoSolution(_where_not(form, number))
            forms.append(form)
        values = _Search().solve(forms)
    except _NoSolution as error:
        return Unrecovered(*error.args)
    except RecursionError:
        return Unrecovered(_TOO_MANY_WAYS)
    return Recovered(_as_variables(prompt, values), history, exact)


def _align(
    prompt: Prompt, messages: Sequence[Message]
) -> tuple[list[tuple[int, Template, Message]], tuple[Message, ...]]:
    """Return each template with its message, numbered from 1, and the conversation at `{{history}}`."""
    places = sum(isinstance(item, HistoryPlace) for item in prompt.messages)
    wanted = len(prompt.messages) - places
    extra = len(messages) - wanted
    if extra < 0 or (extra and not places) or (places and extra % places):
        least = "at least " * bool(places)
        raise _NoSolution(f"it has {number_of(len(messages), 'message')}, and the prompt {least}{wanted}")
    pairs: list[tuple[int, Template, Message]] = []
    conversations: set[tuple[Message, ...]] = set()
    rest = list(messages)
    for item in prompt.messages:
        if isinstance(item, HistoryPlace):
            conversations.add(tuple(rest[: extra // places]))
            del rest[: extra // places]
            continue
        message = rest.pop(0)
        number = len(messages) - len(rest)
        if message.role != item.role:
            raise _NoSolution(f"message {number} is the {message.role}'s, and the prompt has the {item.role}'s there")
        pairs.append((number, item, message))
    if len(conversations) > 1:
        raise _NoSolution("the prompt repeats the conversation, and the messages do not")
    return pairs, next(iter(conversations), ())


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
            if isinstance(part, str):
                literals[-1] += part
            elif isinstance(part, Tag):
                names.append(part.body)
                literals.append("")
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


@dataclass(slots=True)
class _Search:
    """A search for the values of all names. `left` is the remaining effort, in characters."""

    left: int = _MAX_EFFORT

    def spend(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise _NoSolution(_TOO_MANY_WAYS)

    def solve(self, forms: Sequence[_Form]) -> dict[str, str]:
        """Return the text of each name. Raise _NoSolution unless there is exactly one."""
        values: dict[str, str] = {}
        narrowed = self.narrow(forms, values)
        if narrowed == []:
            return values
        open_names = [name for form in narrowed or () for name in form.names]
        if narrowed and len(set(open_names)) == len(open_names):
            raise _ambiguous(narrowed, set(open_names))
        solutions = self.solutions(narrowed, values) if narrowed else iter(())
        first = next(solutions, None)
        if first is None:
            raise _NoSolution("a value that occurs several times is not the same everywhere")
        if second := next(solutions, None):
            raise _ambiguous(narrowed or (), {name for name in open_names if first[name] != second[name]})
        return first

    def narrow(self, forms: Sequence[_Form], values: dict[str, str]) -> list[_Form] | None:
        """Add all values to `values` that are determined. Return the forms that are still open; None if nothing fits.

        A known value is literal text wherever else it occurs, which may determine other values.
        """
        while True:
            known = len(values)
            rest: list[_Form] = []
            for form in (before.filled(values) for before in forms):
                self.spend(len(form.text) + _EFFORT_PER_TRY)
                ends = form.ends()
                if ends is None:
                    return None
                determined = [first == last for first, last in zip(*ends, strict=True)]
                for index, name in enumerate(form.names):
                    if determined[index] and determined[index + 1]:
                        value = form.text[ends[0][index] + len(form.literals[index]) : ends[0][index + 1]]
                        if values.setdefault(name, value) != value:
                            return None
                if any(name not in values for name in form.names):
                    rest.append(form)
            if len(values) == known:
                return rest

    def solutions(self, forms: Sequence[_Form], values: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """Yield every solution, by trying each possible end of the first value."""
        form = forms[0]
        firsts, lasts = form.ends() or ([0, -1], [0, -1])
        end = firsts[1]
        while 0 <= end <= lasts[1]:
            tried = {**values, form.names[0]: form.text[len(form.literals[0]) : end]}
            rest = self.narrow(forms, tried)
            if rest:
                yield from self.solutions(rest, tried)
            elif rest is not None:
                yield tried
            end = form.text.find(form.literals[1], end + 1)
            self.spend(1)


def _ambiguous(forms: Sequence[_Form], differ: set[str]) -> _NoSolution:
    names = dict.fromkeys(name for form in forms for name in form.names if name in differ)
    shown = " and ".join(f"{{{{{name}}}}}" for name in names)
    adjacent = any("" in form.literals[1:-1] for form in forms)
    why = "they are adjacent" if adjacent else "the text between them also occurs inside them"
    return _NoSolution(f"where {shown} begin and end can be read in several ways: {why}", tuple(names))


def _as_variables(prompt: Prompt, texts: Mapping[str, str]) -> dict[str, Json]:
    """Return the texts as variables of a case, nested by the dots in their names, with the declared types."""
    variables: dict[str, Json] = {}
    # A name that is a prefix of another, or has a list index, is not nested.
    whole = {name for name in texts if any(other.startswith(f"{name}.") for other in texts)}
    for name, text in texts.items():
        *above, last = name.split(".")
        parents = (".".join(above[:count]) for count in range(1, len(above) + 1))
        if any(step.isdigit() for step in (*above, last)) or any(parent in whole for parent in parents):
            variables[name] = _typed(prompt, name, text)
            continue
        holder = variables
        for step in above:
            holder = holder.setdefault(step, {})
        holder[last] = _typed(prompt, name, text)
    return variables


def _typed(prompt: Prompt, name: str, text: str) -> Json:
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

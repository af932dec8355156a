"""Warn about prompts, models and cases that are each valid but unlikely to work together."""

import json
import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from promptbench.checks import _options
from promptbench.checks._paths import Path, optional
from promptbench.core.canonical import canonical
from promptbench.core.errors import Code, Diagnostics, Location, Severity
from promptbench.core.files import FileValue, files_in, kind_of
from promptbench.core.types import Json
from promptbench.core.words import quoted
from promptbench.engine.prepare.lint.windows import Window, Windows, static_text, texts_of
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.engine.prepare.ruled_out import Steps, expectations
from promptbench.prompts.prompt import Prompt
from promptbench.suite.file import field_name
from promptbench.suite.models import Case, Where, WrittenCheck
from promptbench.text.near_duplicates import NearDuplicates
from promptbench.yaml.source import Source


class Lint:
    """Looks at each case once, and keeps only the few that its warnings name.

    `windows` are the context windows of the models that get the prompts, `checks` are the checks of all cases.
    `files` looks at files.
    """

    def __init__(
        self,
        variants: Sequence[Variant],
        windows: Mapping[str, Window],
        checks: Sequence[WrittenCheck] = (),
        files: "FileLint | None" = None,
    ) -> None:
        once = list({variant.hash: variant for variant in reversed(variants)}.values())[::-1]
        self._parts: list[Windows | Labels | Leaks | Overlaps | FileLint] = [
            *(Windows(replace(it, prompt=prompt), windows) for it in once for prompt in it.prompt.prompts),
            Labels(once),
            *(Leaks(variant) for variant in once),
            Overlaps(checks),
            *([files] if files else []),
        ]

    def look(self, case: Case) -> None:
        for part in self._parts:
            part.look(case)

    def report(self, found: Diagnostics) -> None:
        """Add warnings, and errors for prompts that cannot fit a context window."""
        for part in self._parts:
            part.report(found)


FieldPath = tuple[str, ...]

_ANY_ITEM = "*"  # A step of a path that stands for every item of a list.
_LABEL_CHARACTERS = 60
_LABEL_WORDS = 4
_MOST_FIELDS = 100
_MOST_VALUES = 300
# A prompt that names at least this many of the expected values lists labels, even if no two cases share one.
_LONG_LIST = 8
_MOST_WARNINGS = 10
_SHOWN = 8
# Words of a list that names only some values.
_OPEN_LIST = re.compile(r"\b(?:e\.?\s?g|z\.\s?b|such as|for (?:example|instance)|including|etc|usw)\b|…|\.\.\.", re.I)


@dataclass(slots=True)
class _Expected:
    """A value that cases expect at a path of the answer, and its cases.

    `given` counts the cases with the value in their input: the prompt need not offer what can be copied. The location
    and `case` are those of a case without it, if there is any.
    """

    path: FieldPath
    value: Json
    location: Callable[[], Location]
    case: str = ""
    cases: int = 0
    given: int = 0

    @property
    def key(self) -> tuple[type, Json]:
        # With the type, because 1 equals True in Python.
        return type(self.value), self.value


@dataclass(slots=True)
class _Field:
    """The labels that cases expect at one path of the answer.

    A field with a long text, or with too many texts, is `free` and keeps nothing.
    """

    free: bool = False
    values: dict[tuple[type, Json], _Expected] = field(default_factory=dict)

    def add(self, value: _Expected, case: Case) -> None:
        if value.key not in self.values:
            self.free = self.free or len(self.values) >= _MOST_VALUES or not _is_label(value.value)
            if self.free:
                self.values.clear()
                return
            value.case = case.name
        known = self.values.setdefault(value.key, value)
        if isinstance(value.value, str) and any(value.value in text for text in texts_of(case)):
            known.given += 1
        elif known.given == known.cases:
            known.location, known.case = value.location, case.name
        known.cases += 1


class Labels:
    """Collects what each case expects, and warns about what a prompt does not offer."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self._variants = variants
        self._fields: dict[FieldPath, _Field] = {}

    def look(self, case: Case) -> None:
        for value in {(item.path, item.key): item for item in _expected_values(case)}.values():
            if value.path not in self._fields and len(self._fields) < _MOST_FIELDS:
                self._fields[value.path] = _Field()
            if value.path in self._fields:
                self._fields[value.path].add(value, case)

    def report(self, found: Diagnostics) -> None:
        """Add warnings, not errors, because a prompt that cannot pass a case may be intended.

        What the schema of a prompt rules out is reported already.
        """
        ruled_out = {item.location for item in found}
        for variant in self._variants:
            for expected in self._fields.values():
                _report_text(variant, expected, ruled_out, found)


def _report_text(variant: Variant, expected: _Field, ruled_out: Collection[Location], found: Diagnostics) -> None:
    # A prompt lists labels if its instructions, which are the text without example answers, name most of those that
    # cases expect.
    prompt = variant.prompt
    defaults = " ".join(value if isinstance(value, str) else json.dumps(value) for value in prompt.defaults.values())
    instructions = f"{static_text(prompt, ('system', 'user'))}\n\0\n{defaults}"
    text = f"{static_text(prompt)}\n{defaults}\n{canonical(prompt.output_schema)}"
    labels = {value.value: value for value in expected.values.values() if isinstance(value.value, str)}
    if len(labels) < 3 or _OPEN_LIST.search(instructions):
        return
    named = [label for label in labels if re.search(rf"(?<!\w){re.escape(label)}(?!\w)", instructions)]
    repeated = sum(value.cases for value in labels.values()) > len(labels)
    if len(named) < 2 or 3 * len(named) < 2 * len(labels) or not (repeated or len(named) >= _LONG_LIST):
        return

    def near(label: str) -> str | None:
        # The text's spelling, if it differs only in case, spaces, dashes and underscores.
        words = r"[\s_-]*".join(map(re.escape, re.split(r"[\s_-]+", label)))
        match = re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE)
        return match[0] if match else None

    missing = [value for label, value in labels.items() if value.given < value.cases and not _is_named(label, text)]
    missing = [value for value in missing if value.location() not in ruled_out]
    about = f"'{'.'.join(missing[0].path)}'" if missing and missing[0].path else ""
    offered = f"{f' for {about}' if about else ''}, and {variant.label} names only {_join_values(named)}"
    # One warning for each of the first values, and one for the rest.
    for value in missing[:_MOST_WARNINGS]:
        more = f" (and {value.cases - 1} more cases)" if value.cases > 2 else " (and another case)" * (value.cases == 2)
        similar = near(value.value)
        found.add(
            Code.LABEL_NOT_OFFERED,
            f"the case '{value.case}'{more} expects {quoted(value.value)}{offered}",
            value.location(),
            hint=f"the prompt has {quoted(similar)}, and answers are compared as exact text"
            if similar
            else "add it to the prompt, or fix the case",
            severity=Severity.WARNING,
        )
    if rest := missing[_MOST_WARNINGS:]:
        message = f"{len(rest)} more values are expected{offered}"
        found.add(Code.LABEL_NOT_OFFERED, message, rest[0].location(), severity=Severity.WARNING)


def _is_named(label: str, text: str) -> bool:
    # It may be capitalized at the start of a sentence or line.
    capital = label[:1].upper() + label[1:]
    pattern = rf"(?<!\w){re.escape(label)}(?!\w)|(?:\A|[.!?:\n\0*•-])\s*{re.escape(capital)}(?!\w)"
    return re.search(pattern, text) is not None


def _expected_values(case: Case) -> Iterator[_Expected]:
    for root, steps, right, _ in expectations(case):
        if len(right) == 1:
            yield from _leaves(right[0], root, steps)


def _leaves(value: Json, root: Where, steps: Steps, path: FieldPath = ()) -> Iterator[_Expected]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, root, (*steps, key), (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, root, (*steps, index), (*path, _ANY_ITEM))
    elif not path and isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):  # A text that only starts like JSON is not a label.
            yield from _leaves(json.loads(value), root, steps)
    else:
        location = partial(root.location, *steps)
        yield _Expected(path, value.strip() if isinstance(value, str) else value, location)


def _is_label(value: Json) -> bool:
    # Return True if a value can be a label: a short text, or any other scalar.
    return not isinstance(value, str) or (0 < len(value) <= _LABEL_CHARACTERS and value.count(" ") < _LABEL_WORDS)


def _join_values(values: Sequence[Json]) -> str:
    shown = ", ".join(map(quoted, values[:_SHOWN]))
    return f"{shown} and {len(values) - _SHOWN} more" if len(values) > _SHOWN else shown


# An input is looked up by its first characters; the whole is compared only if these are in the prompt.
_START = 12
# Shorter texts, such as 'artificial intelligence', occur in prompts by chance.
_WORDS = 4
_NO_SPACES = "\u2e80"
_HEAD = 200
_MOST = 1_000
_NAMED = 3


class Leaks:
    """Looks for each case's input in one prompt.

    The input is all texts of a case, except short ones: a country or a product's name may be in the prompt by chance.
    The same passage with another question is another input.
    """

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._text = _flat(static_text(variant.prompt))
        starts = (at for at in range(len(self._text)) if _between_words(self._text, at))
        self._starts = {self._text[at : at + _START] for at in starts}
        self._hits: dict[str, list[str]] = {}  # The names of the cases by their input.
        self._cases = 0

    def look(self, case: Case) -> None:
        self._cases += 1
        texts = sorted(texts_of(case), key=len, reverse=True)
        longest = self._found(texts[0]) if texts else None
        if longest is None or not all(self._found(text) for text in texts[1:] if _is_long(_flat(text))):
            return
        if longest in self._hits or len(self._hits) < _MOST:
            self._hits.setdefault(longest, []).append(case.name)

    def _found(self, whole: str) -> str | None:
        if len(whole) < _START or _flat(whole[:_HEAD])[:_START] not in self._starts:
            return None
        text = _flat(whole)
        # Only whole words: "arm" is not in "farming".
        starts = (match.start() for match in re.finditer(f"(?={re.escape(text)})", self._text))
        inside = any(_between_words(self._text, at) and _between_words(self._text, at + len(text)) for at in starts)
        return text if _is_long(text) and inside else None

    def report(self, found: Diagnostics) -> None:
        """Add one warning for the prompt. A text that half of the cases share is context, not an input."""
        hits = {text: cases for text, cases in self._hits.items() if len(cases) == 1 or len(cases) * 2 < self._cases}
        if not hits:
            return
        found_names = [name for cases in hits.values() for name in cases]
        count, names = len(found_names), ", ".join(f"'{name}'" for name in found_names[:_NAMED])
        label = self._variant.label
        message = f"an example in {label} is the input of the case {names} and gives its answer away"
        if count > 1:
            which = f"{names} and {count - _NAMED} more cases" if count > _NAMED else f"the cases {names}"
            message = f"examples in {label} are the inputs of {which} and give their answers away"
        found.add(
            Code.CASE_IN_PROMPT,
            message,
            _location(self._variant.prompt, next(iter(hits))),
            hint="use an example that is not a case, or remove the case",
            severity=Severity.WARNING,
        )


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()


def _is_long(text: str) -> bool:
    # Return True if a text has enough words. Scripts without spaces, from U+2E80 on, have about one per character.
    return len(text) >= _START and text.count(" ") + 1 + sum(char >= _NO_SPACES for char in text) >= _WORDS


def _between_words(text: str, at: int) -> bool:
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    return not (before.isalnum() and after.isalnum() and max(before, after) < _NO_SPACES)


def _location(prompt: Prompt, flat: str) -> Location:
    match = re.search(r"\s+".join(map(re.escape, flat.split())), prompt.source, re.IGNORECASE)
    return (
        Source(prompt.file, prompt.source).location_at(match.start(), len(match[0])) if match else Location(prompt.file)
    )


# Short texts are equal if they have the same words in any order, without case and punctuation. A looser measure would
# confuse "what is my current salary" and "what is my current location". Longer texts are compared as near duplicates.
_MOST_PAIRS = 20_000  # Different texts that are kept.
_SHORT = 20  # Longest short text, in words: one sentence or two.
_WORD = re.compile(r"\w+")
_MOST_ALIKE = 10


@dataclass(slots=True)
class _Pair:
    """Two labels with similar examples: the first two cases, the location of the second, and the number of pairs."""

    cases: tuple[str, str]
    location: Location
    count: int = 0


class Overlaps:
    """Compares the inputs of cases with different intents, if the suite has a check `intent`."""

    def __init__(self, checks: Sequence[WrittenCheck]) -> None:
        self._paths = [path for check in checks if (path := _value_location(check)) is not None]
        self._texts = NearDuplicates()
        self._first: dict[Hashable, tuple[str, str]] = {}
        self._pairs: dict[tuple[str, str], _Pair] = {}

    def look(self, case: Case) -> None:
        label = _label(case, self._paths)
        text = "\n".join(texts_of(case))
        if label is None or not text or len(self._first) >= _MOST_PAIRS:
            return
        words = sorted(match[0] for match in _WORD.finditer(text[:1_000].casefold()))
        key: Hashable = tuple(words) if 0 < len(words) <= _SHORT else self._texts.add(text)
        other, name = self._first.setdefault(key, (label, case.name))
        if other != label:
            pair = self._pairs.setdefault(
                (other, label) if other < label else (label, other),
                _Pair((name, case.name), case.where.location("case")),
            )
            pair.count += 1

    def report(self, found: Diagnostics) -> None:
        """Add a warning for each pair of intents, those with most similar examples first."""
        for (one, other), pair in sorted(self._pairs.items(), key=lambda item: -item[1].count)[:_MOST_ALIKE]:
            more = f", and {pair.count - 1} more" if pair.count > 1 else ""
            found.add(
                Code.INTENTS_OVERLAP,
                f"the intents {quoted(one)} and {quoted(other)} have nearly the same examples: "
                f"the cases '{pair.cases[0]}' and '{pair.cases[1]}'{more}",
                pair.location,
                hint="fix the wrong label, or merge the two intents",
                severity=Severity.WARNING,
            )


def _value_location(check: WrittenCheck) -> tuple[Path | None] | None:
    # Return the path of the label in a tuple if this is a check `intent` with a valid path, else None.
    if field_name(check.name) != "intent":
        return None
    written = check.argument if isinstance(check.argument, dict) else {}
    given = {_options.option_name(str(key)): value for key, value in written.items()}
    try:
        return (optional(given.get("at")),)
    except ValueError:
        return None  # Reported when the check is built.


def _label(case: Case, paths: Sequence[tuple[Path | None]]) -> str | None:
    if not case.has_expect:
        return None
    for (path,) in paths:
        try:
            value: Json = path.find(case.expect) if path else case.expect
        except LookupError:
            continue
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
    return None


_MEGABYTE = 1024 * 1024
_MOST_LARGE = 20  # files that are too large, by name


class FileLint:
    """Looks at the files that the prompts send. `refusals` say by model why it does not take a media type, or None."""

    def __init__(
        self,
        variants: Sequence[Variant],
        refusals: Mapping[str, Callable[[str], str | None]],
        most_megabytes: float,
    ) -> None:
        self._sends = any(item.prompt.file_names for item in variants)
        self._refusals = refusals
        self._most = most_megabytes
        self._large: list[tuple[FileValue, Location]] = []
        self._first: dict[str, tuple[FileValue, Location]] = {}  # by media type

    def look(self, case: Case) -> None:
        for name, value in case.variables.items():
            for file in files_in(value):
                found = (file, case.where.location("files", name))
                self._first.setdefault(file["type"], found)
                if file["size"] > self._most * _MEGABYTE and len(self._large) < _MOST_LARGE:
                    self._large.append(found)

    def report(self, found: Diagnostics) -> None:
        """Add one error for each file that is too large, and for each model and type that it does not take."""
        for file, location in self._large:
            message = f"'{file['file']}' has {file['size'] / _MEGABYTE:.1f} MB, and the most is {self._most:g} MB"
            found.add(Code.TOO_BIG, message, location, hint="make it smaller, or set 'max-file-mb'")
        for model, refuses in self._refusals.items() if self._sends else ():
            for media, (file, location) in self._first.items():
                if reason := refuses(media):
                    message = f"{model} takes no {kind_of(media)}, as '{file['file']}' is: {reason}"
                    hint = "name a model that does, or leave the case to a suite of its own"
                    found.add(Code.FILE_NOT_TAKEN, message, location, hint=hint)

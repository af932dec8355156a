"""citations: the answer cites only documents that the model was given.

What: every citation mark in the answer, such as [1], [1, 3] or [doc-2], must be the id of one of the given documents.
    The ids are the field `id` of each in a list of documents, or 1, 2, 3 where they have none; the names in a mapping;
    and the marks at the start of the lines of a text. A mark counts when it has a digit in it or is an id, so `[sic]`
    and `[a link](…)` do not. The score is the share of the marks that are right.
When: answers from documents that must say where each statement comes from.
Options: nothing, or the name of the value that holds the documents, or: `in` the same; `at least` how many different
    documents must be cited; `pattern` another form of mark, with the id in its first group.
Example:
    checks: [{citations: {in: documents, at least: 1}}]
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from promptbench.checks import _context, _options
from promptbench.checks._paths import text_at
from promptbench.checks._scores import first_of, graded, mismatch, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject
from promptbench.schemas.patterns import SECONDS, compiled, too_slow

_MARK = re.compile(r"\[([^\[\]\n]{1,200})\](?!\()")
_LINE_MARK = re.compile(r"^[ \t]*\[([^\[\]\n]{1,80})\]", re.MULTILINE)
_DIGIT = re.compile(r"[0-9]")


@dataclass(frozen=True, slots=True)
class Citations:
    names: tuple[str, ...]
    at_least: int
    pattern: Any

    def score(self, subject: Subject) -> Score:
        answer, problem = text_at(subject, None)
        values, missing = _context.given(subject.variables, self.names)
        if problem or missing:
            return verdict("citations", problem or missing)
        known = {name for value in values for name in _ids(value)}
        try:
            marks = list(self._marks(answer, known))
        except TimeoutError:
            return verdict("citations", too_slow(self.pattern.pattern))
        right = [mark for mark in marks if mark in known]
        wrong = list(dict.fromkeys(quoted(mark) for mark in marks if mark not in known))
        if wrong:
            expected = f"one of {first_of(sorted(map(quoted, known)))}" if known else "no citation"
            return graded("citations", len(right) / len(marks), 1.0, mismatch("", expected, first_of(wrong)))
        cited = len(set(right))
        reason = mismatch("cited documents", f"at least {self.at_least}", str(cited))
        return graded("citations", min(1.0, cited / self.at_least) if self.at_least else 1.0, 1.0, reason)

    def _marks(self, answer: str, known: set[str]) -> Iterator[str]:
        if self.pattern is not None:
            for match in self.pattern.finditer(answer, timeout=SECONDS):
                yield (match[1] if match.re.groups else match[0] or "").strip()
            return
        for found in _MARK.finditer(answer):
            whole = found[1].strip()
            parts = [whole] if whole in known else [part.strip() for part in re.split("[,;]", whole)]
            yield from (part for part in parts if part in known or (_DIGIT.search(part) and " " not in part))


def _ids(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from map(str, value)
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            fields = item if isinstance(item, dict) else {}
            yield next((str(fields[name]) for name in ("id", "number", "key", "name") if name in fields), str(number))
    elif value is not None:
        yield from (match[1].strip() for match in _LINE_MARK.finditer(str(value)))


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.value_or_options(argument, "in", ("in", "at least", "pattern"))
    at_least = _options.count(given["at least"], "at least") if "at least" in given else 0
    pattern = compiled(_options.text(given["pattern"], "pattern")) if "pattern" in given else None
    return Citations(_context.named(given.get("in")), at_least, pattern)


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        {"type": "null"},
        *_options.NAMES["anyOf"],
        **{
            "in": _options.NAMES,
            "at_least": {"type": "integer", "minimum": 0},
            "pattern": {"type": "string", "format": "regex"},
        },
    ),
)

"""intent: the answer's label is the right one, and one of those there are.

What: compares the label with the one that the case names under `expect:`, at the same path; if the case names none
    it only has to be one of `labels`. The report of a run then has accuracy, F1, out-of-scope recall, confused labels
    and, where answers carry a confidence, its calibration.
When: intent detection, routing, any answer that is one of a set of labels. Write it once, under the suite's `checks:`.
Options: the right label, or: `at` the path of the label in a JSON answer, such as intent (without it the answer's text
    is the label); `labels` all labels, as a list or the name of a file beside the suite with one a line; `out of scope`
    the label of what fits none; `confidence` the path of a number from 0 to 1 in the answer; `is` the right label.
Example:
    checks: [{intent: {at: intent, labels: [book_flight, cancel_flight, oos], out of scope: oos}}]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from promptbench.checks import _files, _options
from promptbench.checks._paths import Path, optional, text_at, value_at
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.core.errors import suggest
from promptbench.plugins import Check, CheckContext, CheckSpec, ExpectingCheck, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class Intent(ExpectingCheck):
    """`wanted` is the right label, or None if the case does not name it."""

    path: Path | None
    labels: frozenset[str]
    out_of_scope: str | None
    confidence: Path | None
    wanted: str | None = None

    def score(self, subject: Subject) -> Score:
        got, problem = self.label(subject)
        if problem:
            return verdict("intent", problem)
        unknown = bool(self.labels) and got not in self.labels
        if got == self.wanted or (self.wanted is None and not unknown):
            return verdict("intent")
        where, one = self.path.written if self.path else "", f"one of the {len(self.labels)} labels"
        if self.wanted is None:
            return verdict("intent", mismatch(where, one, quoted(got)))
        more = f", which is not {one}" if unknown else ""
        return verdict("intent", mismatch(where, quoted(self.wanted), quoted(got)) + more)

    def label(self, subject: Subject) -> tuple[str, str | None]:
        """Return the answer's label, or the problem."""
        return text_at(subject, self.path)

    def confidence_of(self, subject: Subject) -> float | None:
        """Return the confidence of the answer, in [0, 1], or None if it has none."""
        value, problem = value_at(subject, self.confidence) if self.confidence else (None, "")
        if problem is not None or isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return float(value) if 0 <= value <= 1 else None

    def with_expected(self, expected: Json) -> Intent:
        if self.wanted is not None:
            return self
        try:
            value = self.path.find(expected) if self.path else expected
        except LookupError:
            return self
        if value is None or isinstance(value, (dict, list)):
            return self
        return replace(self, wanted=_known(_text(value), self.labels))


def build(argument: Json, context: CheckContext) -> Check:
    given = (
        {}
        if argument is None
        else _options.value_or_options(argument, "is", ("at", "labels", "out of scope", "confidence", "is"))
    )
    listed = _files.read_labels(given["labels"], context) if "labels" in given else ()
    outside = _options.text(given["out of scope"], "out of scope") if "out of scope" in given else None
    known = frozenset((*listed, *((outside,) if listed and outside is not None else ())))
    wanted = _known(_text(given["is"]), known) if "is" in given else None
    return Intent(optional(given.get("at")), known, outside, optional(given.get("confidence")), wanted)


def fingerprint(argument: Json, context: CheckContext) -> Json:
    labels = argument.get("labels") if isinstance(argument, dict) else None
    return list(_files.read_labels(labels, context)) if isinstance(labels, str) else None


def _known(label: str, labels: frozenset[str]) -> str:
    if labels and label not in labels:
        meant = suggest(label, sorted(labels), "add it to 'labels', or fix the case")
        raise ValueError(f"{quoted(label)} is not one of the {len(labels)} labels: {meant}")
    return label


def _text(value: Json) -> str:
    return _options.texts([value])[0].strip()


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        {"type": ["string", "number", "boolean", "null"]},
        **{
            "at": _options.PATH,
            "labels": {"anyOf": [{"type": "string"}, {"type": "array", "items": _options.TEXT, "minItems": 1}]},
            "out_of_scope": _options.TEXT,
            "confidence": _options.PATH,
            "is": _options.TEXT,
        },
    ),
    fingerprint=fingerprint,
)

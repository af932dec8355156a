"""intent: the answer's label is the right one, and one of those there are.

What: compares the label with the one that the case names under `expect:`, at the same place; where the case names none
    it only has to be one of `labels`. The report of a run then has accuracy, F1, out-of-scope recall, confused labels
    and, where answers carry a confidence, its calibration.
When: intent detection, routing, any answer that is one of a set of labels. Write it once, under the suite's `checks:`.
Options: the right label, or: `at` the place of the label in a JSON answer, such as intent (without it the answer's text
    is the label); `labels` all labels, as a list or the name of a file beside the suite with one a line; `out of scope`
    the label of what fits none; `confidence` the place of a number from 0 to 1 in the answer; `is` the right label.
Example:
    checks: [{intent: {at: intent, labels: [book_flight, cancel_flight, oos], out of scope: oos}}]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptbench.checks import _label_file, _options
from promptbench.checks._paths import Path, optional, text_at, value_at
from promptbench.checks._words import quoted, texts, verdict
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

_KNOWN = ("at", "labels", "out of scope", "confidence", "is")
_TEXT: Json = {"type": ["string", "number", "boolean"]}
_PLACE: Json = {"type": ["string", "integer"]}
argument_schema: Json = {
    "anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {
            "type": "object",
            "properties": {
                "at": _PLACE,
                "labels": {"anyOf": [{"type": "string"}, {"type": "array", "items": _TEXT, "minItems": 1}]},
                "out of scope": _TEXT,
                "confidence": _PLACE,
                "is": _TEXT,
            },
        },
    ]
}


@dataclass(frozen=True, slots=True)
class Intent:
    """`wanted` is the right label; None where the case does not tell it."""

    path: Path | None
    labels: frozenset[str]
    out_of_scope: str | None
    confidence: Path | None
    wanted: str | None = None

    def score(self, subject: Subject) -> Score:
        got, problem = self.label(subject)
        if problem:
            return verdict("intent", [problem])
        what = self.path.written if self.path else "the answer"
        unknown = bool(self.labels) and got not in self.labels
        if self.wanted is None:
            return verdict("intent", [f"{what} is {quoted(got)}, {self._none_of()}"] if unknown else [])
        if got == self.wanted:
            return verdict("intent", [])
        more = f", and {self._none_of()}" if unknown else ""
        return verdict("intent", [f"{what} is {quoted(got)}, not {quoted(self.wanted)}{more}"])

    def label(self, subject: Subject) -> tuple[str, str | None]:
        """What the answer says, and why that cannot be read."""
        return text_at(subject, self.path)

    def sureness(self, subject: Subject) -> float | None:
        """The confidence of the answer, in [0, 1]; None where it has none."""
        value, problem = value_at(subject, self.confidence) if self.confidence else (None, "")
        if problem is not None or isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return float(value) if 0 <= value <= 1 else None

    def informed(self, expected: Json) -> Intent:
        """The check with the label that a case expects at its place. Raises ValueError when that is no label."""
        if self.wanted is not None:
            return self
        try:
            value = self.path.find(expected) if self.path else expected
        except LookupError:
            return self
        if value is None or isinstance(value, (dict, list)):
            return self
        return replace(self, wanted=_known(_text(value), self.labels))

    def _none_of(self) -> str:
        return f"none of the {len(self.labels)} labels"


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when the labels cannot be read, or the right one is not among them."""
    given = {} if argument is None else _options.value_or_options(argument, "is", _KNOWN)
    listed = _label_file.labels(given["labels"], context) if "labels" in given else ()
    outside = _options.text(given["out of scope"], "out of scope") if "out of scope" in given else None
    known = frozenset((*listed, *((outside,) if listed and outside is not None else ())))
    wanted = _known(_text(given["is"]), known) if "is" in given else None
    return Intent(optional(given.get("at")), known, outside, optional(given.get("confidence")), wanted)


def fingerprint(argument: Json, context: CheckContext) -> Json:
    """The labels in the file that is named, where one is."""
    labels = argument.get("labels") if isinstance(argument, dict) else None
    return list(_label_file.labels(labels, context)) if isinstance(labels, str) else None


def _known(label: str, labels: frozenset[str]) -> str:
    """The label. Raises ValueError when there are labels and it is none of them."""
    if labels and label not in labels:
        guess = did_you_mean(label, sorted(labels))
        meant = f"did you mean '{guess}'?" if guess else "add it to 'labels', or mend the case"
        raise ValueError(f"{quoted(label)} is none of the {len(labels)} labels: {meant}")
    return label


def _text(value: Json) -> str:
    """Raises ValueError."""
    found: Sequence[str] = texts([value])
    return found[0].strip()

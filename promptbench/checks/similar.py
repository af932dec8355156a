"""similar: the answer is written much like a reference.

What: chrF2 (Popović 2015): how many runs of one to six characters the answer and the reference share, recall counting
    twice; 0 is nothing in common, 1 the same text up to white space. Of several references the best counts. It compares
    letters and not meaning: a right answer in other words scores low.
When: translations and rewritings with a model answer; a coarse net under a text that should not drift.
Options: `to` the reference, one text or a list; `at least` the score that is enough, 0.6 by default; `at` the path in a
    JSON answer; `ignore` what does not count: case, white space, punctuation, accents, unicode. A plain text is the
    reference.
Example:
    checks: [{similar: {to: Your refund is on its way., at least: 0.7}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._scores import graded, mismatch, quoted, verdict
from promptbench.metrics.chrf import chrf
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

_AT_LEAST = 0.6
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Similar:
    references: tuple[str, ...]
    at_least: float
    path: Path | None
    normal: Normal

    def score(self, subject: Subject) -> Score:
        text, problem = text_at(subject, self.path)
        if not problem and len(text) > _MOST:
            problem = f"the answer is too long to compare: more than {_MOST:,} characters"
        if problem:
            return verdict("similar", problem)
        text = self.normal.text(text)
        return graded(
            "similar",
            max(chrf(text, self.normal.text(reference)) for reference in self.references),
            self.at_least,
            mismatch("", f"a text like {' or '.join(map(quoted, self.references[:3]))}", quoted(text)),
        )


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.value_or_options(argument, "to", ("to", "at least", "at", "ignore"))
    references = _options.texts(given.get("to"))
    if any(len(reference) > _MOST for reference in references):
        raise ValueError(f"a reference can have {_MOST:,} characters at most")
    normal = _normal.normal(given.get("ignore"))
    return Similar(tuple(references), _options.at_least(given, _AT_LEAST), optional(given.get("at")), normal)


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        *_options.TEXTS["anyOf"],
        required=["to"],
        to=_options.TEXTS,
        at_least=_options.AMOUNT,
        at=_options.PATH,
        ignore=_normal.SCHEMA,
    ),
)

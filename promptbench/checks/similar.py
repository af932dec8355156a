"""similar: the answer is written much like a reference, or means much the same.

What: chrF2 (Popović 2015): how many runs of one to six characters the answer and the reference share, recall counting
    twice; 0 is nothing in common, 1 the same text up to white space. Of several references the best counts. It compares
    letters and not meaning: a right answer in other words scores low. `by` a model compares meaning: the score is the
    cosine of the model's embeddings of answer and reference, at least 0. Its calls are recorded, paid and resumed as
    those of a judge; without an embedding, the answer is errored, never failed.
When: translations and rewritings with a model answer; a coarse net under a text that should not drift.
Options: `to` the reference, one text or a list; `at least` the score that is enough, 0.6 by default and without default
    for a model, as it is another for each; `by` a model such as openai/text-embedding-3-small, a model of
    openai_compatible or azure_openai, or a function such as python/embed.py:embed, which gets {text: …} and returns a
    list of numbers; `at` the path in a JSON answer; `ignore` what does not count, but not for a model: case, white
    space, punctuation, accents, unicode. A plain text is the reference.
Example:
    checks: [{similar: {to: Your refund is on its way., at least: 0.7}}]
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul

from promptbench.checks import _normal, _options
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._scores import graded, mismatch, quoted, verdict
from promptbench.core.allowed_code import locate, split_name
from promptbench.core.canonical import digest, digest_text, without_halves
from promptbench.core.types import Message
from promptbench.plugins import (
    Answer,
    Check,
    CheckContext,
    CheckSpec,
    Json,
    JudgedCheck,
    ModelRef,
    Request,
    Score,
    Subject,
)

# Popović: chrF: character n-gram F-score for automatic MT evaluation, WMT 2015. With P the mean over n = 1 … 6 of the
# share of the answer's n-grams that are in the reference, and R that of the reference's that are in the answer,
#
#     chrFβ = (1 + β²) · P · R / (β² · P + R)
#
# White space is left out, as in the paper. β is 2, so that recall counts twice, and an n that one of the texts is too
# short for is left out of the means: both as sacreBLEU 2 does by default.
ORDER = 6
BETA = 2.0


def chrf(answer: str, reference: str) -> float:
    """Return chrF2 in [0, 1]. Two empty texts are equal. Time is linear in both texts, memory in the reference."""
    got, wanted = ("".join(text.split()) for text in (answer, reference))
    if not got or not wanted:
        return float(got == wanted)
    precisions, recalls = [], []
    for size in range(1, min(ORDER, len(got), len(wanted)) + 1):
        left = Counter(wanted[at : at + size] for at in range(len(wanted) - size + 1))
        total, shared = len(got) - size + 1, 0
        for at in range(total):
            gram = got[at : at + size]
            if left.get(gram, 0):
                left[gram] -= 1
                shared += 1
        precisions.append(shared / total)
        recalls.append(shared / (len(wanted) - size + 1))
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    if not precision + recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


# Characters of a text. Models of today take about 8,000 tokens, and the provider refuses what is too long for one.
LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class SimilarMeaning(JudgedCheck):
    """A model embeds the answer and the references. `state` is the hash of a model that is a Python file."""

    judges: tuple[ModelRef]
    references: tuple[str, ...]
    at_least: float
    path: Path | None
    state: str | None
    criterion: str
    config: Mapping[str, Json] = field(default_factory=dict)

    embeds = True
    counts = True
    standing = "an embedding needs no agreement with people"

    @property
    def identity(self) -> str:
        path = self.path.written if self.path else None
        return digest([str(self.judges[0]), self.state, list(self.references), self.at_least, path])

    def without_agreement(self) -> SimilarMeaning:
        return self

    def requests(self, subject: Subject) -> list[Request]:
        text, problem = self._text(subject)
        return [] if problem else [self._request(item) for item in (text, *self.references)]

    def conclude(self, subject: Subject, answers: Sequence[Answer | None]) -> Score:
        text, problem = self._text(subject)
        if problem:
            return verdict("similar", problem)
        own, *others = [_vector(answer) for answer in answers]
        lengths = sorted({len(vector) for vector in (own, *others)})
        problem = None
        if None in answers:
            problem = "was not called, or did not answer"
        elif not lengths[0]:
            problem = "returns no list of numbers"
        elif len(lengths) > 1:
            problem = f"returns embeddings of {' and '.join(map(str, lengths))} numbers"
        if problem:
            return Score("similar", False, 0.0, f"{self.judges[0]} {problem}", errored=True)
        value = max(0.0, *(_cosine(own, other) for other in others))
        expected = f"a text that means {' or '.join(map(quoted, self.references[:3]))}"
        return graded("similar", value, self.at_least, mismatch("", expected, quoted(text)))

    def verdict(self, answer: Answer) -> str | None:
        vector = _vector(answer)
        return f"{len(vector)} numbers" if vector else None

    def _text(self, subject: Subject) -> tuple[str, str | None]:
        text, problem = text_at(subject, self.path)
        if not problem and not text:
            problem = "the answer is empty"
        if not problem and len(text) > LONGEST:
            problem = f"the answer is too long to compare: more than {LONGEST:,} characters"
        return text, problem

    def _request(self, text: str) -> Request:
        whole = without_halves(text)  # A provider would refuse half a character.
        params = {"sha256": self.state} if self.state else {}
        return Request(self.judges[0], (Message("user", whole),), params, None, {"text": whole}, 0, embeds=True)


def _vector(answer: Answer | None) -> list[float]:
    """Return the numbers of an embedding; none if it is not one."""
    try:
        found = json.loads(answer.text) if answer else None
    except (ValueError, RecursionError):
        return []
    numbers = found if isinstance(found, list) else []
    return numbers if all(isinstance(item, (int, float)) and math.isfinite(item) for item in numbers) else []


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of the angle between two vectors; 0 if one of them is zero."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(map(mul, one, other)) / lengths if lengths else 0.0


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
    given = _options.value_or_options(argument, "to", ("to", "at least", "by", "at", "ignore"))
    references = _options.texts(given.get("to"))
    if any(len(reference) > _MOST for reference in references):
        raise ValueError(f"a reference can have {_MOST:,} characters at most")
    if "by" in given:
        return _by_model(given, tuple(references), context)
    normal = _normal.normal(given.get("ignore"))
    return Similar(tuple(references), _options.at_least(given, _AT_LEAST), optional(given.get("at")), normal)


def _by_model(given: Mapping[str, Json], references: tuple[str, ...], context: CheckContext) -> SimilarMeaning:
    model = _options.model(given["by"])
    if any(len(reference) > LONGEST for reference in references):
        raise ValueError(f"a reference can have {LONGEST:,} characters at most")
    if "ignore" in given:
        raise ValueError("'ignore' is about letters, and 'by' compares meaning: leave one of them out")
    if "at least" not in given:
        raise ValueError("'at least' is missing: with 'by' it has no default, because it is another for each model")
    return SimilarMeaning(
        judges=(model,),
        references=references,
        at_least=_options.at_least(given),
        path=optional(given.get("at")),
        state=_state(model, context),
        criterion=f"similar to {quoted(references[0])}",
    )


def fingerprint(argument: Json, context: CheckContext) -> Json:
    """Return the hash of the function that embeds, if it is one."""
    written = argument.get("by") if isinstance(argument, dict) else None
    return _state(_options.model(written), context) if written is not None else None


def _state(model: ModelRef, context: CheckContext) -> str | None:
    parts = split_name(model.name) if model.provider == "python" else None
    path = locate(parts[0], context.folder, context.root or context.folder) if parts else None
    try:
        return digest_text(path.read_text(encoding="utf-8-sig")) if path else None
    except (OSError, UnicodeDecodeError):
        return None  # The provider reports it.


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        *_options.TEXTS["anyOf"],
        required=["to"],
        to=_options.TEXTS,
        at_least=_options.AMOUNT,
        by={"type": "string"},
        at=_options.PATH,
        ignore=_normal.SCHEMA,
    ),
    fingerprint=fingerprint,
)

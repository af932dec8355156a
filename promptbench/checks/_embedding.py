"""Compare an answer with references by the cosine of their embeddings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul

from promptbench.checks._paths import Path, text_at
from promptbench.checks._scores import graded, mismatch, quoted, verdict
from promptbench.core.canonical import digest
from promptbench.core.types import Message
from promptbench.plugins import Answer, Json, JudgedCheck, ModelRef, Request, Score, Subject

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
        # Half a character, which a provider would refuse, becomes the replacement character.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
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

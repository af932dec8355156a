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

from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._embedding import LONGEST, SimilarMeaning
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._scores import graded, mismatch, quoted, verdict
from promptbench.core.allowed_code import locate, split_name
from promptbench.core.canonical import digest_text
from promptbench.metrics.chrf import chrf
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, ModelRef, Score, Subject

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

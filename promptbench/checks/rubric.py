"""rubric: a model judges whether the answer meets a criterion.

What: asks a judge, which is a model of its own, whether the answer meets the criterion, and takes its verdict with a
    reason. The judge sees the answer and what `sees` names, and not which prompt or model answered. Several judges or
    repeats decide by majority; without one, or where a judge gives no verdict that can be read, the answer is errored,
    never failed. Until `promptbench agree` has recorded that the judge agrees with people, the check is advisory: it is
    reported and decides nothing.
When: what no rule says, such as tone, helpfulness, or whether a text explains something.
Options: `judge` a model with its version, or a list of models; `passes if` the criterion; `sees` the values of the case
    that the judge may see; `reference` an answer that meets the criterion, shown in both orders, which must not matter;
    `repeats` how often each judge is asked, 1 as a rule; `scale` 1 to 5 instead of yes or no, and `at least` the rating
    that passes, 4 as a rule; `config` what is sent as in a prompt's config, {temperature: 0} where the judge takes it;
    `agreement` the least lower bound of kappa with which the check counts, 0.4 as a rule.
Example:
    checks: [{rubric: {judge: openai/gpt-4.1-mini-2025-04-14, passes if: the answer apologises and names a date}}]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.checks import _agreement, _context, _judging, _options
from promptbench.checks._words import quoted, texts
from promptbench.core.canonical import digest
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Answer, Json, ModelRef, Request, Score

_KNOWN = ("judge", "passes if", "sees", "reference", "repeats", "scale", "at least", "config", "agreement")
_SCALES = ("yes or no", "1 to 5")
_MOST_REPEATS = 9
_LONGEST = 100_000
"""Characters of an answer that a judge is shown. A longer one has run away, which is the answer's fault."""
_SHOWN = 300
ENOUGH = 0.4
"""Landis and Koch (1977, Biometrics 33:159–174) call kappa above 0.4 moderate agreement, and below it fair at best."""

_TEXTS: Json = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
argument_schema: Json = {
    "type": "object",
    "properties": {
        "judge": _TEXTS,
        "passes if": {"type": "string"},
        "sees": _TEXTS,
        "reference": {"type": "string"},
        "repeats": {"type": "integer", "minimum": 1, "maximum": _MOST_REPEATS},
        "scale": {"enum": list(_SCALES)},
        "at least": {"type": "integer", "minimum": 2, "maximum": 5},
        "config": {"type": "object"},
        "agreement": {"type": ["number", "string"]},
    },
}


@dataclass(frozen=True, slots=True)
class _Terms:
    """All that decides what the judges are asked and how their verdicts are counted."""

    judges: tuple[ModelRef, ...]
    criterion: str
    sees: tuple[str, ...]
    reference: str | None
    repeats: int
    at_least: int | None
    """The rating that passes; None for yes or no."""
    config: Mapping[str, Json] | None

    @property
    def rated(self) -> bool:
        return self.at_least is not None

    @property
    def orders(self) -> tuple[bool, ...]:
        """Whether the reference comes first, for each order in which the two are shown."""
        return (False,) if self.reference is None else (False, True)

    @property
    def identity(self) -> str:
        """`sha256:<hex>` over the terms and the built-in prompt: what an agreement with people is about."""
        return digest(
            {
                "prompt": _judging.PROMPT_HASH,
                "judges": [str(judge) for judge in self.judges],
                "passes if": self.criterion,
                "sees": list(self.sees),
                "reference": self.reference,
                "repeats": self.repeats,
                "at least": self.at_least,
                "config": self.config,
            }
        )


@dataclass(frozen=True, slots=True)
class _Vote:
    """What one judge says in one repeat. `passes` is None without a verdict, and `why` says why."""

    passes: bool | None
    value: float
    why: str


@dataclass(frozen=True, slots=True)
class Rubric:
    """`agreement` is what is on record for these terms, `needed` the lower bound of kappa from which it is enough."""

    terms: _Terms
    agreement: _agreement.Agreement | None
    needed: float

    @property
    def counts(self) -> bool:
        kappa = self.agreement.kappa if self.agreement else None
        return kappa is not None and kappa.low >= self.needed

    @property
    def standing(self) -> str:
        kappa = self.agreement.kappa if self.agreement else None
        if self.agreement is None or kappa is None:
            return "no agreement with people is on record"
        found = f"kappa {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f}, {self.agreement.counts.total} answers)"
        return found if self.counts else f"{found}, and its lower bound must reach {self.needed:g}"

    @property
    def judges(self) -> tuple[ModelRef, ...]:
        return self.terms.judges

    @property
    def config(self) -> Mapping[str, Json] | None:
        return self.terms.config

    @property
    def criterion(self) -> str:
        return self.terms.criterion

    @property
    def identity(self) -> str:
        return self.terms.identity

    def unproven(self) -> Rubric:
        return replace(self, agreement=None)

    def score(self, subject: Subject) -> Score:
        return self.conclude(subject, [None for _ in self.questions(subject)])

    def questions(self, subject: Subject) -> list[Request]:
        terms = self.terms
        if self._cannot_be_judged(subject) is not None:
            return []
        material = _judging.Material(
            subject.text, {name: subject.variables[name] for name in terms.sees}, terms.reference
        )
        schema = _judging.schema(rated=terms.rated)
        return [
            Request(
                model=judge,
                messages=_judging.messages(
                    terms.criterion, material, rated=terms.rated, swapped=bool(repeat % 2), reference_first=first
                ),
                params={"temperature": 0} if terms.config is None else terms.config,
                output_schema=schema,
                variables={},
                repeat=repeat,
            )
            for judge in terms.judges
            for repeat in range(terms.repeats)
            for first in terms.orders
        ]

    def conclude(self, subject: Subject, answers: Sequence[Answer | None]) -> Score:
        weight = 1.0 if self.counts else 0.0
        fault = self._cannot_be_judged(subject)
        if fault is not None:
            return Score("rubric", False, 0.0, fault, weight)
        votes = list(self._votes(answers))
        most = len(votes) / 2
        passed, failed = (sum(vote.passes is said for vote in votes) for said in (True, False))
        value = sum(vote.value for vote in votes) / len(votes)
        if passed > most:
            return Score("rubric", True, value, "", weight)
        if failed > most:
            why = next(vote.why for vote in votes if vote.passes is False)
            return Score("rubric", False, value, why, weight)
        reasons = Counter(vote.why for vote in votes if vote.passes is None)
        why = "; ".join(reason for reason, _ in reasons.most_common(2)) or "the judges are divided"
        if passed or failed:
            why = f"no majority: {passed} for it, {failed} against it" + (f"; {why}" if reasons else "")
        return Score("rubric", False, 0.0, why, weight, errored=True)

    def verdict(self, answer: Answer) -> str | None:
        """What one answer of a judge says; None where it has no verdict."""
        found = _judging.verdict(answer, rated=self.terms.rated)
        return None if found is None else str(found.said)

    def _cannot_be_judged(self, subject: Subject) -> str | None:
        if len(subject.text) > _LONGEST:
            return f"the answer has {len(subject.text):,} characters, and a judge is shown {_LONGEST:,} at the most"
        if self.terms.sees:
            _, missing = _context.given(subject.variables, self.terms.sees)
            return missing
        return None

    def _votes(self, answers: Sequence[Answer | None]) -> Iterator[_Vote]:
        """A vote for each judge and repeat, of all orders in which it saw the answer."""
        size = len(self.terms.orders)
        for number in range(0, len(answers), size):
            judge = self.judges[number // size // self.terms.repeats]
            votes = [self._vote(judge, answer) for answer in answers[number : number + size]]
            silent = [vote for vote in votes if vote.passes is None]
            if silent:
                yield silent[0]
            elif len({vote.passes for vote in votes}) > 1:
                yield _Vote(None, 0.0, f"{judge} says yes or no by which text it sees first")
            else:
                yield _Vote(votes[0].passes, sum(vote.value for vote in votes) / size, votes[0].why)

    def _vote(self, judge: ModelRef, answer: Answer | None) -> _Vote:
        if answer is None:
            return _Vote(None, 0.0, f"{judge} was not asked, or did not answer")
        known = self.agreement.judges.get(str(judge), ()) if self.counts and self.agreement else None
        if known is not None and answer.model not in known:
            return _Vote(
                None,
                0.0,
                f"{judge} answers as {quoted(answer.model)}, and agreement was recorded with {', '.join(known)}: "
                "run `promptbench agree` again",
            )
        found = _judging.verdict(answer, rated=self.terms.rated)
        if found is None:
            return _Vote(None, 0.0, f"{judge} gives no verdict that can be read")
        reason = " ".join(found.reason.split())
        reason = reason if len(reason) <= _SHOWN else reason[: _SHOWN - 1] + "…"
        if isinstance(found.said, str):
            return _Vote(found.said == _judging.PASS, float(found.said == _judging.PASS), f"{judge}: {reason}")
        passes = found.said >= (self.terms.at_least or 0)
        return _Vote(passes, (found.said - 1) / 4, f"{judge} gives {found.said} of 5: {reason}")


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when an option is wrong, or the agreement on record cannot be used."""
    terms, needed = _read(argument)
    return Rubric(terms, _agreement.read_all(context.folder).get(terms.identity), needed)


def fingerprint(argument: Json, context: CheckContext) -> Json:
    """The built-in prompt, and the agreement that decides whether the check counts."""
    try:
        terms, _ = _read(argument)
        agreement = _agreement.read_all(context.folder).get(terms.identity)
    except ValueError:
        return None
    return {"prompt": _judging.PROMPT_HASH, "agreement": agreement.finding if agreement else None}


def _read(argument: Json) -> tuple[_Terms, float]:
    """The terms, and the lower bound of kappa that is needed. Raises ValueError."""
    given = _options.options(argument, _KNOWN)
    for name in ("judge", "passes if"):
        if name not in given:
            raise ValueError(f"'{name}' is missing")
    scale = _options.choice(given.get("scale", _SCALES[0]), "scale", _SCALES)
    if "at least" in given and scale != _SCALES[1]:
        raise ValueError("'at least' is a rating: write 'scale: 1 to 5' beside it")
    at_least = _whole(given.get("at least", 4), "at least", 2, 5) if scale == _SCALES[1] else None
    config = given.get("config")
    if "config" in given and not isinstance(config, dict):
        raise ValueError("'config' takes 'name: value' lines, as a prompt's config; {} sends none")
    terms = _Terms(
        judges=_judges(given["judge"]),
        criterion=_options.text(given["passes if"], "passes if").strip(),
        sees=tuple(texts(given["sees"])) if "sees" in given else (),
        reference=_options.text(given["reference"], "reference") if "reference" in given else None,
        repeats=_whole(given.get("repeats", 1), "repeats", 1, _MOST_REPEATS),
        at_least=at_least,
        config=config,
    )
    return terms, _options.share(given.get("agreement", ENOUGH), "agreement")


def _judges(written: Json) -> tuple[ModelRef, ...]:
    judges = []
    for name in texts(written):
        try:
            ref = ModelRef.parse(name)
        except ValueError:
            raise ValueError(f"{quoted(name)} is not a model: write it as provider/name") from None
        if ref.name.lower().endswith("latest"):
            raise ValueError(f"{quoted(name)} is another model tomorrow: name the judge with its version")
        judges.append(ref)
    if len(set(judges)) < len(judges):
        raise ValueError("a judge is named twice: 'repeats' asks each judge several times")
    return tuple(judges)


def _whole(value: Json, name: str, least: int, most: int) -> int:
    number = _options.count(value, name)
    if not least <= number <= most:
        raise ValueError(f"'{name}' is {number}: give {least} to {most}")
    return number

"""Cases as they are asked: those of the suite and those of its logs, with their checks built and red first proven."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from promptbench.core.canonical import ListDigest, canonical, digest
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity, did_you_mean
from promptbench.core.protocols import Check, CheckContext, JudgedCheck
from promptbench.core.types import Json, LoggedCall
from promptbench.project import checks
from promptbench.project.bench import BASELINE, PreparedCase, PreparedCases
from promptbench.project.conversation import conversation_of
from promptbench.project.evaluate import Answers, Evaluation, Judged, evaluate, nobody
from promptbench.project.inputs import CallInput, input_of
from promptbench.project.quarantine import report_quarantine
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import Case, CaseFile, CheckSpec, Suite, field_name
from promptbench.text.templates import is_name


@dataclass(frozen=True, slots=True)
class PromptInPlay:
    """A prompt that the cases will be asked with; the first one is a candidate and speaks for the baseline."""

    prompt: Prompt
    label: str


class CaseBuilder:
    """Builds the cases of one suite. A scan comes first; what is wrong with them then goes to `found`."""

    def __init__(
        self,
        suite: Suite,
        prompts: Sequence[PromptInPlay],
        found: Diagnostics,
        *,
        has_baseline: bool,
        root: Path,
        allowed_code: Sequence[str],
        said: Answers = nobody,
    ) -> None:
        self._suite = suite
        self._prompts = prompts
        self._found = found
        self._has_baseline = has_baseline
        self._said = said
        self._bare = CheckContext(suite.folder, None, root, allowed_code)
        self._contexts = [(replace(self._bare, output_schema=schema), hashes) for schema, hashes in _by_schema(prompts)]
        self._asked, self._own = ListDigest(), ListDigest()
        self._taken: ListDigest | None = None
        """How the gate takes single cases; None where it takes all alike."""
        self.judged: dict[str, tuple[JudgedCheck, Location]] = {}
        """The checks that ask judges, by their identity, each with where it is written first."""
        self._shared = self._built(suite.checks)
        self._asks_of_all = canonical([suite.accept, checks.as_hashed(suite.checks, self._bare), suite.threshold])
        self._was: dict[str, tuple[str, ...]] = {}
        self.calls: dict[str, tuple[LoggedCall, ...]] = {}
        """The logged calls that fail the checks of a case, by its name."""

    def scan(
        self, calls: Sequence[LoggedCall], selects: Callable[[PreparedCase], bool], look: Callable[[Case], None]
    ) -> PreparedCases:
        """All cases that `selects` wants, those of the log last; every other is built too, and `look` sees them all.

        A logged call with the input of a case belongs to that case.
        """
        logged = self._by_input(calls)
        cases = PreparedCases(self._rebuilt, self._suite.gate.tags)
        names = set()
        apart: list[Case] = []
        count = 0
        for case in self._suite.cases.scan(self._found):
            look(case)
            count += 1
            apart += [case] if case.quarantine else []
            specs = checks.as_hashed(case.checks, self._bare)
            own = self._own.add([case.name, specs, case.has_expect, case.expect, case.threshold])
            if logged:
                names.add(case.name)
            key = _input_hash(case.variables, [message.as_dict() for message in case.messages]) if logged else None
            _, same = logged.pop(key, (None, [])) if key else (None, [])
            built = self._case(case, same)
            if built is not None and selects(built):
                self._add(cases, built, own, held=case.where.document is self._suite.document)
        report_quarantine(apart, count, self._found)
        for given, group in logged.values():
            built = self._from_log(given, group, names)
            if built is not None and selects(built):
                self._add(cases, built, "", held=True)
        cases.share(self._suite.cases.numbers)
        return cases

    def build(self, case: Case) -> PreparedCase | None:
        """One case, without the logs; None, with what is wrong in `found`, when it cannot be asked."""
        return self._case(case, ())

    def _by_input(self, calls: Sequence[LoggedCall]) -> dict[str, tuple[CallInput, list[LoggedCall]]]:
        """The calls by what they put into the prompt; one of which that is unknown is told, and left out."""
        prompts = [item.prompt for item in self._prompts]
        logged: dict[str, tuple[CallInput, list[LoggedCall]]] = {}
        for call in calls if prompts else ():
            # What is in production stands last, and most likely made the log.
            given = input_of(call, prompts[::-1], prompts)
            if isinstance(given, str):
                message = f"the logged call '{call.id}' cannot be put into another prompt: {given}"
                hint = "log the variables as 'vars', or take the call out of the log"
                self._found.add(Code.BAD_LOG, message, self._suite.location(("log",)), hint=hint)
                continue
            key = _input_hash(given.variables, [message.as_dict() for message in given.history])
            logged.setdefault(key, (given, []))[1].append(call)
        return logged

    def _add(self, cases: PreparedCases, case: PreparedCase, own: str, *, held: bool) -> None:
        """Adds a case, of which `own` says what its author asks of its answers."""
        asked = self._asked.add([case.name, dict(case.variables), [message.as_dict() for message in case.history]])
        tags = sorted(self._suite.gate.tags.keys() & case.tags)
        if case.critical or tags or case.cluster or case.quarantine:
            self._taken = self._taken or ListDigest()
            review_by = case.quarantine.review_by if case.quarantine else None
            self._taken.add([case.name, case.critical, tags, case.cluster, review_by])
        content = sha256(f"{self._asks_of_all}{asked}{own}".encode()).digest()[:8]
        cases.add(case, int.from_bytes(content, "big", signed=True), held=held)

    def _rebuilt(self, name: str) -> PreparedCase:
        """A case of the scan before, built again."""
        case = self._suite.cases[name]
        return self._as_asked(case, self._built(own_specs(case)), self._was.get(name, ()))

    @property
    def suite_hash(self) -> str:
        """Over the inputs of all cases that are asked, and over how the gate takes those that it takes in a way of
        their own: what is critical, tags that it names, clusters, quarantine.
        """
        return digest([self._asked.value, self._taken.value]) if self._taken else self._asked.value

    @property
    def checks_hash(self) -> str:
        """Over all checks as written, with the accept level: what a score means. A prompt's output schema is part of
        its version, so that a version means the same whatever it is judged beside.
        """
        suite = self._suite
        shared = checks.as_hashed(suite.checks, self._bare)
        return digest([suite.accept, shared, suite.threshold, self._own.value])

    def _case(self, case: Case, calls: Sequence[LoggedCall]) -> PreparedCase | None:
        sound = self._check_variables(case) and self._shared.sound
        specs = own_specs(case)
        if not specs and not self._suite.checks and not _has_slips(case):
            hint = "say what should come back under 'expect:', or add 'checks:'"
            if case.has_wish:
                hint = "'should be:' is an example that must pass: what is compared stands under 'expect:'"
            location = case.where.location("case")
            self._found.add(Code.NO_CHECKS, "nothing can fail this case: it has no checks", location, hint=hint)
            sound = False
        own = self._built(specs)
        if not (sound and own.sound and self._prompts):
            return None
        try:
            built = self._as_asked(case, own, ())
        except ValueError as error:
            message = f"'{case.name}' expects what cannot be right: {error}"
            self._found.add(Code.BAD_VALUE, message, case.where.location("expect"))
            return None
        self._check_red(case, built)
        was = (*((case.was,) if case.was is not None else ()), *self._red_answers(calls, built))
        if calls:
            self._was[case.name] = was
        return replace(built, was=was) if was else built

    def _as_asked(self, case: Case, own: _Built, was: tuple[str, ...]) -> PreparedCase:
        """Raises ValueError where what the case expects cannot be right, by a check of the whole suite."""
        return PreparedCase(
            name=case.name,
            variables=case.variables,
            history=case.messages,
            checks=_informed(case, self._checks(own)),
            threshold=self._suite.threshold if case.threshold is None else case.threshold,
            critical=case.critical,
            tags=case.tags,
            was=was or ((case.was,) if case.was is not None else ()),
            logged=False,
            cluster=case.cluster,
            quarantine=case.quarantine,
        )

    def _from_log(self, given: CallInput, calls: Sequence[LoggedCall], taken: set[str]) -> PreparedCase | None:
        call = calls[0]
        location = self._suite.location(("log",))
        missing = sorted({name for item in self._prompts for name in item.prompt.missing(given.variables)})
        if missing:
            message = f"the logged call '{call.id}' has no value for {', '.join(f'{{{{{name}}}}}' for name in missing)}"
            self._found.add(Code.MISSING_VARIABLE, message, location)
            return None
        homeless = [item.label for item in self._prompts if given.history and not item.prompt.takes_history]
        if homeless:
            message = f"{homeless[0]} has no place for the messages of the logged call '{call.id}'"
            hint = "put {{history}} where the conversation belongs"
            self._found.add(Code.UNUSED_VARIABLE, message, location, hint=hint)
            return None
        name = _free_name(call.id, taken)
        taken.add(name)
        built = PreparedCase(
            name=name,
            variables=given.variables,
            history=given.history,
            checks=self._checks(self._built(())),
            threshold=self._suite.threshold,
            critical="critical" in call.tags,
            tags=call.tags,
            was=(),
            logged=True,
            cluster=conversation_of(call),
        )
        if not self._prompts or not self._shared.sound:
            return None
        red = self._red_answers(calls, built)
        return replace(built, was=red) if red else None

    def _red_answers(self, calls: Sequence[LoggedCall], case: PreparedCase) -> tuple[str, ...]:
        """The logged answers that fail the case's checks; one that passes them proves nothing, and that is said."""
        red: list[LoggedCall] = []
        for call in calls:
            # What only a judge can tell counts as a failure: that is how the log marked it.
            if call.answer is None or self._passes(call.answer, case) is not True:
                red.append(call)
                continue
            self._found.add(
                Code.NOT_RED,
                f"the logged call '{call.id}' passes all checks of '{case.name}', so it shows no failure",
                self._suite.location(("log",)),
                hint="add a check that fails on it, or take it out of the log",
                severity=Severity.WARNING,
            )
        if red:
            self.calls[case.name] = tuple(red)
        return tuple(call.answer or "" for call in red)

    def _check_red(self, case: Case, built: PreparedCase) -> None:
        passes = False if case.was is None else self._passes(case.was, built)
        if passes:
            self._found.add(
                Code.NOT_RED,
                f"the logged answer of '{case.name}' passes all its checks, so the case proves nothing",
                case.where.location("was"),
                hint="say under 'expect:' what should have come back, or add a check that fails on it",
            )
        if passes is None:
            self._found.add(
                Code.UNPROVEN,
                f"whether the logged answer of '{case.name}' fails is for a judge to say, "
                "who was not asked or does not count yet",
                case.where.location("was"),
                hint="label it among others: `promptbench agree` asks the judge about it",
                severity=Severity.WARNING,
            )
        if case.has_wish:
            text = as_answer(case.should_be)
            scores = self.evaluation(text, built)
            if not (scores.passed or scores.errored):
                failed = (score for score in scores.scores if not (score.passed or score.errored))
                why = next(f"{score.check}: {score.reason}" for score in failed)
                location = case.where.location("should_be")
                message = f"what '{case.name}' should be fails its own checks: {why}"
                self._found.add(Code.WISH_FAILS, message, location, hint="mend the wish or the check")

    def _passes(self, answer: str, case: PreparedCase) -> bool | None:
        """Whether an answer passes; None where nothing fails it but a judge, who has not spoken or does not count."""
        found = self.evaluation(answer, case)
        judged = [
            score for check, score in zip(self._checks_of(case), found.scores, strict=True) if isinstance(check, Judged)
        ]
        unknown = found.errored or (found.passed and not all(score.passed for score in judged))
        return None if unknown else found.passed

    def evaluation(self, answer: str, case: PreparedCase) -> Evaluation:
        """What the checks of a case say of an answer; of judges what is on record."""
        checks = self._checks_of(case)
        accept, threshold = self._suite.accept, case.threshold
        return evaluate(answer, checks, accept, case.variables, threshold=threshold, answers=self._said)

    def _checks_of(self, case: PreparedCase) -> tuple[Check, ...]:
        """A case's checks for the candidate's answers."""
        return case.checks[self._prompts[0].prompt.hash]

    def _check_variables(self, case: Case) -> bool:
        """Whether every prompt has a place for all that the case brings, and a value for all it needs."""
        sound = True
        slips: set[str] = set()
        for item in self._prompts:
            unused = item.prompt.unused(case.variables)
            for name in item.prompt.missing(case.variables):
                sound = False
                tight = {item for item in unused if item.startswith(f"{name}:")}
                slips |= tight
                guess = did_you_mean(name, unused)
                if tight:
                    continue  # that a space is missing behind the colon has been reported
                if guess is None and _has_slips(case):
                    continue  # what is missing is most likely under the unknown key
                slips |= {guess} if guess else set()
                at = ("vars", guess) if guess else ("vars",)
                self._found.add(
                    Code.MISSING_VARIABLE,
                    f"the case '{case.name}' has no value for {{{{{name}}}}} of {item.label}",
                    case.where.location(*at, key=True),
                    hint=_for_variable(name, guess, bool(case.variables)),
                )
            if case.messages and not item.prompt.takes_history:
                sound = False
                hint = "put {{history}} where the conversation belongs"
                message = f"{item.label} has no place for the messages of '{case.name}'"
                location = case.where.location("messages", key=True)
                self._found.add(Code.UNUSED_VARIABLE, message, location, hint=hint)
        if self._prompts and not self._has_baseline:
            unused_by_all = set.intersection(*(set(item.prompt.unused(case.variables)) for item in self._prompts))
            for name in sorted(unused_by_all - slips):
                self._unused(case, name)
        return sound

    def _unused(self, case: Case, name: str) -> None:
        location = case.where.location("vars", name, key=True)
        if not is_name(name):
            # `{message: Hello, where is it?}` is one text to its author, and two entries in YAML.
            hint = "if it belongs to the text before it, put the whole text in quotes: {name: 'text, and more text'}"
            self._found.add(Code.UNUSED_VARIABLE, f"'{name}' cannot be the name of a value", location, hint=hint)
            return
        hint = f"write {{{{{name}}}}} in the prompt, or delete the line"
        if field_name(name) in CaseFile.model_fields:
            hint = f"if '{name}:' belongs to the case, let it start below 'vars:', with as many spaces"
        self._found.add(
            Code.UNUSED_VARIABLE, f"no prompt uses '{name}'", location, hint=hint, severity=Severity.WARNING
        )

    def _checks(self, own: _Built) -> Mapping[str, tuple[Check, ...]]:
        """The suite's checks and a case's own, by the variant's hash."""
        checks = {key: (*shared, *own.checks[key]) for key, shared in self._shared.checks.items()}
        if self._prompts:
            checks[BASELINE] = checks[self._prompts[0].prompt.hash]
        return checks

    def _built(self, specs: Sequence[CheckSpec]) -> _Built:
        found, sound = {}, True
        for context, hashes in self._contexts:
            own = [checks.build(spec, context, self._found) for spec in specs]
            sound = sound and None not in own
            for spec, check in zip(specs, own, strict=True):
                if isinstance(check, Judged):
                    self.judged.setdefault(check.check.identity, (check.check, spec.where.location(key=True)))
            found.update(dict.fromkeys(hashes, tuple(filter(None, own))))
        return _Built(found, sound)


def _informed(case: Case, by_variant: Mapping[str, tuple[Check, ...]]) -> Mapping[str, tuple[Check, ...]]:
    """The checks, where they take the right answer from the case with that. Raises ValueError."""
    if not case.has_expect:
        return by_variant
    return {key: tuple(checks.informed(check, case.expect) for check in built) for key, built in by_variant.items()}


def own_specs(case: Case) -> Sequence[CheckSpec]:
    """A case's own checks, `expect:` among them, in the order in which they are built after the suite's."""
    if not case.has_expect:
        return case.checks
    return (*case.checks, CheckSpec("expect", case.expect, case.where.below("expect")))


@dataclass(frozen=True, slots=True)
class _Built:
    """Checks by the variant's hash, and whether all that were written could be built."""

    checks: Mapping[str, tuple[Check, ...]]
    sound: bool


def _by_schema(prompts: Sequence[PromptInPlay]) -> list[tuple[Mapping[str, Json] | None, list[str]]]:
    """The different output schemas, each with the hashes of the prompts that have it.

    A prompt in production that has no schema yet is held to the candidate's. Without any prompt the schema is unknown;
    every other mistake in a check can still be found.
    """
    if not prompts:
        return [({}, [BASELINE])]
    found: list[tuple[Mapping[str, Json] | None, list[str]]] = []
    for item in prompts:
        schema = item.prompt.output_schema or prompts[0].prompt.output_schema
        same = next((hashes for known, hashes in found if known == schema), None)
        if same is None:
            found.append((schema, [item.prompt.hash]))
        else:
            same.append(item.prompt.hash)
    return found


def _for_variable(name: str, guess: str | None, has_others: bool) -> str:
    """What to write where a variable has no value; `guess` is what was written instead, if anything."""
    if guess:
        return f"did you mean '{name}' where it says '{guess}'?"
    return f"add '{name}: …' under 'vars:'" if has_others else f"add a line 'vars: {{{name}: …}}'"


def _has_slips(case: Case) -> bool:
    """Whether the case has keys that are not known, each of which has been reported."""
    return any(field_name(key) not in CaseFile.model_fields for key in case.where.value)


def _free_name(wanted: str, taken: Collection[str]) -> str:
    """A name for a logged call that no other case has."""
    names = (f"log {wanted}" if count == 1 else f"log {wanted} ({count})" for count in itertools.count(1))
    return wanted if wanted not in taken else next(name for name in names if name not in taken)


def as_answer(wish: Json) -> str:
    """A wish as the text that a model would have answered; a number as it is written."""
    if isinstance(wish, str):
        return wish
    number = isinstance(wish, (int, float)) and not isinstance(wish, bool)
    return str(wish) if number else canonical(wish)


def _input_hash(variables: Mapping[str, Json], messages: Sequence[Json]) -> str:
    return digest([dict(variables), list(messages)])

"""Cases as they are asked: those of the suite and those of its logs, with their checks built and red first proven."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.checks import plugins as checks
from promptbench.core.canonical import canonical, digest
from promptbench.core.diagnostics import Code, Diagnostics, Severity, did_you_mean
from promptbench.core.protocols import Check, CheckContext, CheckModule
from promptbench.core.types import Json, LoggedCall
from promptbench.project.bench import BASELINE, BenchCase
from promptbench.project.evaluate import evaluate
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import Case, CaseFile, CheckSpec, Suite, field_name
from promptbench.text.templates import is_name


@dataclass(frozen=True, slots=True)
class PromptInPlay:
    """A prompt that the cases will be asked with; the first one is a candidate and speaks for the baseline."""

    prompt: Prompt
    label: str


class CaseBuilder:
    """Builds the cases of one suite. What is wrong with them goes to `found`."""

    def __init__(
        self, suite: Suite, prompts: Sequence[PromptInPlay], found: Diagnostics, *, has_baseline: bool
    ) -> None:
        self._suite = suite
        self._prompts = prompts
        self._found = found
        self._has_baseline = has_baseline
        # A prompt in production that has no schema yet is held to the candidate's. Without any prompt the schema is
        # unknown; every other mistake in a check can still be found.
        ours = prompts[0].prompt.output_schema if prompts else None
        self._schemas: Mapping[str, Mapping[str, Json] | None] = {
            item.prompt.hash: item.prompt.output_schema or ours for item in prompts
        } or {BASELINE: {}}
        self._shared = self._built(suite.checks)

    def build(self, calls: Sequence[LoggedCall]) -> list[BenchCase]:
        """All cases, those of the log last. A logged call with the input of a case belongs to that case."""
        logged: dict[str | None, list[LoggedCall]] = {}
        for call in calls:
            key = None if call.variables is None else _input_hash(call.variables, ())
            logged.setdefault(key, []).append(call)
        cases = []
        for case in self._suite.cases:
            key = _input_hash(case.variables, [message.as_dict() for message in case.messages]) if logged else None
            built = self._case(case, logged.pop(key, []) if key else [])
            if built is not None:
                cases.append(built)
        names = {case.name for case in self._suite.cases}
        for group in logged.values():
            built = self._from_log(group, names)
            if built is not None:
                cases.append(built)
        return cases

    def checks_hash(self) -> str:
        """Over all checks as written, with the accept level: what a score means."""
        suite = self._suite
        own = [[case.name, _specs(case.checks), case.has_expect, case.expect] for case in suite.cases]
        schemas = [item.prompt.output_schema for item in self._prompts]
        return digest([suite.accept, _specs(suite.checks), own, schemas])

    def _case(self, case: Case, calls: Sequence[LoggedCall]) -> BenchCase | None:
        sound = self._check_variables(case) and self._shared.sound
        specs = list(case.checks)
        if case.has_expect:
            specs.append(CheckSpec("expect", case.expect, (*case.path, "expect")))
        if not specs and not self._suite.checks and not self._has_slips(case):
            hint = "say what should come back under 'expect:', or add 'checks:'"
            place = self._suite.place((*case.path, "case"))
            self._found.add(Code.NO_CHECKS, "nothing can fail this case: it has no checks", place, hint=hint)
            sound = False
        own = self._built(specs)
        built = BenchCase(
            name=case.name,
            variables=case.variables,
            history=case.messages,
            checks=self._checks(own),
            critical=case.critical,
            tags=case.tags,
            was=(),
            logged=False,
        )
        if not (sound and own.sound and self._prompts):
            return None
        self._check_red(case, built)
        was = (case.was,) if case.was is not None else ()
        return replace(built, was=(*was, *self._red_answers(calls, built)))

    def _from_log(self, calls: Sequence[LoggedCall], taken: set[str]) -> BenchCase | None:
        call = calls[0]
        place = self._suite.place(("log",))
        if call.variables is None:
            hint = "a log without 'vars' cannot be put into another prompt"
            self._found.add(Code.BAD_LOG, f"the logged call '{call.id}' has no 'vars'", place, hint=hint)
            return None
        missing = sorted({name for item in self._prompts for name in item.prompt.missing(call.variables)})
        if missing:
            message = f"the logged call '{call.id}' has no value for {', '.join(f'{{{{{name}}}}}' for name in missing)}"
            self._found.add(Code.MISSING_VARIABLE, message, place)
            return None
        name = _free_name(call.id, taken)
        taken.add(name)
        built = BenchCase(
            name=name,
            variables=call.variables,
            history=(),
            checks=self._checks(self._built(())),
            critical="critical" in call.tags,
            tags=call.tags,
            was=(),
            logged=True,
        )
        if not self._prompts or not self._shared.sound:
            return None
        red = self._red_answers(calls, built)
        return replace(built, was=red) if red else None

    def _red_answers(self, calls: Sequence[LoggedCall], case: BenchCase) -> tuple[str, ...]:
        """The logged answers that fail the case's checks; one that passes them proves nothing, and that is said."""
        red = []
        for call in calls:
            if call.answer is None or not self._passes(call.answer, case):
                red.append(call.answer or "")
                continue
            self._found.add(
                Code.NOT_RED,
                f"the logged call '{call.id}' passes all checks of '{case.name}', so it shows no failure",
                self._suite.place(("log",)),
                hint="add a check that fails on it, or take it out of the log",
                severity=Severity.WARNING,
            )
        return tuple(red)

    def _check_red(self, case: Case, built: BenchCase) -> None:
        if case.was is not None and self._passes(case.was, built):
            self._found.add(
                Code.NOT_RED,
                f"the logged answer of '{case.name}' passes all its checks, so the case proves nothing",
                self._suite.place((*case.path, "was")),
                hint="say under 'expect:' what should have come back, or add a check that fails on it",
            )
        if case.has_wish:
            text = _as_answer(case.should_be)
            scores = evaluate(text, built.checks[self._prompts[0].prompt.hash], self._suite.accept, case.variables)
            if not scores.passed:
                why = next(f"{score.check}: {score.reason}" for score in scores.scores if not score.passed)
                place = self._suite.place((*case.path, "should_be"))
                message = f"what '{case.name}' should be fails its own checks: {why}"
                self._found.add(Code.WISH_FAILS, message, place, hint="mend the wish or the check")

    def _passes(self, answer: str, case: BenchCase) -> bool:
        checks = case.checks[self._prompts[0].prompt.hash]
        return evaluate(answer, checks, self._suite.accept, case.variables).passed

    def _check_variables(self, case: Case) -> bool:
        """Whether every prompt has a place for all that the case brings, and a value for all it needs."""
        sound = True
        slips: set[str] = set()
        for item in self._prompts:
            unused = item.prompt.unused(case.variables)
            for name in item.prompt.missing(case.variables):
                sound = False
                guess = did_you_mean(name, unused)
                if guess is None and self._has_slips(case):
                    continue  # what is missing is most likely under the unknown key
                slips |= {guess} if guess else set()
                at = ("vars", guess) if guess else ("vars",)
                self._found.add(
                    Code.MISSING_VARIABLE,
                    f"the case '{case.name}' has no value for {{{{{name}}}}} of {item.label}",
                    self._suite.place((*case.path, *at), key=True),
                    hint=f"did you mean '{name}' where it says '{guess}'?"
                    if guess
                    else f"add '{name}: …' under 'vars:'",
                )
            if case.messages and not item.prompt.takes_history:
                sound = False
                hint = "put {{history}} where the conversation belongs"
                message = f"{item.label} has no place for the messages of '{case.name}'"
                place = self._suite.place((*case.path, "messages"), key=True)
                self._found.add(Code.UNUSED_VARIABLE, message, place, hint=hint)
        if self._prompts and not self._has_baseline:
            unused_by_all = set.intersection(*(set(item.prompt.unused(case.variables)) for item in self._prompts))
            for name in sorted(unused_by_all - slips):
                self._unused(case, name)
        return sound

    def _has_slips(self, case: Case) -> bool:
        """Whether the case has keys that are not known, each of which has been reported."""
        index = case.path[-1]
        return any(field_name(key) not in CaseFile.model_fields for key in self._suite.document.value["cases"][index])

    def _unused(self, case: Case, name: str) -> None:
        place = self._suite.place((*case.path, "vars", name), key=True)
        if not is_name(name):
            # `{message: Hello, where is it?}` is one text to its author, and two entries in YAML.
            hint = "if it belongs to the text before it, put the whole text in quotes: {name: 'text, and more text'}"
            self._found.add(Code.UNUSED_VARIABLE, f"'{name}' cannot be the name of a value", place, hint=hint)
            return
        hint = f"write {{{{{name}}}}} in the prompt, or delete the line"
        if field_name(name) in CaseFile.model_fields:
            hint = f"if '{name}:' belongs to the case, let it start below 'vars:', with as many spaces"
        self._found.add(Code.UNUSED_VARIABLE, f"no prompt uses '{name}'", place, hint=hint, severity=Severity.WARNING)

    def _checks(self, own: _Built) -> Mapping[str, tuple[Check, ...]]:
        """The suite's checks and a case's own, by the variant's hash."""
        checks = {key: (*shared, *own.checks[key]) for key, shared in self._shared.checks.items()}
        if self._prompts:
            checks[BASELINE] = checks[self._prompts[0].prompt.hash]
        return checks

    def _built(self, specs: Sequence[CheckSpec]) -> _Built:
        checks = {key: [self._check(spec, schema) for spec in specs] for key, schema in self._schemas.items()}
        sound = all(None not in built for built in checks.values())
        return _Built({key: tuple(filter(None, built)) for key, built in checks.items()}, sound)

    def _check(self, spec: CheckSpec, output_schema: Mapping[str, Json] | None) -> Check | None:
        if spec.name not in checks:
            known = [name.replace("_", " ") for name in checks.names()]
            guess = did_you_mean(spec.name.lower().removeprefix("must ").removeprefix("should "), known)
            hint = f"did you mean '{guess}'?" if guess else f"known checks: {', '.join(known)}"
            place = self._suite.place(spec.path, key=True)
            self._found.add(Code.UNKNOWN_CHECK, f"there is no check '{spec.name}'", place, hint=hint)
            return None
        module: CheckModule = checks.load(spec.name)  # type: ignore[assignment]
        try:
            return module.build(spec.argument, CheckContext(self._suite.folder, output_schema))
        except ValueError as error:
            example = (module.__doc__ or "").partition("Example:")[2].strip()
            self._found.add(
                Code.BAD_CHECK,
                f"'{spec.name}': {error}",
                self._suite.place(spec.path),
                hint=f"for example {example}" if example else None,
            )
            return None


@dataclass(frozen=True, slots=True)
class _Built:
    """Checks by the variant's hash, and whether all that were written could be built."""

    checks: Mapping[str, tuple[Check, ...]]
    sound: bool


def _free_name(wanted: str, taken: Collection[str]) -> str:
    """A name for a logged call that no other case has."""
    names = (f"log {wanted}" if count == 1 else f"log {wanted} ({count})" for count in itertools.count(1))
    return wanted if wanted not in taken else next(name for name in names if name not in taken)


def _as_answer(wish: Json) -> str:
    """A wish as the text that a model would have answered; a number as it is written."""
    if isinstance(wish, str):
        return wish
    number = isinstance(wish, (int, float)) and not isinstance(wish, bool)
    return str(wish) if number else canonical(wish)


def _specs(specs: Sequence[CheckSpec]) -> list[list[Json]]:
    return [[spec.name, spec.argument] for spec in specs]


def _input_hash(variables: Mapping[str, Json], messages: Sequence[Json]) -> str:
    return digest([dict(variables), list(messages)])

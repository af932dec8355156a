"""Cases as they are asked: those of the suite and those of its logs, with their checks built and red first proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.checks import plugins as checks
from promptbench.core.canonical import canonical, digest
from promptbench.core.diagnostics import Code, Diagnostics, Place, Severity, did_you_mean
from promptbench.core.protocols import Check, CheckContext, CheckModule
from promptbench.core.types import Json, LoggedCall
from promptbench.project.bench import BASELINE, BenchCase
from promptbench.project.evaluate import evaluate
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import Case, CheckSpec, Suite


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
        self._built: dict[tuple[str, str, str], Check | None] = {}

    def build(self, calls: Sequence[LoggedCall]) -> list[BenchCase]:
        """All cases, those of the log last. A logged call with the input of a case belongs to that case."""
        logged: dict[str, list[LoggedCall]] = {}
        for call in calls:
            logged.setdefault(_input_hash(call.variables or {}, ()), []).append(call)
        cases = []
        for case in self._suite.cases:
            key = _input_hash(case.variables, [message.as_dict() for message in case.messages])
            built = self._case(case, logged.pop(key, []))
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
        before = len(self._found.errors)
        self._check_variables(case)
        specs = [*self._suite.checks, *case.checks]
        if case.has_expect:
            specs.append(CheckSpec("expect", case.expect, (*case.path, "expect")))
        if not specs:
            hint = "say what should come back under 'expect:', or add 'checks:'"
            place = self._place((*case.path, "case"))
            self._found.add(Code.NO_CHECKS, "nothing can fail this case: it has no checks", place, hint=hint)
        built = BenchCase(
            name=case.name,
            variables=case.variables,
            history=case.messages,
            checks=self._checks(specs),
            critical=case.critical,
            tags=case.tags,
            was=(),
            logged=False,
        )
        if len(self._found.errors) > before:
            return None
        self._check_red(case, built)
        own = (case.was,) if case.was is not None else ()
        return replace(built, was=(*own, *self._red_answers(calls, built)))

    def _from_log(self, calls: Sequence[LoggedCall], taken: set[str]) -> BenchCase | None:
        call = calls[0]
        place = self._place(("log",))
        if call.variables is None:
            hint = "a log without 'vars' cannot be put into another prompt"
            self._found.add(Code.BAD_LOG, f"the logged call '{call.id}' has no 'vars'", place, hint=hint)
            return None
        missing = sorted({name for item in self._prompts for name in item.prompt.missing(call.variables)})
        if missing:
            message = f"the logged call '{call.id}' has no value for {', '.join(f'{{{{{name}}}}}' for name in missing)}"
            self._found.add(Code.MISSING_VARIABLE, message, place)
            return None
        name = f"log {call.id}" if call.id in taken else call.id
        taken.add(name)
        built = BenchCase(
            name=name,
            variables=call.variables,
            history=(),
            checks=self._checks(self._suite.checks),
            critical="critical" in call.tags,
            tags=call.tags,
            was=(),
            logged=True,
        )
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
                self._place(("log",)),
                hint="add a check that fails on it, or take it out of the log",
                severity=Severity.WARNING,
            )
        return tuple(red)

    def _check_red(self, case: Case, built: BenchCase) -> None:
        if case.was is not None and self._passes(case.was, built):
            self._found.add(
                Code.NOT_RED,
                f"the logged answer of '{case.name}' passes all its checks, so the case proves nothing",
                self._place((*case.path, "was")),
                hint="say under 'expect:' what should have come back, or add a check that fails on it",
            )
        if case.has_wish:
            text = case.should_be if isinstance(case.should_be, str) else canonical(case.should_be)
            scores = evaluate(text, built.checks[self._prompts[0].prompt.hash], self._suite.accept, case.variables)
            if not scores.passed:
                why = next(f"{score.check}: {score.reason}" for score in scores.scores if not score.passed)
                place = self._place((*case.path, "should_be"))
                message = f"what '{case.name}' should be fails its own checks: {why}"
                self._found.add(Code.WISH_FAILS, message, place, hint="mend the wish or the check")

    def _passes(self, answer: str, case: BenchCase) -> bool:
        checks = case.checks[self._prompts[0].prompt.hash] if self._prompts else ()
        return evaluate(answer, checks, self._suite.accept, case.variables).passed

    def _check_variables(self, case: Case) -> None:
        for item in self._prompts:
            for name in item.prompt.missing(case.variables):
                guess = did_you_mean(name, case.variables)
                at = ("vars", guess) if guess else ("vars",)
                self._found.add(
                    Code.MISSING_VARIABLE,
                    f"the case '{case.name}' has no value for {{{{{name}}}}} of {item.label}",
                    self._suite.document.place((*case.path, *at), key=True),
                    hint=f"did you mean '{name}' where it says '{guess}'?"
                    if guess
                    else f"add '{name}: …' under 'vars:'",
                )
            if case.messages and not item.prompt.takes_history:
                hint = "put {{history}} where the conversation belongs"
                message = f"{item.label} has no place for the messages of '{case.name}'"
                self._found.add(Code.UNUSED_VARIABLE, message, self._place((*case.path, "messages")), hint=hint)
        if self._prompts and not self._has_baseline:
            unused = set.intersection(*(set(item.prompt.unused(case.variables)) for item in self._prompts))
            for name in sorted(unused):
                self._found.add(
                    Code.UNUSED_VARIABLE,
                    f"no prompt uses '{name}'",
                    self._suite.document.place((*case.path, "vars", name), key=True),
                    hint=f"write {{{{{name}}}}} in the prompt, or delete the line",
                    severity=Severity.WARNING,
                )

    def _checks(self, specs: Sequence[CheckSpec]) -> Mapping[str, tuple[Check, ...]]:
        built = {
            item.prompt.hash: tuple(filter(None, (self._check(spec, item.prompt) for spec in specs)))
            for item in self._prompts
        }
        if self._prompts:
            built[BASELINE] = built[self._prompts[0].prompt.hash]
        return built

    def _check(self, spec: CheckSpec, prompt: Prompt) -> Check | None:
        """The built check. The same check is built, and complained of, once."""
        schema = digest(prompt.output_schema)
        key = (spec.name, canonical(spec.argument), schema)
        if key not in self._built:
            self._built[key] = self._build(spec, prompt)
        return self._built[key]

    def _build(self, spec: CheckSpec, prompt: Prompt) -> Check | None:
        if spec.name not in checks:
            known = [name.replace("_", " ") for name in checks.names()]
            guess = did_you_mean(spec.name, known)
            hint = f"did you mean '{guess}'?" if guess else f"known checks: {', '.join(known)}"
            place = self._suite.document.place(spec.path, key=True)
            self._found.add(Code.UNKNOWN_CHECK, f"there is no check '{spec.name}'", place, hint=hint)
            return None
        module: CheckModule = checks.load(spec.name)  # type: ignore[assignment]
        try:
            return module.build(spec.argument, CheckContext(self._suite.folder, prompt.output_schema))
        except ValueError as error:
            self._found.add(Code.BAD_CHECK, f"'{spec.name}': {error}", self._place(spec.path))
            return None

    def _place(self, path: tuple[str | int, ...]) -> Place:
        return self._suite.document.place(path)


def _specs(specs: Sequence[CheckSpec]) -> list[list[Json]]:
    return [[spec.name, spec.argument] for spec in specs]


def _input_hash(variables: Mapping[str, Json], messages: Sequence[Json]) -> str:
    return digest([dict(variables), list(messages)])

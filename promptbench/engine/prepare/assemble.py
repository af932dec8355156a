"""Prepare a suite: connect its models, build its cases, and report everything that does not fit in one pass."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from promptbench.core.call_config import laid_over
from promptbench.core.canonical import digest
from promptbench.core.errors import Code, Diagnostics, Location, Severity, did_you_mean, suggest
from promptbench.core.plugins import module_name
from promptbench.core.protocols import JudgedCheck, Problem, ProviderContext
from promptbench.core.types import Answer, Json, ModelRef, Request
from promptbench.engine.prepare.cases import CaseBuilder
from promptbench.engine.prepare.inputs import read_logs
from promptbench.engine.prepare.lint.lint import FileLint, Lint
from promptbench.engine.prepare.lint.windows import Window
from promptbench.engine.prepare.options import PrepareOptions, display_path
from promptbench.engine.prepare.prepared_suite import (
    PreparedCase,
    PreparedCases,
    PreparedJudge,
    PreparedModel,
    PreparedSuite,
    Variant,
    without_params,
)
from promptbench.engine.prepare.prompts import load_candidates, load_champion, load_own
from promptbench.engine.prepare.trained_on import TrainedModels
from promptbench.plugins import ProviderSpec
from promptbench.prompts.chain import Chain
from promptbench.prompts.prompt import Prompt
from promptbench.providers import plugins as providers, provider_spec
from promptbench.suite.models import ModelEntry, Suite

# Parameters of a judge's request whose check sets none. A judge that does not support one is not sent it.
JUDGE_DEFAULTS: Mapping[str, Json] = {"temperature": 0}
_CRITERION_LENGTH = 60


def warn_own_judges(
    judged: Iterable[tuple[JudgedCheck, Location]], models: Collection[PreparedModel], found: Diagnostics
) -> None:
    """Warn if a model judges its own answers, which it prefers (Panickssery et al. 2024, arXiv:2404.13076)."""
    names = {model.ref.name.rpartition("/")[2] for model in models}
    for check, location in judged:
        for ref in () if check.embeds else check.judges:
            if ref.name.rpartition("/")[2] in names:
                found.add(
                    Code.OWN_JUDGE,
                    f"{ref} judges its own answers, and models prefer their own",
                    location,
                    hint="name a judge that is not one of the suite's models",
                    severity=Severity.WARNING,
                )


def warn_advisory(judged: Iterable[tuple[JudgedCheck, Location]], suite: str, found: Diagnostics) -> None:
    """Warn once about all advisory checks, with the command that measures their agreement."""
    advisory = [(check, location) for check, location in judged if not check.counts]
    if not advisory:
        return
    check, location = advisory[0]
    one = f"the judged check '{_shorten(check.criterion)}' is advisory: it does not affect the verdict"
    several = f"{len(advisory)} judged checks are advisory: they do not affect the verdict; the first"
    found.add(
        Code.ADVISORY,
        f"{one if len(advisory) == 1 else several}: {check.standing}; "
        f"measure the judge's agreement with human labels: `promptbench suite agreement {suite} --labels FILE`",
        location,
        severity=Severity.WARNING,
    )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CRITERION_LENGTH else line[: _CRITERION_LENGTH - 1] + "…"


def assemble(suite: Suite, options: PrepareOptions, found: Diagnostics) -> PreparedSuite | None:
    """Return the prepared suite, or None if it has errors. Errors and warnings are added to `found`."""
    before = len(found.errors)
    candidates = load_candidates(suite, options, found)
    champion = load_champion(suite, candidates, options, found)
    _warn_changed_schemas(suite, candidates, champion, found)
    variants = [*candidates, *([champion] if champion else [])]
    connector = ModelConnector(suite, options, found)
    models = connector.connect([prompt for variant in variants for prompt in variant.prompt.prompts])
    if models and not options.selection.models and not any(model.uses_prompt for model in models):
        found.add(
            Code.NOT_JUDGED,
            "no model uses the prompt, so there will be no verdict",
            suite.location(("models",), key=True),
            hint="add a model that gets it, or judge the function or service itself: 'judged: true'",
            severity=Severity.WARNING,
        )
    step_models = connector.connect_steps(variants)
    trained = TrainedModels(suite, [model.name for model in models], found)
    builder = CaseBuilder(
        suite,
        [*variants, *(model.own_prompt for model in models if model.own_prompt)],
        found,
        options,
        has_baseline=any(not (model.uses_prompt or model.own_prompt) for model in models),
        answers=connector.recorded_answer,
        trained=trained,
    )
    files = FileLint(variants, connector.refusals(models), options.max_file_mb)
    lint = Lint(variants, connector.windows(models), suite.checks, files)
    calls = read_logs(suite, found) if options.calls is None else options.calls

    names = {model.name for model in models}
    elsewhere: set[str] = set()  # Cases that run on none of the selected models.

    def selects(case: PreparedCase) -> bool:
        if options.selection.models and not any(map(case.terms.allow, names)):
            elsewhere.add(case.name)
        asked = options.calls is None or case.name in builder.calls
        return options.selection.selects(case) and asked and case.name not in elsewhere

    cases = builder.scan(calls, selects, lint.look)
    idle = [model for model in models if cases and not any(cases.on(model.name))]
    if options.partial or options.selection.models:
        models = tuple(model for model in models if model not in idle)
    lint.report(found)
    trained.report(cases.numbers, found)
    judged = builder.judged.values()
    judges = connector.connect_judges(judged)
    warn_own_judges(judged, models, found)
    warn_advisory(judged, display_path(suite.folder, options.root), found)
    if builder.first_turn and (silent := next((model for model in models if not model.uses_prompt), None)):
        found.add(
            Code.BAD_VALUE,
            f"{silent.name} gets no messages, so it cannot answer in turns",
            builder.first_turn,
            hint="move the cases with turns to a suite without this model",
        )
    if builder.first_turn and suite.steps:
        hint = "write the conversation up to the last question under 'messages:'"
        found.add(Code.BAD_VALUE, "a suite with 'steps' has no 'turns'", builder.first_turn, hint=hint)
    if len(found.errors) == before and not options.partial:
        _report_missing_cases(suite, cases, idle, found)
    if len(found.errors) > before or not candidates:
        return None
    return PreparedSuite(
        suite=suite,
        candidates=candidates,
        champion=champion,
        models=models,
        cases=cases,
        accept=suite.accept,
        suite_hash=builder.suite_hash,
        checks_hash=builder.checks_hash,
        partial=options.partial or bool(elsewhere) or connector.omits_gated_model(models),
        judges=judges,
        judged_checks=tuple(check for check, _ in judged),
        calls={name: same for name, same in builder.calls.items() if name in cases},
        ladder=options.ladder,
        replayed=options.calls is not None,
        step_models=step_models,
    )


def _warn_changed_schemas(
    suite: Suite, candidates: Sequence[Variant], champion: Variant | None, found: Diagnostics
) -> None:
    # Each prompt is checked by its own output schema, so a candidate could pass by loosening it.
    schema = champion.prompt.output_schema if champion else None
    for item in candidates:
        if champion is not None and schema is not None and item.prompt.output_schema != schema:
            found.add(
                Code.BAD_SCHEMA,
                f"{item.label} and {champion.label} have different output schemas",
                suite.location(("prompt",)),
                hint="'json schema: output' checks each prompt by its own; compare them before you trust the verdict",
                severity=Severity.WARNING,
            )


def _report_missing_cases(
    suite: Suite, cases: PreparedCases, idle: Sequence[PreparedModel], found: Diagnostics
) -> None:
    for model in idle:
        found.add(
            Code.NO_CASES,
            f"no case runs on {model.name}",
            suite.location(("models",)),
            hint="add it to the 'only models:' of a case, add a case that it was not trained on, or remove it",
        )
    if not cases and suite.logs and not suite.document.value.get("cases"):
        found.add(
            Code.NO_CASES,
            "no case is left: no logged call fails a check",
            suite.location(("log",)),
            hint="write a case under 'cases:', or name a log with failing calls",
        )
        return
    for tag, names in cases.tagged.items():
        if not names:
            found.add(
                Code.BAD_VALUE,
                f"no case has the tag '{tag}'",
                suite.location(("gate", "tags", tag), key=True),
                hint="write it under the 'tags:' of the cases that it is about",
            )


class ModelConnector:
    """Connects the models and judges of one suite. Nothing is called."""

    def __init__(self, suite: Suite, options: PrepareOptions, found: Diagnostics) -> None:
        self._suite = suite
        self._options = options
        self._found = found

    def connect(self, prompts: Sequence[Prompt]) -> tuple[PreparedModel, ...]:
        """Return the models of the suite, or those selected. Models with errors are left out."""
        gated = self._suite.gate.models
        entries = list(self._entries())
        for index, name in enumerate(gated):
            known = {entry.name: str(entry.ref) for entry, _ in entries}
            if known and name not in known and not self._options.selection.models:
                named = " and ".join(f"'{own}'" for own, ref in known.items() if ref == name)
                hint = suggest(name, known, "add it under 'models:'")
                self._found.add(
                    Code.UNKNOWN_MODEL,
                    f"the gate needs '{name}', which is not one of the suite's models",
                    self._suite.location(("gate", "models", index)),
                    hint=f"it is there as {named}: write that" if named else hint,
                )
        models: dict[str, PreparedModel] = {}
        for entry, location in entries:
            own = load_own(self._suite, entry, self._options, self._found) if entry.prompt else None
            sent = [own.prompt] if own else [] if entry.prompt else prompts
            model = self._model(entry, location, gated, sent)
            if model is not None:
                model = self._with_fallback(entry, model, sent)
                if own is not None:
                    model = replace(model, own_prompt=own, uses_prompt=False, gated=False)
                models.setdefault(model.name, model)
        for index, name in enumerate(gated):
            if name in models and not models[name].uses_prompt:
                message = f"the gate needs '{name}', which is a baseline: it is shown and never judged"
                hint = "remove it; the models that are judged get the suite's own 'prompt:'"
                self._found.add(Code.BAD_VALUE, message, self._suite.location(("gate", "models", index)), hint=hint)
        return tuple(models.values())

    def _with_fallback(self, entry: ModelEntry, model: PreparedModel, prompts: Sequence[Prompt]) -> PreparedModel:
        if entry.fallback is None:
            return model
        location = self._suite.location((*entry.path, "fallback"))
        if entry.fallback == entry.ref:
            self._found.add(
                Code.BAD_VALUE, f"{model.name} cannot be its own fallback", location, hint="name another model"
            )
            return model
        other = self._model(
            ModelEntry(entry.fallback, None, entry.path, config=entry.config, locations=entry.locations),
            location,
            (),
            prompts,
        )
        if other is not None and other.uses_prompt is not model.uses_prompt:
            sees, blind = (other, model) if other.uses_prompt else (model, other)
            self._found.add(
                Code.BAD_VALUE,
                f"{sees.name} gets the prompt and {blind.name} does not, so one cannot replace the other",
                location,
                hint="name a model that gets the same input",
            )
        return replace(model, fallback=replace(other, gated=False) if other else None)

    def connect_steps(self, variants: Iterable[Variant]) -> dict[str, PreparedModel]:
        """Return the models of steps that have one, by reference. One that only production has is not validated."""
        models: dict[str, PreparedModel] = {}
        judged = {str(entry.ref) for entry in self._suite.models if entry.judged}
        for step in (step for step in self._suite.steps if step.model):
            assert step.model is not None
            if step.production is not None:
                live = self._model(ModelEntry(step.production, False, ()), step.where.location("production"), (), ())
                models |= {str(live.ref): replace(live, declared=step.deterministic)} if live else {}
            if str(step.model) in judged:
                continue
            location = step.where.location("model")
            model = self._model(ModelEntry(step.model, None, (), deterministic=step.deterministic), location, (), ())
            if model is not None and model.uses_prompt:
                hint = "write 'prompt' in its place: the suite's models are called with it"
                self._found.add(
                    Code.BAD_VALUE, f"{model.name} gets messages, and this step has none", location, hint=hint
                )
            models |= {str(model.ref): model} if model else {}
        chains = [variant.prompt for variant in variants if isinstance(variant.prompt, Chain)]
        for ref in (ModelRef.parse(step.model) for chain in chains for step in chain.steps if step.model):
            if ref.provider in providers and str(ref) not in models.keys() | judged:
                spec, context = provider_spec(ref.provider), self._context(ref.provider)
                known = (spec.connect(ref.name, context), False, False, spec.runs_here(ref.name, context))
                models[str(ref)] = PreparedModel(ref, *known, None, billing=spec.billing(ref.name, context))
        return models

    def connect_judges(self, judged: Iterable[tuple[JudgedCheck, Location]]) -> dict[str, PreparedJudge]:
        """Return the models that the checks call, by name. Each check comes with its location."""
        judges: dict[str, PreparedJudge | None] = {}
        for check, location in judged:
            for ref in check.judges:
                if inability := self._inability(ref, embeds=check.embeds):
                    self._found.add(Code.BAD_VALUE, inability[0], location, hint=inability[1])
                    continue
                if str(ref) not in judges:
                    judges[str(ref)] = self._connect_judge(ref, location)
                for problem in self._refused(ref, check.config or {}) if judges[str(ref)] else ():
                    self._found.add(Code[problem.code], problem.message, location, hint=problem.hint)
        return {name: judge for name, judge in judges.items() if judge is not None}

    def _connect_judge(self, ref: ModelRef, location: Location) -> PreparedJudge | None:
        model = self._model(ModelEntry(ref, None, ()), location, (), ())
        return PreparedJudge(replace(model, gated=False), self._unsupported_defaults(ref)) if model else None

    def _inability(self, ref: ModelRef, *, embeds: bool) -> tuple[str, str] | None:
        """Return why a model cannot do what a check wants of it, with a hint; None if it can, or is not known."""
        spec = provider_spec(ref.provider) if ref.provider in providers else None
        if spec and embeds and not spec.embeds:
            known = [name for name in providers.names() if provider_spec(name).embeds]
            return f"{ref.provider} has no embeddings", f"these providers have: {', '.join(known)}"
        if spec and not embeds and not spec.reads_prompt(ref.name, self._context(ref.provider)):
            return f"{ref} gets no messages, so it cannot judge", "name a language model"
        return None

    def _unsupported_defaults(self, ref: ModelRef) -> frozenset[str]:
        return frozenset(word for word, value in JUDGE_DEFAULTS.items() if self._refused(ref, {word: value}))

    def _refused(self, ref: ModelRef, config: Mapping[str, Json]) -> list[Problem]:
        return provider_spec(ref.provider).unsupported(ref.name, self._context(ref.provider), config)

    def recorded_answer(self, request: Request) -> Answer | None:
        """Return the recorded answer of a judge, or None if there is none."""
        ref, recordings = request.model, self._options.recordings
        if recordings is None or ref.provider not in providers:
            return None
        found = recordings.find(digest(without_params(request, self._unsupported_defaults(ref)).as_dict()))
        return found[0] if found else None

    def omits_gated_model(self, models: Sequence[PreparedModel]) -> bool:
        """Return True if the suite has a gated model that is not among `models`."""
        names = {model.name for model in models}
        gated = self._suite.gate.models
        for entry in self._suite.models:
            ref, uses_prompt = entry.ref, entry.uses_prompt
            if entry.name in names or ref.provider not in providers:
                continue
            if uses_prompt is None:
                spec = provider_spec(ref.provider)
                uses_prompt = entry.judged or spec.reads_prompt(ref.name, self._context(ref.provider))
            if not entry.prompt and (entry.name in gated if gated else uses_prompt):
                return True
        return False

    def _entries(self) -> Iterable[tuple[ModelEntry, Location]]:
        if not self._options.selection.models:
            yield from ((entry, self._suite.location(entry.path)) for entry in self._suite.models)
            return
        for name in self._options.selection.models:
            # All entries of a model, if it is selected by its reference.
            named = [entry for entry in self._suite.models if entry.name == name]
            named = named or [entry for entry in self._suite.models if str(entry.ref) == name]
            try:
                for entry in named or [ModelEntry(ModelRef.parse(name), None, ("models",))]:
                    yield entry, Location(f"--model {name}")
            except ValueError:
                self._found.add(
                    Code.UNKNOWN_MODEL,
                    f"'{name}' is not a model",
                    Location(f"--model {name}"),
                    hint="write it as provider/name, for example openai/gpt-5.4-mini",
                )

    def _model(
        self, entry: ModelEntry, location: Location, gated: Sequence[str], prompts: Sequence[Prompt]
    ) -> PreparedModel | None:
        if entry.ref.provider not in providers:
            guess = did_you_mean(entry.ref.provider, providers.names())
            hint = f"did you mean '{guess}/{entry.ref.name}'?" if guess else None
            self._found.add(
                Code.UNKNOWN_PROVIDER,
                f"unknown provider '{entry.ref.provider}'",
                location,
                hint=hint or f"known providers: {', '.join(providers.names())}",
            )
            return None
        spec, model = provider_spec(entry.ref.provider), entry.ref.name
        context = self._context(entry.ref.provider)
        problems = list(spec.problems(model, context))
        sees_prompt = entry.judged or spec.reads_prompt(model, context)
        uses_prompt = sees_prompt if entry.uses_prompt is None else entry.uses_prompt
        if uses_prompt and not sees_prompt:
            problems.append(
                Problem(
                    Code.BAD_VALUE.name,
                    f"a '{entry.ref.provider}' model gets the variables of a case and never sees the prompt",
                    "leave 'uses prompt' out",
                )
            )
        problems += self._pipeline_problems(entry, spec, uses_prompt=uses_prompt)
        for key in ("config", "prompt") if entry.judged or not uses_prompt else ():
            if getattr(entry, key):
                message, hint = f"{entry.name} gets no prompt, so it takes no '{key}'", "delete it"
                problems.append(Problem(Code.BAD_VALUE.name, message, hint))
        common = self._suite.common
        without_key, reported = all(problem.absent for problem in problems), set[tuple[Location, str]]()
        for prompt in prompts if uses_prompt and without_key else ():
            config = laid_over(laid_over(common.config, prompt.config), entry.config)
            for problem in spec.unsupported(model, context, config):
                word = problem.word or ""
                at = entry.locations.get(word) or prompt.locations.get(word) or common.locations.get(word, location)
                if (at, problem.message) not in reported:
                    reported.add((at, problem.message))
                    self._found.add(Code[problem.code], problem.message, at, hint=problem.hint)
            if prompt.tools and (why := spec.without_tools(model, context)):
                message = f"{prompt.file}: {entry.ref} cannot take the prompt's tools: {why}"
                self._found.add(Code.NO_TOOLS, message, location, hint="name another model, or remove 'tools:'")
            schema = prompt.output_schema
            if schema is not None and (gap := spec.unenforced(model, context, schema)):
                hint = "change the schema, or keep it: 'json schema: output' checks the answers in any case"
                message, warning = f"{prompt.file}: {gap}", Severity.WARNING
                self._found.add(Code.NOT_ENFORCED, message, location, hint=hint, severity=warning)
        joined = not problems or (without_key and self._options.without_keys)
        severity = Severity.WARNING if joined else Severity.ERROR
        for problem in problems:
            self._found.add(Code[problem.code], problem.message, location, hint=problem.hint, severity=severity)
        if not joined:
            return None
        return PreparedModel(
            entry.ref,
            spec.connect(model, context),
            uses_prompt,
            gated=uses_prompt and (not gated or entry.name in gated),
            local=spec.runs_here(model, context),
            shaped_by=spec.shaped_by(model, context),
            absent=problems[0].absent if problems else None,
            replays=spec.replays,
            declared=entry.deterministic,
            billing=spec.billing(model, context),
            own_name=entry.own_name,
            config=entry.config,
            locations=entry.locations,
        )

    def _pipeline_problems(self, entry: ModelEntry, spec: ProviderSpec, *, uses_prompt: bool) -> Iterator[Problem]:
        """Yield what is wrong with a judged model, and with a model next to it that would need a prompt."""
        if entry.judged and entry.ref.provider != "python" and self._suite.steps[0].where.path[0] == "models":
            reports = spec.reports_version(entry.ref.name, self._context(entry.ref.provider))
            if not (reports and self._suite.steps[0].version):
                message = f"{entry.ref} must report its version, and 'version' must name the one that is judged"
                hint = (
                    "write 'version: 2.1.0', and in the settings of its endpoint 'version = PATH', the path in a reply"
                )
                yield Problem(Code.BAD_VALUE.name, message, hint)
        needs_prompt = uses_prompt and bool(entry.path) and not (entry.judged or entry.prompt)
        if needs_prompt and any(item.judged for item in self._suite.models):
            message = f"{entry.name} gets a prompt, and a suite with a judged model has none"
            yield Problem(Code.BAD_VALUE.name, message, "give it one of its own, as a baseline: 'prompt: FILE'")

    def windows(self, models: Sequence[PreparedModel]) -> dict[str, Window]:
        """Return the context windows of the models that get messages, if their providers know them."""
        windows: dict[str, Window] = {}
        for model in models:
            if model.uses_prompt:
                spec, context = provider_spec(model.ref.provider), self._context(model.ref.provider)
                windows[model.name] = Window(
                    partial(spec.context_window, model.ref.name, context), spec.context_setting
                )
        return windows

    def refusals(self, models: Sequence[PreparedModel]) -> dict[str, Callable[[str], str | None]]:
        """Return, for each model that gets messages and its fallback, why it does not take a media type, or None."""
        called = {str(item.ref): item for model in models for item in (model, model.fallback) if item is not None}
        return {
            name: partial(
                provider_spec(model.ref.provider).unsupported_file, model.ref.name, self._context(model.ref.provider)
            )
            for name, model in called.items()
            if model.uses_prompt
        }

    def _context(self, provider: str) -> ProviderContext:
        return ProviderContext(
            root=self._options.root,
            folder=self._suite.folder,
            environ=self._options.environ,
            options=self._options.provider_options.get(module_name(provider), {}),
            allowed_code=self._options.allowed_code,
            recordings=self._options.recordings,
            may_receive_key=self._options.may_receive_key,
        )

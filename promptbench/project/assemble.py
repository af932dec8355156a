"""Joins a suite with its prompts, models, checks and logs, and finds in one pass all that does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from promptbench.core.canonical import digest
from promptbench.core.diagnostics import Code, Diagnostics, Location, Severity, did_you_mean
from promptbench.core.plugins import module_name
from promptbench.core.protocols import Problem, ProviderContext, ProviderModule, Recordings
from promptbench.core.secrets import without_secrets
from promptbench.core.types import Answer, Json, LoggedCall, ModelRef, Request, Side
from promptbench.formats.paths import below
from promptbench.formats.source import Source
from promptbench.project.bench import PreparedCase, PreparedJudge, PreparedModel, PreparedSuite, Variant, sparing
from promptbench.project.cases import CaseBuilder, PromptInPlay
from promptbench.project.judges import Judged, connected, spared_words, warn_advisory, warn_own_judges
from promptbench.project.lint import Lint
from promptbench.project.logs import read_logs
from promptbench.project.windows import Window
from promptbench.prompts.parser import load as load_prompt
from promptbench.prompts.parser import parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.providers import plugins as providers
from promptbench.suite.models import ModelEntry, Suite


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """What the store has under `production`: how it is shown, and its text."""

    label: str
    source: str


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """What the joining needs to know besides the suite. `champion` gives what production has under a prompt's name."""

    root: Path
    environ: Mapping[str, str]
    allowed_code: Sequence[str]
    provider_options: Mapping[str, Mapping[str, Json]]
    champion: Callable[[str], StoredPrompt | None]
    recordings: Recordings | None = None
    prompts: tuple[Path, ...] = ()
    models: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    calls: tuple[LoggedCall, ...] | None = None
    """Logged calls in the place of the suite's logs; then only their cases are wanted."""
    candidate: tuple[str, StoredPrompt] | None = None
    """A prompt's name and a version of it, in the place of the suite's candidates."""
    without_keys: bool = False
    """Whether a model is joined whose key is not in the environment: it is told, and cannot be asked."""

    @property
    def partial(self) -> bool:
        """Whether only some of the cases are wanted."""
        return bool(self.cases or self.tags) or self.calls is not None

    def selects(self, case: PreparedCase) -> bool:
        """Whether a case is wanted: its name fits a pattern, and it has one of the tags."""
        by_name = not self.cases or any(fnmatchcase(case.name, pattern) for pattern in self.cases)
        return by_name and (not self.tags or bool({*self.tags} & {*case.tags}))

    def shown(self, path: Path) -> str:
        """A path as people are told it: from the project's root, with forward slashes."""
        try:
            return path.resolve().relative_to(self.root).as_posix()
        except ValueError:
            return path.as_posix()


def load_prompts(suite: Suite, around: PrepareOptions, found: Diagnostics) -> list[PromptInPlay]:
    """The candidates of a suite and what is in production, which stands last; what is wrong with them is in `found`."""
    joiner = _Joiner(suite, around, found)
    candidates = joiner.candidates()
    return _in_play(candidates, joiner.champion(candidates))


def _in_play(candidates: Sequence[Variant], champion: Variant | None) -> list[PromptInPlay]:
    return [PromptInPlay(item.prompt, item.label) for item in (*candidates, *((champion,) if champion else ()))]


def assemble(suite: Suite, around: PrepareOptions, found: Diagnostics) -> PreparedSuite | None:
    """The bench of a sound suite; None when something does not fit, which is then in `found`."""
    before = len(found.errors)
    joiner = _Joiner(suite, around, found)
    candidates = joiner.candidates()
    champion = joiner.champion(candidates)
    _tell_changed_schemas(suite, candidates, champion, found)
    prompts = _in_play(candidates, champion)
    models = joiner.models([item.prompt for item in prompts])
    builder = CaseBuilder(
        suite,
        prompts,
        found,
        has_baseline=any(not model.uses_prompt for model in models),
        root=around.root,
        allowed_code=around.allowed_code,
        said=joiner.said,
    )
    lint = Lint([*candidates, *((champion,) if champion else ())], joiner.windows(models), suite.checks)
    calls = read_logs(suite, found) if around.calls is None else around.calls

    def selects(case: PreparedCase) -> bool:
        return around.selects(case) and (around.calls is None or case.name in builder.calls)

    cases = builder.scan(calls, selects, lint.look)
    lint.tell(found)
    judges = joiner.judges(builder.judged.values())
    warn_own_judges(builder.judged.values(), models, found)
    warn_advisory(builder.judged.values(), around.shown(suite.folder), found)
    for tag, names in cases.tagged.items():
        if not (names or around.partial or len(found.errors) > before):
            hint = "write it under the 'tags:' of the cases that it is about"
            found.add(
                Code.BAD_VALUE,
                f"no case has the tag '{tag}'",
                suite.location(("gate", "tags", tag), key=True),
                hint=hint,
            )
    only_logs = suite.logs and not suite.document.value.get("cases")
    if not cases and only_logs and not around.partial and len(found.errors) == before:
        hint = "write a case under 'cases:', or name a log with failing calls"
        found.add(Code.NO_CASES, "no case is left: no logged call fails a check", suite.location(("log",)), hint=hint)
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
        partial=around.partial or joiner.leaves_out(models),
        judges=judges,
        judged_checks=tuple(check for check, _ in builder.judged.values()),
        calls=builder.calls,
        replayed=around.calls is not None,
    )


def _tell_changed_schemas(
    suite: Suite, candidates: Sequence[Variant], champion: Variant | None, found: Diagnostics
) -> None:
    """Each prompt is held to its own output schema, so a candidate that loosens it must not do so unseen."""
    theirs = champion.prompt.output_schema if champion else None
    for item in candidates:
        if theirs is not None and item.prompt.output_schema != theirs:
            found.add(
                Code.BAD_SCHEMA,
                f"{item.label} has another output schema than {champion.label if champion else ''}",
                suite.location(("prompt",)),
                hint="'json schema: output' holds each prompt to its own; compare the two before you trust the verdict",
                severity=Severity.WARNING,
            )


class _Joiner:
    def __init__(self, suite: Suite, around: PrepareOptions, found: Diagnostics) -> None:
        self._suite = suite
        self._around = around
        self._found = found

    def candidates(self) -> tuple[Variant, ...]:
        if self._around.candidate is not None:
            name, stored = self._around.candidate
            prompt = parse_prompt(Source(f"{name}.compared.prompt", stored.source), self._found)
            return (Variant(prompt, Side.CANDIDATE, stored.label),) if prompt else ()
        prompts: dict[str, Prompt] = {}
        for path, location in self._prompt_files():
            prompt = self._load(path, location)
            if prompt is not None:
                prompts.setdefault(prompt.hash, prompt)
        names = {prompt.name for prompt in prompts.values()}
        if len(names) > 1:
            self._found.add(
                Code.BAD_VALUE,
                f"the candidates belong to different prompts: {', '.join(sorted(names))}",
                self._suite.location(("prompt",)),
                hint="the name up to the first dot must be the same: triage.short.prompt, triage.long.prompt",
            )
        return tuple(Variant(item, Side.CANDIDATE, Path(item.file).name) for item in prompts.values())

    def _load(self, path: Path, location: Location) -> Prompt | None:
        if not path.is_file():
            near = [item.name for item in path.parent.glob("*.prompt")] if path.parent.is_dir() else []
            guess = did_you_mean(path.name, near)
            hint = f"did you mean '{guess}'?" if guess else f"prompts there: {', '.join(sorted(near)) or 'none'}"
            if any(char < " " for char in path.name):
                hint = "a backslash inside double quotes means something special: write / between folders"
            self._found.add(Code.FILE_NOT_FOUND, f"there is no prompt file '{path.name}'", location, hint=hint)
            return None
        return load_prompt(path, self._around.shown(path), self._found)

    def _prompt_files(self) -> Iterable[tuple[Path, Location]]:
        if self._around.prompts:
            for path in self._around.prompts:
                yield path, Location(self._around.shown(path))
            return
        for index, written in enumerate(self._suite.prompts):
            location = self._suite.location(("prompt", index))
            if not any(char in written for char in "*?["):
                file = below(self._suite.folder, written, location, self._found)
                if file is not None:
                    yield file, location
                continue
            if below(self._suite.folder, written, location, self._found) is None:
                continue
            try:
                matches = [
                    path for path in sorted(self._suite.folder.glob(written.replace("\\", "/"))) if path.is_file()
                ]
            except ValueError:
                hint = "'**' stands for folders and stands alone: write it as **/NAME.prompt"
                self._found.add(Code.BAD_VALUE, f"'{written}' is not a pattern", location, hint=hint)
                continue
            if not matches:
                hint = "the prompt's text belongs into a file of its own: write that file's name here"
                hint = hint if "{{" in written else "look at the names of the files beside the suite"
                self._found.add(Code.FILE_NOT_FOUND, f"no file fits '{written}'", location, hint=hint)
            for path in matches:
                if below(self._suite.folder, path.relative_to(self._suite.folder).as_posix(), location, self._found):
                    yield path, location

    def champion(self, candidates: Sequence[Variant]) -> Variant | None:
        """What is in production now, under the name of the candidates."""
        if not candidates:
            return None
        stored = self._around.champion(candidates[0].prompt.name)
        if stored is None:
            return None
        prompt = parse_prompt(Source(f"{stored.label}.prompt", stored.source), self._found)
        return Variant(prompt, Side.CHAMPION, stored.label) if prompt else None

    def models(self, prompts: Sequence[Prompt]) -> tuple[PreparedModel, ...]:
        gated = self._suite.gate.models
        entries = list(self._entries())
        for index, name in enumerate(gated):
            known = {str(entry.ref) for entry, _ in entries}
            if known and name not in known and not self._around.models:
                guess = did_you_mean(name, [str(entry.ref) for entry, _ in entries])
                self._found.add(
                    Code.UNKNOWN_MODEL,
                    f"the gate asks for '{name}', which is not among the models",
                    self._suite.location(("gate", "models", index)),
                    hint=f"did you mean '{guess}'?" if guess else "add it under 'models:'",
                )
        models: dict[str, PreparedModel] = {}
        for entry, location in entries:
            model = self._model(entry, location, gated, prompts)
            if model is not None:
                models.setdefault(model.name, self._with_fallback(entry, model, prompts))
        return tuple(models.values())

    def _with_fallback(self, entry: ModelEntry, model: PreparedModel, prompts: Sequence[Prompt]) -> PreparedModel:
        if entry.fallback is None:
            return model
        location = self._suite.location((*entry.path, "fallback"))
        if entry.fallback == entry.ref:
            self._found.add(
                Code.BAD_VALUE, f"{model.name} is no fallback for itself", location, hint="name another model"
            )
            return model
        other = self._model(ModelEntry(entry.fallback, None, entry.path), location, (), prompts)
        if other is not None and other.uses_prompt is not model.uses_prompt:
            sees, blind = (other, model) if other.uses_prompt else (model, other)
            message = f"{sees.name} gets the prompt and {blind.name} does not, so one cannot answer for the other"
            self._found.add(Code.BAD_VALUE, message, location, hint="name a model that is asked in the same way")
        return replace(model, fallback=replace(other, gated=False) if other else None)

    def judges(self, judged: Judged) -> dict[str, PreparedJudge]:
        """The models that checks ask, by name."""

        def connect(ref: ModelRef, location: Location) -> PreparedModel | None:
            return self._model(ModelEntry(ref, None, ()), location, (), ())

        return connected(judged, connect, self._refused, self._found)

    def _refused(self, ref: ModelRef, config: Mapping[str, Json]) -> list[Problem]:
        module: ProviderModule = providers.load(ref.provider)  # type: ignore[assignment]
        return _refused_words(module, ref.name, self._context(ref.provider), config)

    def said(self, question: Request) -> Answer | None:
        """What a judge is on record to have answered."""
        ref, kept = question.model, self._around.recordings
        if kept is None or ref.provider not in providers:
            return None
        found = kept.find(digest(sparing(question, spared_words(ref, self._refused)).as_dict()))
        return found[0] if found else None

    def leaves_out(self, models: Sequence[PreparedModel]) -> bool:
        """Whether a model that the suite wants to pass is not among these."""
        there = {model.name for model in models}
        gated = self._suite.gate.models
        missing = [entry.ref for entry in self._suite.models if str(entry.ref) not in there]
        return any(
            str(ref) in gated if gated else self._would_see_prompt(ref) for ref in missing if ref.provider in providers
        )

    def _would_see_prompt(self, ref: ModelRef) -> bool:
        entry = next(entry for entry in self._suite.models if entry.ref == ref)
        if entry.uses_prompt is not None:
            return entry.uses_prompt
        module: ProviderModule = providers.load(ref.provider)  # type: ignore[assignment]
        return _sees_prompt(module, ref.name, self._context(ref.provider))

    def _entries(self) -> Iterable[tuple[ModelEntry, Location]]:
        written = {str(entry.ref): entry for entry in self._suite.models}
        if not self._around.models:
            yield from ((entry, self._suite.location(entry.path)) for entry in self._suite.models)
            return
        for name in self._around.models:
            try:
                yield written.get(name) or ModelEntry(ModelRef.parse(name), None, ()), Location(f"--model {name}")
            except ValueError:
                hint = "write it as provider/name, for example openai/gpt-5-mini"
                self._found.add(Code.UNKNOWN_MODEL, f"'{name}' is not a model", Location(f"--model {name}"), hint=hint)

    def _model(
        self, entry: ModelEntry, location: Location, gated: Sequence[str], prompts: Sequence[Prompt]
    ) -> PreparedModel | None:
        if entry.ref.provider not in providers:
            guess = did_you_mean(entry.ref.provider, providers.names())
            hint = f"did you mean '{guess}/{entry.ref.name}'?" if guess else None
            hint = hint or f"known providers: {', '.join(providers.names())}"
            message = f"there is no provider '{entry.ref.provider}'"
            self._found.add(Code.UNKNOWN_PROVIDER, message, location, hint=hint)
            return None
        module: ProviderModule = providers.load(entry.ref.provider)  # type: ignore[assignment]
        context = self._context(entry.ref.provider)
        problems = module.problems(entry.ref.name, context)
        sees_prompt = _sees_prompt(module, entry.ref.name, context)
        uses_prompt = sees_prompt if entry.uses_prompt is None else entry.uses_prompt
        if uses_prompt and not sees_prompt:
            message = f"a '{entry.ref.provider}' model gets the variables of a case and never sees the prompt"
            problems.append(Problem(Code.BAD_VALUE.name, message, "leave 'uses prompt' out"))
        without_key = all(problem.absent for problem in problems)
        for prompt in prompts if uses_prompt and without_key else ():
            for problem in _refused_words(module, entry.ref.name, context, prompt.config):
                self._found.add(Code[problem.code], f"{prompt.file}: {problem.message}", location, hint=problem.hint)
        joined = not problems or (without_key and self._around.without_keys)
        severity = Severity.WARNING if joined else Severity.ERROR
        for problem in problems:
            self._found.add(Code[problem.code], problem.message, location, hint=problem.hint, severity=severity)
        if not joined:
            return None
        absent = problems[0].absent if problems else None
        name = str(entry.ref)
        provider = module.connect(entry.ref.name, context)
        in_gate = uses_prompt and (not gated or name in gated)
        local, shape = _is_local(module, entry.ref.name, context), _shape(module, entry.ref.name, context)
        return PreparedModel(entry.ref, provider, uses_prompt, in_gate, local, shape, absent=absent)

    def windows(self, models: Sequence[PreparedModel]) -> dict[str, Window]:
        """The context windows of the models that see a prompt, where their providers tell."""
        windows: dict[str, Window] = {}
        for model in models:
            tell = getattr(providers.load(model.ref.provider), "context_window", None)
            if model.uses_prompt and tell:
                windows[model.name] = partial(tell, model.ref.name, self._context(model.ref.provider))
        return windows

    def _context(self, provider: str) -> ProviderContext:
        """What a provider may know. Its settings' table is found however its name is written."""
        options = {module_name(name): table for name, table in self._around.provider_options.items()}
        return ProviderContext(
            root=self._around.root,
            folder=self._suite.folder,
            environ=self._around.environ,
            options=options.get(module_name(provider), {}),
            allowed_code=self._around.allowed_code,
            recordings=self._around.recordings,
        )


def _sees_prompt(module: ProviderModule, name: str, context: ProviderContext) -> bool:
    """Whether a model gets messages; a provider may tell it of each of its models."""
    tell = getattr(module, "reads_prompt", None)
    return bool(tell(name, context)) if tell else module.sees_prompt


def _is_local(module: ProviderModule, name: str, context: ProviderContext) -> bool:
    tell = getattr(module, "runs_here", None)
    return bool(tell(name, context)) if tell else module.local


def _shape(module: ProviderModule, name: str, context: ProviderContext) -> Json:
    """What shapes a model's answers besides the request, for the cache."""
    tell = getattr(module, "shaped_by", None)
    return tell(name, context) if tell else without_secrets(context.options)


def _refused_words(
    module: ProviderModule, name: str, context: ProviderContext, config: Mapping[str, Json]
) -> list[Problem]:
    """What of a config the model does not take: said now, not by a 400 in the middle of a run."""
    tell = getattr(module, "unsupported", None)
    return list(tell(name, context, config)) if tell else []

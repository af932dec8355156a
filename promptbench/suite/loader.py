"""Load a suite file: text, YAML, then its shape. All problems are collected with their locations."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from promptbench.core.call_config import read_config
from promptbench.core.errors import Code, Diagnostics, Location
from promptbench.core.types import Json, ModelRef, Rung
from promptbench.suite.cases import SuiteCases, checks_as_written, parse_file, read_case, read_checks
from promptbench.suite.file import GateFile, field_name, is_case_file
from promptbench.suite.models import Case, Common, ModelEntry, Suite, SuiteStep, Where, WrittenCheck
from promptbench.suite.suite_file import NO_PROMPT, SuiteFile
from promptbench.suite.validation import check_keys_once, known_key, validate
from promptbench.yaml.marked import YamlDocument, parse
from promptbench.yaml.source import Source, SourceError, below, read_source

_START = "a suite starts with the lines 'suite: NAME', 'prompt: FILE', 'models: …' and 'cases: …'"


def load(path_of_file: Path, shown: str, found: Diagnostics) -> Suite | None:
    """Load the suite in `path_of_file`, named `shown` to the user. Return None if it is not a suite at all.

    If `found` has errors, use the suite only to find more of them.
    """
    try:
        source = read_source(path_of_file, shown)
    except SourceError as error:
        empty = error.diagnostic.code is Code.EMPTY_FILE
        found.extend([replace(error.diagnostic, hint=_START) if empty else error.diagnostic])
        return None
    return read(source, path_of_file, found)


def read(source: Source, path_of_file: Path, found: Diagnostics) -> Suite | None:
    """Load a suite from a text, as if it were in `path_of_file`."""
    document = parse(source, found)
    if document is None:
        return None
    if not isinstance(document.value, dict):
        code, message = Code.WRONG_TYPE, "this file is not a suite: it has no 'name: value' lines"
        if document.value is None:
            code, message = Code.EMPTY_FILE, "the file has only comments"
        found.add(code, message, document.location(), hint=_START)
        return None
    file = validate(SuiteFile, document.value, (), document, found)
    check_keys_once(GateFile, document.value.get("gate"), ("gate",), document, found)
    valid = file or _valid_part(document.value)
    common = _common(valid, document, path_of_file, source.path, found)
    cases = _cases(document, path_of_file, source.path, common, found)
    if file is None:
        file = valid
    elif not file.cases and not file.log and not _has_misspelt_cases(document.value):
        found.add(
            Code.NO_CASES,
            "this suite has no cases",
            document.location(("cases",), key=True),
            hint="write at least one case under 'cases:', or name a log under 'log:'",
        )
    return Suite(
        name=file.suite,
        about=file.about,
        path=path_of_file,
        document=document,
        prompts=() if file.prompt == [NO_PROMPT] else tuple(file.prompt),
        models=_models(file, document, found),
        checks=common.expand(checks_as_written(file.checks, Where(document, ("checks",))), found),
        threshold=file.threshold,
        at=file.at,
        logs=tuple(file.log),
        accept=Rung(file.accept.replace(" ", "_")),
        cases=cases,
        gate=file.gate,
        tool_results=file.tool_results,
        max_steps=file.max_steps,
        common=common,
        steps=_pipeline(file, document, found) or _steps(file, common, document, found),
    )


def _pipeline(file: SuiteFile, document: YamlDocument, found: Diagnostics) -> tuple[SuiteStep, ...]:
    """Return the only step of a suite that judges a model: the model itself."""
    steps: list[SuiteStep] = []
    for index, item in enumerate(file.models):
        where = Where(document, ("models", index))
        for key in ("files", "version", "production") if not item.judged else ():
            if getattr(item, key):
                location, hint = where.location(key, key=True), "add 'judged: true', or delete it"
                found.add(Code.BAD_VALUE, f"only a judged model has '{key}'", location, hint=hint)
        if item.judged and (ref := _model_ref(item.model, where.location(), Diagnostics())):
            live = _model_ref(item.production, where.location("production"), found) if item.production else None
            facts = (tuple(item.files), item.deterministic, None, (), where, item.version, live)
            steps.append(SuiteStep("answer", (), ref, *facts))
    if len(steps) > 1 or (steps and (file.steps or file.prompt != [NO_PROMPT])):
        message = "a suite with a judged model has one of them, and no 'prompt' or 'steps'"
        location, hint = steps[-1].where.location("judged", key=True), "move each into a suite of its own"
        found.add(Code.BAD_VALUE, message, location, hint=hint)
    return tuple(steps[:1])


def _steps(file: SuiteFile, common: Common, document: YamlDocument, found: Diagnostics) -> tuple[SuiteStep, ...]:
    steps: dict[str, SuiteStep] = {}
    refused: list[tuple[str | int, ...]] = [(key,) for key in document.value if field_name(key) in _NOT_WITH_STEPS]
    refused += [("models", index, "fallback") for index, model in enumerate(file.models) if model.fallback]
    for path in refused if file.steps else ():
        message, location = f"a suite with 'steps' has no '{path[-1]}'", Where(document, path).location(key=True)
        found.add(Code.BAD_VALUE, message, location, hint=_NOT_WITH_STEPS[field_name(str(path[-1]))])
    for index, item in enumerate(file.steps):
        where = Where(document, ("steps", index))
        ref = _model_ref(item.model, where.location("model"), found) if item.model else None
        checks = common.expand(checks_as_written(item.checks, where.below("checks")), found)
        own = (tuple(item.prompt), ref, tuple(item.files), item.deterministic, item.at, checks, where)
        first = steps.setdefault(item.step, SuiteStep(item.step, *own))
        if first.where != where:
            message, hint = f"two steps are named '{item.step}'", "give each a name of its own"
            other = first.where.location("step")
            found.add(Code.DUPLICATE_NAME, message, where.location("step"), hint=hint, related=other)
    return tuple(steps.values())


_NOT_WITH_STEPS = {
    "prompt": "write the prompt into the step that sends it",
    "tool_results": "write a Python model as a step, which calls the tool itself",
    "fallback": "remove it: an answer of another model in one step proves nothing about the chain",
}


def _common(file: SuiteFile, document: YamlDocument, path: Path, shown: str, found: Diagnostics) -> Common:
    # The path that is shown is from the project's root, or absolute for a suite outside of it.
    file_path, before = path.resolve(), len(found)
    root = file_path.parent if Path(shown).is_absolute() else file_path.parents[len(Path(shown).parts) - 1]
    checks: dict[str, tuple[WrittenCheck, ...]] = {}
    files = []
    for index, written in enumerate(file.use_checks):
        location = Where(document, ("use_checks", index)).location()
        target = below(file_path.parent, written, location, found, root=root)
        if target is None:
            continue
        files.append(target.resolve())
        if not target.is_file():
            found.add(Code.FILE_NOT_FOUND, f"file '{written}' not found", location)
            continue
        for name, where in _named_checks(target, target.resolve().relative_to(root).as_posix(), found):
            if name in checks:
                message = f"two files have checks named '{name}'"
                found.add(Code.DUPLICATE_NAME, message, where.location(key=True), hint="rename one of them")
            checks[name] = read_checks(where.value, where, found)
    complete, locate = len(found) == before, partial(_config_location, Where(document, ("defaults",)))
    config, locations = read_config(file.defaults.config, locate, found, over=True)
    return Common(path.parent, file.defaults.vars, checks, tuple(files), config, locations, complete)


def _named_checks(path: Path, shown: str, found: Diagnostics) -> Iterator[tuple[str, Where]]:
    document = parse_file(path, shown, found)
    if document and not isinstance(document.value, dict):
        hint = "write each as 'NAME: [checks]'"
        found.add(Code.WRONG_TYPE, "expected named checks", document.location(), hint=hint)
    elif document:
        yield from ((name, Where(document, (name,))) for name in document.value)


def _has_misspelt_cases(value: dict[str, Json]) -> bool:
    return "cases" not in value and any(known_key(key, ("cases",), ()) for key in value)


def _cases(document: YamlDocument, path: Path, shown: str, common: Common, found: Diagnostics) -> SuiteCases:
    written: list[Case] = []
    files: list[tuple[str, Where]] = []
    listed = document.value.get("cases")
    for index, item in enumerate([listed] if is_case_file(listed) else listed if isinstance(listed, list) else ()):
        where = Where(document, ("cases", index))
        if is_case_file(item):
            files.append((item, where))
            continue
        case = read_case(item, where, found, common)
        if case is not None:
            written.append(case)
    return SuiteCases(path, shown, written, files, common)


def _valid_part(value: dict[str, Json]) -> SuiteFile:
    """Return the suite without its invalid keys, which have been reported, so that the rest is checked too."""
    valid: dict[str, Json] = {}
    for key, item in value.items():
        with suppress(ValidationError):
            SuiteFile.model_validate({**_STAND_INS, field_name(key): item})
            valid[field_name(key)] = item
    file = SuiteFile.model_validate({**_STAND_INS, **valid})
    return file.model_copy(update={key: [] for key in ("prompt", "models") if key not in valid})


_STAND_INS = {"suite": "?", "prompt": "?", "models": "?/?"}


def _models(file: SuiteFile, document: YamlDocument, found: Diagnostics) -> tuple[ModelEntry, ...]:
    entries: dict[str, ModelEntry] = {}
    # A chain of functions has no models besides them.
    last = None if "models" in document.value else ("steps", len(file.steps) - 1)
    for index, item in enumerate(file.models):
        where = Where(document, last or ("models", index))
        ref = _model_ref(item.model, where.location(), found)
        fallback = _model_ref(item.fallback, where.location("fallback"), found) if item.fallback else None
        config, locations = read_config(item.config, partial(_config_location, where), found, over=True)
        if ref is None:
            continue
        named = (item.own_name, config, locations, item.prompt, tuple(item.trained_on), bool(item.judged or last))
        entry = ModelEntry(ref, item.uses_prompt, where.path, fallback, item.deterministic, *named)
        first = entries.setdefault(entry.name, entry)
        # The same entry once more has never changed anything.
        if first != replace(entry, path=first.path):
            found.add(
                Code.DUPLICATE_NAME,
                f"there are two models named '{entry.name}'",
                where.location("as") if item.own_name else where.location(),
                hint="name each of them with 'as: NAME'",
                related=Where(document, first.path).location(),
            )
    return tuple(entries.values())


def _config_location(where: Where, key: str, is_key: bool) -> Location:
    return where.location("config", key, key=is_key)


def _model_ref(written: str, location: Location, found: Diagnostics) -> ModelRef | None:
    try:
        return ModelRef.parse(written)
    except ValueError:
        provider, colon, name = (part.strip() for part in written.partition(":"))
        hint = "write it as provider/name, for example openai/gpt-5.4-mini or gguf/smollm2-135m"
        if colon and provider and name:
            hint = f"write it with a slash: {provider}/{name}"
        found.add(Code.UNKNOWN_MODEL, f"'{written}' is not a model", location, hint=hint)
        return None

"""Check suites with their prompts, models and logs, or any text, without calling a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from promptbench.core.errors import Code, Diagnostic, Diagnostics, Exit, InputError, NothingSelected, Severity
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json, Message, Rung, Usage
from promptbench.core.words import number_of
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.assemble import ModelConnector
from promptbench.engine.prepare.evaluate import Evaluation, evaluate, needs_judge
from promptbench.engine.prepare.lint.windows import static_text
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.red_first import check_red_first
from promptbench.project import Project, input_error
from promptbench.prompts.parser import SUFFIXES, load as load_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.report.diagnostics import as_data
from promptbench.report.document import Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.report.words import money
from promptbench.suite.cases import SuiteCases, read_checks
from promptbench.suite.file import GateFile
from promptbench.suite.loader import load
from promptbench.suite.models import Suite, Where
from promptbench.text.tokens import estimate
from promptbench.yaml.marked import YamlDocument, parse
from promptbench.yaml.source import Source


def load_suite(project: Project, path: Path) -> Suite:
    """Read one suite file, or the suite in a folder.

    The prompts, models and logs that it names are not looked at; `validate` does that.

    Raises:
        InputError: with every diagnostic, if the file is missing or invalid, or a folder has several suites.
    """
    file, found = project.suite_file(path), Diagnostics()
    suite = load(file, project.shown(file), found)
    if suite is None or found.errors:
        raise input_error(found)
    return suite


def validate(project: Project, selection: Selection, *, red: bool = False) -> Diagnostics:
    """Check suites and everything they name, without a call.

    Args:
        project: the project of the suites.
        selection: the suites, and what of them is checked.
        red: with it, a logged call that passes its checks is an error, imported answers of captured cases must fail
            too, and a check that no logged answer fails is a warning.

    Returns:
        The warnings.

    Raises:
        InputError: with every diagnostic, if one of them is an error.
    """
    with project.prompts() as store, project.recordings() as runs:
        try:
            prepared_suites, found = project.assemble(selection, store=store, runs=runs)
        except NothingSelected as nothing:
            # A suite may be valid without a case to call: all are skipped.
            if not nothing.diagnostics:
                raise
            prepared_suites, found = [], Diagnostics()
            found.extend(nothing.diagnostics)
        if red:
            found = check_red_first(prepared_suites, found, runs.calls().find if runs else None)
    if red and found.errors:
        raise input_error(found)
    return found


def validation_report(
    items: Sequence[Diagnostic], prompts: Sequence[PromptFacts], *, with_table: bool = False
) -> Report:
    """Return the report on diagnostics, which are in order, and on prompt files.

    Args:
        items: the diagnostics.
        prompts: the prompt files that are valid.
        with_table: True to list the diagnostics in the document, for formats without source excerpts.
    """
    errors = [item for item in items if item.severity is Severity.ERROR]
    count = number_of(len(errors), "error") if errors else "no errors"
    warnings = len(items) - len(errors)
    columns = [TableColumn(head, numeric=False, wrap=True) for head in ("location", "code", "problem", "hint")]
    rows = [[str(item.location), f"{item.severity} {item.code.value}", item.message, item.hint or ""] for item in items]
    table = [Section([TableBlock(columns, rows)])] if with_table and rows else []
    data: dict[str, Json] = {"valid": not errors, "diagnostics": [as_data(item) for item in items]}
    return Report(
        "validate",
        Document(
            "Validation" if with_table else "",
            [*table, *(section for item in prompts for section in _sections(item))],
            f"{count}, {number_of(warnings, 'warning')}" if warnings else count,
        ),
        lambda: data | ({"prompts": list(map(asdict, prompts))} if prompts else {}),
        exit=Exit.INPUT if errors else Exit.YES,
        problems=[f"{item.location}: {item.severity}[{item.code.value}] {item.message}" for item in items],
    )


def check_text(
    project: Project, text: str, written: Sequence[str], *, accept: str, variables: Mapping[str, str]
) -> Evaluation:
    """Return the scores of a text.

    Args:
        project: the project, for its settings and repair rules.
        text: the text, such as a model's answer.
        written: checks in YAML, each as under `checks:` in a suite. They name files from the current folder.
        accept: the accept level, as in a suite.
        variables: the values that checks may compare with.

    Raises:
        InputError: with a diagnostic for each error in the checks.
    """
    found = Diagnostics()
    values = project.settings.values
    context = CheckContext(Path.cwd(), None, project.settings.root, tuple(values.python))
    built = []
    for index, item in enumerate(written, 1):
        document = parse(Source(f"check {index}", item), found)
        specs = read_checks(document.value, Where(document), found) if document else ()
        built += [checks.build(spec, context, found) for spec in specs]
    if found.errors or None in built:
        raise input_error(found)
    if any(needs_judge(check) for check in built):
        hint = "use it in a suite: `promptbench run` calls the judge"
        raise InputError("this check needs a judge, and `suite score` calls no model", hint=hint)
    level = Rung(accept.replace(" ", "_"))
    return evaluate(text, [check for check in built if check], level, variables, ladder=project.ladder)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call of a prompt on one model: US dollars, None if the price is unknown, and the context window in tokens."""

    model: str
    cost: float | None
    context_window: int | None


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """A prompt file. `variables` are the type of each, None if unknown, and `optional` are those with a default.

    Sizes are those of the prompt's own text, without the values of its variables; `input_tokens` is estimated as
    characters / 4; `output_tokens` is the limit in its config if it is `bounded`, else 500.
    """

    file: str
    name: str
    hash: str
    variables: dict[str, str | None]
    optional: list[str]
    roles: list[str]
    characters: int
    input_tokens: int
    output_tokens: int
    bounded: bool
    models: list[ModelCall]


def is_prompt_file(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def look_at_prompts(
    project: Project, paths: Sequence[Path], models: Sequence[str]
) -> tuple[list[PromptFacts], Diagnostics]:
    """Return the facts of each valid prompt file, and what is wrong with the files or the models. Nothing is called."""
    found = Diagnostics()
    loaded = [(path, load_prompt(path, project.shown(path), found)) for path in paths]
    return [_facts(project, path, prompt, models, found) for path, prompt in loaded if prompt], found


def _facts(project: Project, path: Path, prompt: Prompt, models: Sequence[str], found: Diagnostics) -> PromptFacts:
    text = static_text(prompt).replace("\n\0\n", "")
    usage = estimate([Message("user", text)], prompt.config, prompt.tools)
    fields = (prompt.input_schema or {}).get("properties")
    fields = fields if isinstance(fields, dict) else {}
    types = {name: _type(fields.get(name)) for name in sorted({*prompt.variables, *prompt.missing({})})}
    return PromptFacts(
        file=project.shown(path),
        name=prompt.name,
        hash=prompt.hash,
        variables=types,
        optional=[name for name in types if name not in prompt.missing({})],
        roles=[item.role for item in prompt.templates],
        characters=len(text),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        bounded="maxOutputTokens" in prompt.config,
        models=list(_calls(project, path, prompt, usage, models, found)),
    )


def _type(schema: Json) -> str | None:
    if not isinstance(schema, dict):
        return None
    kind = schema.get("type", "enum" if "enum" in schema else None)
    return " or ".join(map(str, kind)) if isinstance(kind, list) else kind


def _calls(
    project: Project, path: Path, prompt: Prompt, usage: Usage, models: Sequence[str], found: Diagnostics
) -> Iterator[ModelCall]:
    if not models:
        return
    # It imports all that makes a run.
    from promptbench.workflows.judge.execute import prices_of

    with project.prompts() as store, project.recordings() as runs:
        options = project.prepare_options(Selection(models=tuple(models)), store, runs)
        problems = Diagnostics()
        connector = ModelConnector(_no_suite(path, prompt), replace(options, without_keys=True), problems)
        connected = connector.connect([prompt])
        windows = connector.windows(connected)
    # Without a call no key is needed.
    found.extend(item for item in problems if item.code is not Code.MISSING_CREDENTIAL)
    prices = prices_of(project, connected)
    for model in connected:
        window = windows.get(model.name)
        yield ModelCall(model.name, prices.of_tokens(model.ref, usage), window.size() if window else None)


def _no_suite(path: Path, prompt: Prompt) -> Suite:
    """Return what stands in for the suite: the models come from the command line."""
    shown = str(path)
    document = YamlDocument(Source(shown, ""), 1, {})
    cases = SuiteCases(path, shown, [], [])
    return Suite(
        name=prompt.name, about=None, path=path, document=document, prompts=(), models=(), checks=(), threshold=None,
        at=None, logs=(), accept=Rung.EXTRACTED, cases=cases, gate=GateFile(),
    )  # fmt: skip


def _sections(item: PromptFacts) -> Iterator[Section]:
    size = f"{number_of(len(item.roles), 'message')}, {item.characters:,} characters without the values"
    answer = "at most" if item.bounded else "an assumed"
    tokens = f"about {number_of(item.input_tokens, 'token')}, and {answer} {item.output_tokens:,} for the answer"
    blocks: list[Text | TableBlock] = [Text(f"{size}: {tokens}")]
    if item.variables:
        columns = [TableColumn(head, numeric=False) for head in ("variable", "type", "")]
        rows = [
            [name, kind or "any", "has a default" if name in item.optional else ""]
            for name, kind in item.variables.items()
        ]
        blocks.append(TableBlock(columns, rows))
    if item.models:
        columns = [TableColumn("model", numeric=False), TableColumn("cost per call"), TableColumn("context window")]
        rows = [
            [call.model, money(call.cost), f"{call.context_window:,}" if call.context_window else "unknown"]
            for call in item.models
        ]
        blocks.append(TableBlock(columns, rows))
    yield Section(blocks, title=f"{item.file} ({item.hash[:15]})")

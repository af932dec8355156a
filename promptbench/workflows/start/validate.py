"""Check suites with their prompts, models and logs, or any text, without calling a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from promptbench.core.diagnostics import Diagnostic, Diagnostics, Severity
from promptbench.core.errors import Exit, InputError, NothingSelected
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json, Rung
from promptbench.core.words import number_of
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.evaluate import Evaluation, evaluate, needs_judge
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.red_first import check_red_first
from promptbench.project import Project, input_error
from promptbench.report.diagnostics import as_data
from promptbench.report.document import Document, Report, Section, TableBlock, TableColumn
from promptbench.suite.cases import read_checks
from promptbench.suite.loader import load
from promptbench.suite.models import Suite, Where
from promptbench.workflows.start.prompt_files import PromptFacts, prompt_sections
from promptbench.yaml.marked import parse
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
            [*table, *prompt_sections(prompts)],
            f"{count}, {number_of(warnings, 'warning')}" if warnings else count,
        ),
        lambda: data | ({"prompts": [item.as_dict() for item in prompts]} if prompts else {}),
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

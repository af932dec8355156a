"""Check suites with their prompts, models and logs, or any text, without calling a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Rung
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.evaluate import Evaluation, evaluate, needs_judge
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.red_first import check_red_first
from promptbench.project import Project, input_error
from promptbench.suite.cases import read_checks
from promptbench.suite.loader import load
from promptbench.suite.models import Suite, Where
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
        prepared_suites, found = project.assemble(selection, store=store, runs=runs)
        if red:
            found = check_red_first(prepared_suites, found, runs.calls().find if runs else None)
    if red and found.errors:
        raise input_error(found)
    return found


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

"""Check any text, without a suite and without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Rung
from promptbench.engine.prepare import checks
from promptbench.engine.prepare.evaluate import Evaluation, evaluate, needs_judge
from promptbench.project import Project, input_error
from promptbench.suite.cases import read_checks
from promptbench.suite.models import Where
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source


def check_text(
    project: Project, text: str, written: Sequence[str], *, accept: str, variables: Mapping[str, str]
) -> Evaluation:
    """Return the scores of a text.

    Args:
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
        raise InputError(
            "this check needs a judge, and `suite score` calls no model",
            hint="use it in a suite: `promptbench run` calls the judge",
        )
    level = Rung(accept.replace(" ", "_"))
    return evaluate(text, [check for check in built if check], level, variables, ladder=project.ladder)

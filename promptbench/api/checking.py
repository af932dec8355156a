"""Checks on any text, without a suite and without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from promptbench.api.workspace import Project
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import InputError
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Rung
from promptbench.core.words import number_of
from promptbench.formats.marked_yaml import parse
from promptbench.formats.source import Source
from promptbench.project import checks
from promptbench.project.evaluate import Evaluation, evaluate, needs_judge
from promptbench.suite.cases import read_checks
from promptbench.suite.models import Where


def check_text(
    project: Project, text: str, written: Sequence[str], *, accept: str, variables: Mapping[str, str]
) -> Evaluation:
    """Scores `text` with checks written in YAML, each as under `checks:` in a suite; `accept` is as there.

    Files that a check names are looked for in the current folder.

    Raises InputError with every mistake in them.
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
        count = len(found.errors)
        raise InputError(number_of(count, "error"), diagnostics=found)
    if any(needs_judge(check) for check in built):
        raise InputError("a model decides this check, and no model is asked here", hint="`promptbench run` asks it")
    return evaluate(text, [check for check in built if check], Rung(accept.replace(" ", "_")), variables)

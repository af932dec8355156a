"""Check suites, prompts, models and logs without calling a model."""

from __future__ import annotations

from pathlib import Path

from promptbench.core.diagnostics import Diagnostics
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.red_first import check_red_first
from promptbench.project import Project, input_error
from promptbench.suite.loader import load
from promptbench.suite.models import Suite


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

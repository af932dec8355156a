"""Check suites, prompts, models and logs without calling a model."""

from __future__ import annotations

from promptbench.core.diagnostics import Diagnostics
from promptbench.engine.prepare.red_first import check_red_first
from promptbench.project import Selection, Workspace, mistakes


def validate(workspace: Workspace, selection: Selection, *, red: bool = False) -> Diagnostics:
    """Looks at suites, prompts, checks, models and logs without a call; the warnings, if there is nothing worse.

    With `red` a logged call that passes its checks is an error too, imported answers of captured cases must fail as
    well, and checks that no logged answer fails are told. Raises InputError with every diagnostic when there is an
    error.
    """
    with workspace.prompts() as store, workspace.recordings() as runs:
        benches, found = workspace.assemble(selection, store=store, runs=runs)
        if red:
            found = check_red_first(benches, found, runs.calls() if runs else None)
    if red and found.errors:
        raise mistakes(found)
    return found

"""Regression tests for prompts: replay failing calls, judge candidates, promote what passes.

    from pathlib import Path
    from promptbench import Project, Selection, run

    project = Project.open()
    for report in run(project, Selection(paths=(Path("suites/triage"),))):
        print(report.sentence)

Everything public is listed here, and imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptbench.answers import ParsedAnswer as ParsedAnswer, read_answer as read_answer
    from promptbench.client import PromptClient as PromptClient, ServedPrompt as ServedPrompt
    from promptbench.core.errors import (
        ConflictError as ConflictError,
        EnvironmentFailure as EnvironmentFailure,
        InputError as InputError,
        Interrupted as Interrupted,
        NothingSelected as NothingSelected,
        PromptbenchError as PromptbenchError,
    )
    from promptbench.engine.prepare.options import Selection as Selection
    from promptbench.plugins import (
        CheckSpec as CheckSpec,
        LogFormatSpec as LogFormatSpec,
        ProviderSpec as ProviderSpec,
        RepairSpec as RepairSpec,
        ReportFormatSpec as ReportFormatSpec,
    )
    from promptbench.project import Project as Project
    from promptbench.recording import record_call as record_call
    from promptbench.report.model import Promotion as Promotion, RunReport as RunReport
    from promptbench.workflows.judge.compare import compare as compare
    from promptbench.workflows.judge.rejudge import gate_run as gate_run
    from promptbench.workflows.judge.run import run as run
    from promptbench.workflows.logs.replay import replay as replay
    from promptbench.workflows.start.validate import load_suite as load_suite
    from promptbench.workflows.store.labels import Who as Who, rollback as rollback
    from promptbench.workflows.store.promote import promote as promote

__version__ = "0.2.0.dev0"

_HOMES = {
    "answers": ("ParsedAnswer", "read_answer"),
    "client": ("PromptClient", "ServedPrompt"),
    "core.errors": (
        "ConflictError",
        "EnvironmentFailure",
        "InputError",
        "Interrupted",
        "NothingSelected",
        "PromptbenchError",
    ),
    "plugins": ("CheckSpec", "LogFormatSpec", "ProviderSpec", "RepairSpec", "ReportFormatSpec"),
    "engine.prepare.options": ("Selection",),
    "project": ("Project",),
    "recording": ("record_call",),
    "report.model": ("Promotion", "RunReport"),
    "workflows.judge.compare": ("compare",),
    "workflows.judge.rejudge": ("gate_run",),
    "workflows.judge.run": ("run",),
    "workflows.logs.replay": ("replay",),
    "workflows.start.validate": ("load_suite",),
    "workflows.store.labels": ("Who", "rollback"),
    "workflows.store.promote": ("promote",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_MODULES)  # noqa: PLE0605 - the one list of public names


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"promptbench.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'promptbench' has no attribute '{name}'")

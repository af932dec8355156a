"""Regression tests for prompts. Everything public is here; it is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptbench.api import (
        PRODUCTION,
        CacheMode,
        CheckPage,
        Estimate,
        Event,
        Health,
        Plan,
        Promotion,
        RepairsReport,
        RunReport,
        Selection,
        Spending,
        Store,
        Version,
        Who,
        Workspace,
        adopt,
        check_page,
        check_pages,
        check_text,
        doctor,
        force,
        init,
        judge,
        plan,
        promote,
        rejudge,
        repairs,
        rescore,
        retire,
        rollback,
        run,
        suite_schema,
        validate,
    )

__version__ = "0.1.0"

__all__ = [
    "PRODUCTION",
    "CacheMode",
    "CheckPage",
    "Estimate",
    "Event",
    "Health",
    "Plan",
    "Promotion",
    "RepairsReport",
    "RunReport",
    "Selection",
    "Spending",
    "Store",
    "Version",
    "Who",
    "Workspace",
    "__version__",
    "adopt",
    "check_page",
    "check_pages",
    "check_text",
    "doctor",
    "force",
    "init",
    "judge",
    "plan",
    "promote",
    "rejudge",
    "repairs",
    "rescore",
    "retire",
    "rollback",
    "run",
    "suite_schema",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from promptbench import api

        return getattr(api, name)
    raise AttributeError(f"module 'promptbench' has no attribute '{name}'")

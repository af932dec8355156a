"""Suites with their prompts before the look at what is likely wrong between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from promptbench.core.errors import Diagnostic, Diagnostics, Location
from promptbench.core.types import Side
from promptbench.engine.prepare.lint.lint import Lint
from promptbench.engine.prepare.lint.windows import Window
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.prompts.parser import parse_prompt
from promptbench.suite.models import Case, Where
from promptbench.yaml.source import Source


def variant(text: str, side: Side = Side.CANDIDATE, label: str = "triage.prompt") -> Variant:
    found = Diagnostics()
    prompt = parse_prompt(Source(label, text), found)
    assert prompt is not None, [item.message for item in found]
    return Variant(prompt, side, label)


class Written:
    """What nobody wrote: a case made by a test."""

    value: Mapping[str, Any] = {}

    def location(self, path: tuple[str | int, ...] = (), *, key: bool = False) -> Location:
        return Location("suite.yaml")

    def is_blank(self, path: tuple[str | int, ...]) -> bool:
        return False


def case(name: str, message: Any = "hi", expect: Any = None, **more: Any) -> Case:
    """A case that expects something, unless that is None."""
    given: dict[str, Any] = {
        **{field.name: None for field in fields(Case)},
        "name": name,
        "variables": {"message": message},
        "messages": (),
        "turns": (),
        "has_expect": expect is not None,
        "expect": expect,
        "has_wish": False,
        "checks": (),
        "tags": (),
        "where": Where(Written()),
    }
    return Case(**{**given, **more})


def linted(
    variants: list[Variant], cases: list[Case], sizes: Mapping[str, Callable[[], int | None]] | None = None
) -> list[Diagnostic]:
    found = Diagnostics()
    windows = {
        model: Window(size, "context" if model.startswith("gguf/") else "context_window")
        for model, size in (sizes or {}).items()
    }
    lint = Lint(variants, windows)
    for item in cases:
        lint.look(item)
    lint.report(found)
    return list(found)


def said(items: list[Diagnostic]) -> list[str]:
    return [item.message for item in items]

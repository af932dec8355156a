"""Warn about prompts, models and cases that are each valid but unlikely to work together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptbench.core.diagnostics import Diagnostics
from promptbench.engine.prepare.lint.files import FileLint
from promptbench.engine.prepare.lint.labels import Labels
from promptbench.engine.prepare.lint.leaks import Leaks
from promptbench.engine.prepare.lint.overlaps import Overlaps
from promptbench.engine.prepare.lint.windows import Window, Windows
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.suite.models import Case, WrittenCheck


class Lint:
    """Looks at each case once, and keeps only the few that its warnings name.

    `windows` are the context windows of the models that get the prompts, `checks` are the checks of all cases.
    `files` looks at files.
    """

    def __init__(
        self,
        variants: Sequence[Variant],
        windows: Mapping[str, Window],
        checks: Sequence[WrittenCheck] = (),
        files: FileLint | None = None,
    ) -> None:
        once = list({variant.hash: variant for variant in reversed(variants)}.values())[::-1]
        self._parts: list[Windows | Labels | Leaks | Overlaps | FileLint] = [
            *(Windows(replace(it, prompt=prompt), windows) for it in once for prompt in it.prompt.prompts),
            Labels(once),
            *(Leaks(variant) for variant in once),
            Overlaps(checks),
            *([files] if files else []),
        ]

    def look(self, case: Case) -> None:
        for part in self._parts:
            part.look(case)

    def report(self, found: Diagnostics) -> None:
        """Add warnings, and errors for prompts that cannot fit a context window."""
        for part in self._parts:
            part.report(found)

"""What is likely wrong between prompts, models and cases that are each sound: told before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptbench.core.diagnostics import Diagnostics
from promptbench.project.bench import Variant
from promptbench.project.labels import Labels
from promptbench.project.leaks import Leaks
from promptbench.project.overlaps import Overlaps
from promptbench.project.windows import Window, Windows
from promptbench.suite.models import Case, CheckSpec


class Lint:
    """Looks at each case once, in order, and holds none but the few that it will name.

    `windows` are the context windows of the models that are asked with the prompts, `checks` those of all cases.
    """

    def __init__(
        self, variants: Sequence[Variant], windows: Mapping[str, Window], checks: Sequence[CheckSpec] = ()
    ) -> None:
        once = list({variant.hash: variant for variant in reversed(variants)}.values())[::-1]
        self._parts: list[Windows | Labels | Leaks | Overlaps] = [
            *(Windows(variant, windows) for variant in once),
            Labels(once),
            *(Leaks(variant) for variant in once),
            Overlaps(checks),
        ]

    def look(self, case: Case) -> None:
        for part in self._parts:
            part.look(case)

    def report(self, found: Diagnostics) -> None:
        """Adds what was found to `found`."""
        for part in self._parts:
            part.report(found)

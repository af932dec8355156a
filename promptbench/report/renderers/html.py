"""One page that opens offline: verdict, figures, charts, and every attempt with its messages and answers."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from promptbench.core.words import number_of
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Block, Report, Target
from promptbench.report.explorer import Explorer, explore

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class _Page:
    """One report of the file. `place` is its number."""

    report: Report
    place: int
    explorer: Explorer | None
    drawn: Sequence[Block]

    @classmethod
    def of(cls, report: Report, place: int, templates: Environment) -> _Page:
        explorer, attempts = None, report.attempts
        if attempts:
            template, prompts = templates.get_template("body.html"), {item.hash: item for item in attempts.prompts}
            explorer = explore(attempts, lambda case: template.render(item=case, prompts=prompts))
        drawn: list[Block] = [*report.charts(explorer.times if explorer else {})] if report.charts else []
        return cls(report, place, explorer, [*drawn, *(explorer.matrices if explorer else [])])

    def address(self, link: Mapping[str, str]) -> str:
        from promptbench.report.templates import address

        return f"#{address({'run': self.place, **link})}" if self.explorer else ""


def render(reports: Sequence[Report], target: Target) -> str:
    """Return the page. It loads nothing, and what models and users wrote is text in it, never markup."""
    # Other formats do not pay for the import.
    from markupsafe import Markup

    from promptbench.report.templates import environment

    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = " · ".join(f"{report.name}: {report.result}" if report.result else report.name for report in reports)
    templates = environment()
    return templates.get_template("page.html").render(
        policy=Markup(policy),
        title=title,
        about=reports[0].name if len(reports) == 1 else number_of(len(reports), "suite"),
        style=Markup(style),
        script=Markup(script),
        pages=[_Page.of(report, place, templates) for place, report in enumerate(reports)],
    )


def _asset(name: str) -> str:
    return resources.files("promptbench.report").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


SPEC = ReportFormatSpec(render)

"""Markdown for the comment on a pull request: verdict, figures and cases, within the length that GitHub takes."""

from __future__ import annotations

from collections.abc import Sequence

from promptbench.report.formats._markdown import document
from promptbench.report.model import RunReport
from promptbench.report.words import Target

LIMIT = 65_000
"""GitHub takes 65,536 characters in a comment; bytes are at least as many."""


def render(reports: Sequence[RunReport], target: Target) -> str:
    return document(reports, LIMIT)

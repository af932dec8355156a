"""Answers as checks see them."""

from __future__ import annotations

from pathlib import Path

from promptbench.checks import plugins
from promptbench.core.protocols import CheckContext, Subject
from promptbench.core.types import Json, Rung, Score
from promptbench.formats.json_text import read


def subject(text: str, accept: Rung = Rung.EXTRACTED) -> Subject:
    return Subject(text, lambda: read(text), accept, {})


def score(
    check: str, argument: Json, text: str, *, accept: Rung = Rung.EXTRACTED, folder: Path = Path(), output: Json = None
) -> Score:
    built = plugins.load(check).build(argument, CheckContext(folder, output))
    result = built.score(subject(text, accept))
    assert isinstance(result, Score)
    assert result.passed == (not result.reason)
    assert result.value == float(result.passed)
    return result

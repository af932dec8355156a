"""Answers as checks see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from promptbench.checks import plugins
from promptbench.core.protocols import CheckContext, Subject
from promptbench.core.types import CallFacts, Json, Rung, Score
from promptbench.parsing.json_text import read


def subject(
    text: str,
    accept: Rung = Rung.EXTRACTED,
    variables: Mapping[str, Json] | None = None,
    call: CallFacts | None = None,
) -> Subject:
    return Subject(text, lambda: read(text), accept, variables or {}, call)


def score(
    check: str,
    argument: Json,
    text: str,
    *,
    accept: Rung = Rung.EXTRACTED,
    folder: Path = Path(),
    output: Json = None,
    variables: Mapping[str, Json] | None = None,
    call: CallFacts | None = None,
    allowed_code: Sequence[str] = (),
) -> Score:
    context = CheckContext(folder, output, root=folder, allowed_code=allowed_code)
    result = plugins.load(check).build(argument, context).score(subject(text, accept, variables, call))
    assert isinstance(result, Score)
    assert result.passed == (not result.reason)
    assert "\n" not in result.reason
    assert 0 <= result.value <= 1
    # Where something is right, a failure may have a part of the value; what passes is never worth nothing.
    assert result.value > 0 or not result.passed
    return result

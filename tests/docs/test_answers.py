"""The checks that the guide to answers shows are checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import promptbench
from promptbench.checks import plugins
from promptbench.core.errors import Diagnostics
from promptbench.core.protocols import CheckContext
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from tests.helpers.subjects import subject

PAGE = Path(promptbench.__file__).parent / "docs" / "guides" / "answers.md"
BESIDE = Path(__file__).parent.parent / "helpers" / "beside_a_suite"
ROWS = re.findall(r"^\|[^|]+\| `(.+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_table_is_found() -> None:
    assert len(ROWS) > 15


@pytest.mark.parametrize("written", ROWS)
def test_every_check_of_the_table_builds(written: str) -> None:
    document = parse(Source("answers.md", written), Diagnostics())
    assert document is not None
    [(name, argument)] = document.value.items()
    context = CheckContext(BESIDE, root=BESIDE, allowed_code=("*.py",))
    score = plugins.load(name).build(argument, context).score(subject("a text that no check of the table was made for"))
    assert score.passed == (not score.reason)

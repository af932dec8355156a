"""What guides/redaction.md promises is found, and what it excepts is not."""

from __future__ import annotations

import re

import pytest

from promptbench.redaction.redactor import Redactor
from tests.docs.test_sections import GUIDES

PAGE = (GUIDES / "redaction.md").read_text(encoding="utf-8")


def examples(title: str) -> list[tuple[str, str]]:
    """Return kind and example of the tables of one section. The first column has the kind."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [row.split("|") for row in re.findall(r"^\| (.*) \|$", section, re.MULTILINE)]
    return [
        (row[0].strip(" `"), example) for row in rows for cell in row[1:] for example in re.findall(r"`([^`]+)`", cell)
    ]


@pytest.mark.parametrize(("kind", "example"), examples("What is found"))
def test_the_page_promises_it(kind: str, example: str) -> None:
    one = Redactor(b"k" * 32)
    done = one.redact_text(example)
    assert one.counts == {kind: 1}
    assert one.redact_text(done) == done


@pytest.mark.parametrize(("kind", "example"), examples("What is not found"))
def test_the_page_excepts_it(kind: str, example: str) -> None:
    assert Redactor(b"k" * 32).redact_text(example) == example

"""What is counted and compared takes linear time, where the published patterns take quadratic."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from promptbench.checks import plugins
from promptbench.checks._reading import Loose
from promptbench.checks.count import KINDS
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json
from tests.helpers.subjects import subject

PIECES = [
    "\n",
    "*",
    "*\n",
    "[",
    "<<",
    ">",
    "-",
    ". ",
    ".",
    "A.",
    "'s ",
    "'",
    '"',
    "。",
    ": ",
    "a@",
    "\u00a0",
    "Hi there. ",
]
CHECKS: list[tuple[str, Json]] = [
    *(("count", {"of": kind, "exactly": 7}) for kind in KINDS),
    ("count", {"of": "word a", "exactly": 7}),
    ("count", {"of": "sections a", "exactly": 7}),
    ("not contains", {"any of": ["a@a@", "* *"], "whole words": True}),
    ("parts", {"separated by": "***", "exactly": 7}),
    ("starts with", {"word": "x", "paragraph": 7}),
    ("ends with", {"text": "x", "paragraph": "last"}),
    ("letter case", "upper"),
    ("language", "Thai"),
]


@pytest.mark.parametrize(("name", "argument"), CHECKS, ids=str)
def test_takes_linear_time(name: str, argument: Json) -> None:
    check = Loose(plugins.load(name).build(argument, CheckContext(Path())))
    for piece in PIECES:
        text = piece * (200_000 // len(piece))
        began = time.perf_counter()
        check.score(subject(text))
        assert time.perf_counter() - began < 10, repr(piece)

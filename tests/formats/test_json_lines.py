from __future__ import annotations

import json

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from promptbench.core.types import Reading, Rung
from promptbench.formats.json_lines import read
from promptbench.formats.limits import Limits


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ('\n{"a": "x\u2028y"}\r\n\r\n[]\r\n', [{"a": "x\u2028y"}, []]),
        ('1\n"x"\nnull', [1, "x", None]),
    ],
)
def test_raw(text, value):
    assert read(text) == Reading(Rung.RAW, value)


@pytest.mark.parametrize(
    ("rung", "names", "text"),
    [
        (Rung.EXTRACTED, ["fence"], '```jsonl\n{"a": 1}\n{"a": 2}\n```'),
        (Rung.EXTRACTED, ["prose_around", "fence", "fence", "prose_around"], 'So:\n```\n{"a": 1}\n{"a": 2}\n```\nBye.'),
        (Rung.EXTRACTED, ["prose_around", "prose_around"], '1. {"a": 1}\n2. {"a": 2}'),
        (Rung.REPAIRED_SAFE, ["trailing_comma"], '{"a": 1}\n{"a": 2,}'),
        (Rung.REPAIRED_RISKY, ["unclosed"], '{"a": 1}\n{"a": 2, "b": '),
    ],
)
def test_repaired(rung, names, text):
    reading = read(text)
    assert (reading.rung, [repair.name for repair in reading.repairs]) == (rung, names)
    assert reading.value == [{"a": 1}, {"a": 2}]


def test_positions_are_of_the_whole_text():
    assert read("[1]\n[2,]").repairs[0].position == 6


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("There is nothing.", "no JSON value"),
        ('{\n  "a": 1\n}', "Line"),
        ('{"a": 1}\nand then\n{"a": 2}', "prose between"),
        ('{"a": 1}\n{"a": f(1)}', "Line 2"),
        ("[" * 100_000, "too deep"),
        ("1\n" * 600_000, "too big"),
    ],
)
def test_refused_with_a_reason(text, word):
    reading = read(text)
    assert reading.rung is Rung.NONE
    assert word in (reading.error or "")


def test_limits():
    assert read("[[1]]\n[1]", limits=Limits(depth=1)).rung is Rung.NONE


@seed(20261124)
@settings(max_examples=200, deadline=None, database=None)
@given(st.text(st.sampled_from(list('{}[]:,"\\ \n\r01aN`\ud800')), max_size=40))
def test_nothing_is_raised(text):
    reading = read(text)
    assert (reading.rung is Rung.NONE) == (reading.error is not None)
    json.dumps(reading.value, allow_nan=False, ensure_ascii=False).encode()

from __future__ import annotations

import json
from dataclasses import asdict, fields

from promptbench.report.formats.json import render
from promptbench.report.model import RunReport
from promptbench.report.words import Target
from tests.report import kit
from tests.report.golden import check


def test_golden() -> None:
    check("json.json", render([kit.report()], Target()))


def test_everything_but_what_has_its_own_format_is_in_it() -> None:
    data = json.loads(render([kit.report()], Target()))
    assert data.pop("schema_version") == 1
    [data] = data["runs"]
    assert set(data) == {field.name for field in fields(RunReport)} - {"failures", "proof"}
    expected = asdict(kit.report())
    assert data == json.loads(json.dumps({name: expected[name] for name in data}))


def test_halves_of_characters_survive() -> None:
    text = render([kit.report()], Target())
    assert text.encode().decode() == text
    answers = [flip["candidate"]["answer"] for flip in json.loads(text)["runs"][0]["flips"]]
    assert kit.SURROGATE in answers
    assert kit.ESCAPES in answers


def test_nothing_a_terminal_obeys_is_in_it() -> None:
    assert not {char for char in render([kit.report()], Target()) if ord(char) < 32} - {"\n"}

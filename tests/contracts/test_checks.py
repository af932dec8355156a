"""What every check promises, whichever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.checks import plugins
from promptbench.core.errors import Diagnostics
from promptbench.core.plugins import module_name
from promptbench.core.protocols import Check, CheckContext
from promptbench.core.types import Json, Rung, Score
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from tests.helpers.subjects import subject

NAMES = plugins.names()
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"team": {"type": "string"}}}
ARGUMENTS: list[Json] = [
    None,
    True,
    0,
    1.5,
    "",
    "a",
    [],
    ["a"],
    [None],
    {},
    {"a": {"b": [1]}},
    "a\0b",
    "\ud800",
    [[[]]],
]
# The files that examples name lie here.
FOLDER = Path(__file__).parent.parent / "helpers" / "beside_a_suite"
CONTEXT = CheckContext(FOLDER, SCHEMA, root=FOLDER, allowed_code=("*.py",))
TEXTS = ["", " ", "\0", "\ud800", "{", "[" * 100_000, "NaN", "1e999", "9" * 5000, '{"team": "billing"}', "ß" * 1000]


def example(name: str) -> tuple[str, Json]:
    """The check in the docstring's example: its name as written, and its argument."""
    text = (plugins.load(name).doc or "").partition("Example:\n")[2]
    document = parse(Source("example.yaml", text), Diagnostics())
    assert document is not None
    value = document.value
    if "expect" in value:
        return "expect", value["expect"]
    item = value["checks"][0]
    return next(iter(item.items())) if isinstance(item, dict) else (item, None)


def built(name: str) -> Check:
    check: Check = plugins.load(name).build(example(name)[1], CONTEXT)
    return check


def test_the_known_checks_are_found() -> None:
    assert {"contains", "expect", "json", "json_schema", "not_contains", "regex"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_has_what_people_read(name: str) -> None:
    text = plugins.load(name).doc or ""
    assert text.startswith(f"{name.replace('_', ' ')}: ")
    parts = [line.partition(":")[0] for line in text.splitlines() if line[:1].isupper()]
    assert parts == ["What", "When", "Options", "Example"]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_of_this_check_and_builds(name: str) -> None:
    written, _ = example(name)
    assert module_name(written) == name
    assert isinstance(built(name).score(subject("{}")), Score)


@pytest.mark.parametrize("name", NAMES)
def test_the_score_carries_the_name_as_people_write_it(name: str) -> None:
    assert built(name).score(subject("x")).check == name.replace("_", " ")


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_is_accepted_or_refused_in_one_sentence(name: str) -> None:
    for argument in ARGUMENTS:
        message = "accepted"
        try:
            plugins.load(name).build(argument, CheckContext(Path(), None))
        except ValueError as error:
            message = str(error)
        assert message, argument
        assert "\n" not in message, argument


@pytest.mark.parametrize("name", [name for name in NAMES if plugins.load(name).fingerprint])
def test_a_fingerprint_is_made_of_any_argument(name: str) -> None:
    for argument in ARGUMENTS:
        assert plugins.load(name).fingerprint(argument, CheckContext(Path(), None)) is None, argument


@pytest.mark.parametrize("name", NAMES)
def test_the_argument_schema_is_one_and_knows_the_example(name: str) -> None:
    import jsonschema

    schema = plugins.load(name).argument_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(example(name)[1], schema)


@pytest.mark.parametrize("name", NAMES)
def test_no_odd_answer_raises(name: str) -> None:
    check = built(name)
    for text in TEXTS:
        score = check.score(subject(text))
        assert score.passed == (not score.reason), ascii(text[:12])
        assert len(score.reason) < 2000, ascii(text[:12])


@settings(max_examples=25)
@given(text=st.text(), accept=st.sampled_from([Rung.RAW, Rung.EXTRACTED, Rung.REPAIRED_SAFE]))
@pytest.mark.parametrize("name", NAMES)
def test_no_answer_raises(name: str, text: str, accept: Rung) -> None:
    score = built(name).score(subject(text, accept))
    assert 0 <= score.value <= 1
    assert "\n" not in score.reason

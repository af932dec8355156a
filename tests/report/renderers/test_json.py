from __future__ import annotations

import json
from dataclasses import asdict, fields

from jsonschema import Draft202012Validator

from promptbench.report.document import Target
from promptbench.report.model import RunReport
from promptbench.workflows.start.schema import report_schema
from tests.report import kit
from tests.report.golden import check


def test_golden() -> None:
    check("json.json", kit.rendered("json", [kit.report()], Target()))


def test_everything_but_what_has_its_own_format_is_in_it() -> None:
    data = json.loads(kit.rendered("json", [kit.report()], Target()))
    assert data.pop("schema_version") == 1
    [data] = data["runs"]
    assert set(data) == {field.name for field in fields(RunReport)} - {"failures", "calls", "proof", "explored"}
    expected = asdict(kit.report())
    assert data == json.loads(json.dumps({name: expected[name] for name in data}))


def test_it_is_as_its_schema_says() -> None:
    schema = report_schema()
    Draft202012Validator.check_schema(schema)
    # Readers must bear a new field; we must not have one that the schema does not know.
    for kind in schema["$defs"].values():
        kind["additionalProperties"] = False
    validator = Draft202012Validator(schema)
    data = json.loads(kit.rendered("json", [kit.report(), kit.passed()], Target()))
    validator.validate(data)
    del data["runs"][0]["flips"][0]["case"]
    assert not validator.is_valid(data)
    assert schema["$defs"]["RunReport"]["properties"]["errors"]["description"].startswith("Errors of providers")


def test_halves_of_characters_survive() -> None:
    text = kit.rendered("json", [kit.report()], Target())
    assert text.encode().decode() == text
    answers = [flip["candidate"]["answer"] for flip in json.loads(text)["runs"][0]["flips"]]
    assert kit.SURROGATE in answers
    assert kit.ESCAPES in answers


def test_nothing_a_terminal_obeys_is_in_it() -> None:
    assert not {char for char in kit.rendered("json", [kit.report()], Target()) if ord(char) < 32} - {"\n"}

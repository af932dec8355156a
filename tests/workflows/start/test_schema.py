from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from promptbench.cli.app import run
from promptbench.core.errors import Diagnostics
from promptbench.suite.loader import load
from promptbench.workflows.start.init import Start, init
from promptbench.workflows.start.schema import suite_schema
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from tests.suite.test_loader import FULL

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "suites").glob("*/suite.yaml"))
HEAD = "suite: s\nprompt: p.prompt\nmodels: [a/b]\n"


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(suite_schema())


def fits(text: str) -> bool:
    document = parse(Source("suite.yaml", text), Diagnostics())
    assert document is not None
    return validator().is_valid(json.loads(json.dumps(document.value)))


def test_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(suite_schema())


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == suite_schema()


def properties(schema: Any, root: Any) -> Iterator[tuple[str, Any]]:
    """Every property at any depth, whatever leads to it, with what it refers to."""
    if isinstance(schema, list):
        for item in schema:
            yield from properties(item, root)
    if not isinstance(schema, dict):
        return
    for keyword in ("properties", "patternProperties"):
        for name, inner in schema.get(keyword, {}).items():
            yield name, {**root["$defs"].get(inner.get("$ref", "").removeprefix("#/$defs/"), {}), **inner}
            yield from properties(inner, root)
    for keyword, inner in schema.items():
        if keyword not in ("properties", "patternProperties", "examples"):
            yield from properties(inner, root)
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        yield "additionalProperties", {**root["$defs"].get(inner.get("$ref", "").removeprefix("#/$defs/"), {}), **inner}


def test_every_property_is_explained_with_an_example() -> None:
    schema = suite_schema()
    found = list(properties(schema, schema))
    assert len(found) > 150
    for name, inner in found:
        assert len(inner.get("description", "")) > 5, name
        assert inner.get("examples") or name == "additionalProperties", name


def test_every_example_fits_what_it_is_an_example_of() -> None:
    schema = suite_schema()
    for name, inner in properties(schema, schema):
        validator = jsonschema.Draft202012Validator({**inner, "$defs": schema["$defs"]})
        for example in inner.get("examples", ()):
            assert validator.is_valid(example), (name, example)


def test_it_is_small_enough_to_be_committed() -> None:
    assert len(json.dumps(suite_schema(), indent=2)) < 120_000


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_takes_the_suites_that_are_shipped(path: Path) -> None:
    assert fits(path.read_text(encoding="utf-8"))


def test_takes_what_init_writes(tmp_path: Path) -> None:
    init(tmp_path, Start(name="triage"))
    assert fits((tmp_path / "suites/triage/suite.yaml").read_text(encoding="utf-8"))


GOOD = [
    HEAD + "cases: [{case: a, quarantine: {owner: b, reason: c, review-by: 2026-12-31}}]\n",
    FULL,
    HEAD + "cases: [{case: a}]\n",
    HEAD + "cases: [{case: 17, tags: 2024, was: 42, should-be: x, expect: null}]\n",
    HEAD + "checks: json\ncases: [{case: a, checks: {not-contains: [a, 1, true]}}]\n",
    HEAD + "checks: [{json_schema: {type: object}}]\nlog: [a.jsonl]\n",
    HEAD + "cases: [{case: a}]\ngate: {max age: 3, models: [a/b], format-floor: 0.5}\n",
    HEAD + "cases: [{case: a, tags: x}]\ngate: {margin: 2.5%, cost ratio: 1.2, tags: {x: {floor: 90%, margin: 0.1}}}\n",
    "suite: s\nprompt: [p.prompt, q.prompt]\nmodels: {model: a/b, uses_prompt: false}\ncases: [{case: a}]\n",
]
BAD = [
    HEAD + "cases: [{case: a, quarantine: {owner: b, reason: c}}]\n",
    "suite: s\n",
    HEAD.replace("suite", "siute"),
    HEAD + "cases: [{caes: a}]\n",
    HEAD + "cases: [{case: a, expct: b}]\n",
    HEAD + "cases: {a: b}\n",
    HEAD + "cases: [a]\n",
    HEAD + "checks: [{containz: a}]\n",
    HEAD + "checks: [containz]\n",
    HEAD + "checks: [{contains: a, regex: b}]\n",
    HEAD + "cases: [{case: a, checks: [{json-shema: output}]}]\n",
    HEAD + "gate: {repeats: 0}\n",
    HEAD + "gate: {repeat: 3}\n",
    HEAD + "gate: {format floor: 95}\n",
    HEAD + "gate: {max age: a week}\n",
    HEAD + "gate: {margin: 5}\n",
    HEAD + "gate: {margin: wide}\n",
    HEAD + "gate: {latency ratio: 0}\n",
    HEAD + "gate: {tags: {x: {}}}\n",
    HEAD + "gate: {tags: {x: {margin: auto}}}\n",
    HEAD + "gate: {tags: {x: {flor: 90%}}}\n",
    HEAD + "accept: everything\n",
    HEAD.replace("a/b", "a"),
    HEAD.replace("a/b", "{model: a/b, uses prompt: no}"),
    HEAD + "cases: [{case: a, messages: [{role: human, content: b}]}]\n",
]


@pytest.mark.parametrize("text", GOOD)
def test_takes_what_the_loader_takes(text: str, tmp_path: Path) -> None:
    assert fits(text)
    assert not load_errors(text, tmp_path)


@pytest.mark.parametrize("text", BAD)
def test_refuses_what_the_loader_or_the_checks_refuse(text: str) -> None:
    assert not fits(text)


def load_errors(text: str, folder: Path) -> list[str]:
    (folder / "suite.yaml").write_text(text, encoding="utf-8")
    found = Diagnostics()
    load(folder / "suite.yaml", "suite.yaml", found)
    return [item.message for item in found.errors]

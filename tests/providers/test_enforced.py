"""What servers enforce of an output schema: what is sent, what is on record, and what is reported before any call."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from promptbench.plugins import Json
from promptbench.providers import _chat, anthropic, azure_openai, openai, openai_compatible
from tests.helpers.asking import ask_for, context

TEAM: dict[str, Json] = {
    "type": "object",
    "properties": {"team": {"type": ["string", "null"]}},
    "required": ["team"],
    "additionalProperties": False,
}
STRUCTURED = context(options={"structured": True})


def with_team(**keywords: Json) -> dict[str, Json]:
    return {**TEAM, "properties": {"team": keywords}}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (TEAM, None),
        (with_team(anyOf=[{"$ref": "#"}, {"type": "null"}]), None),
        (with_team(type="array", items={"enum": ["a", 1]}, minItems=2), None),
        ({"anyOf": [TEAM]}, "its top is not an object"),
        ({**TEAM, "required": []}, "the field 'team' is not in 'required'"),
        ({**TEAM, "additionalProperties": {"type": "string"}}, "an object has no 'additionalProperties: false'"),
        (with_team(type=["object", "null"]), "an object has no 'additionalProperties: false'"),
        (with_team(type="array"), "a list has no 'items'"),
        (with_team(description="any"), "a value has no 'type'"),
        (
            {**TEAM, "properties": {"team": {"$ref": "#/$defs/t", "title": "T"}}},
            "a '$ref' has other keywords next to it",
        ),
        (with_team(type="string", minLength=1), "it has the keyword 'minLength'"),
        ({**TEAM, "properties": [], "required": 5}, None),
    ],
)
def test_openai_enforces_a_whole_schema_or_nothing(schema: dict[str, Json], said: str | None) -> None:
    for spec, name in ((openai.SPEC, "gpt-5.4-mini"), (azure_openai.SPEC, "triage")):
        found = spec.unenforced(name, STRUCTURED, schema)
        assert found == (f"OpenAI does not enforce this output schema, because {said}" if said else None)
        assert spec.unenforced(name, context(), schema) is None
    assert _chat.named_schema(schema)["strict"] is (said is None)


def test_deep_schemas_are_beyond_what_openai_enforces() -> None:
    schema: Any = {"type": "string"}
    for _ in range(11):
        schema = {**TEAM, "properties": {"team": schema}}
    assert "more than 10 levels" in str(openai.SPEC.unenforced("m", STRUCTURED, schema))


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [(TEAM, None), (with_team(type="array", minItems=1), None), (with_team(type="string", maxLength=5), "maxLength")],
)
def test_anthropic_names_a_keyword_that_it_ignores(schema: dict[str, Json], keyword: str | None) -> None:
    found = anthropic.SPEC.unenforced("claude-haiku-4-5", STRUCTURED, schema)
    assert found == (f"Anthropic does not enforce the keyword '{keyword}' of this output schema" if keyword else None)
    # What the SDK sends shows the same: another keyword becomes a part of the description.
    sent = anthropic.SPEC.request_body(ask_for("anthropic/m", schema=schema)) if anthropic.SPEC.request_body else {}
    assert (keyword or "nothing") not in sent["output_config"]["format"]["schema"]["properties"]["team"]


def fields(spec: Any, name: str, **options: Json) -> set[str]:
    made = spec.connect(name, context(options=options))
    return set(made.setup.api.dialect.params({"maxOutputTokens": 5}, name))


@pytest.mark.parametrize(
    ("spec", "name", "options", "field"),
    [
        (openai.SPEC, "gpt-4.1", {}, "max_completion_tokens"),
        (openai.SPEC, "gpt-4.1", {"base_url": "https://llm.example/v1"}, "max_tokens"),
        (openai.SPEC, "gpt-5-mini", {"base_url": "https://llm.example/v1"}, "max_completion_tokens"),
        (openai.SPEC, "openai/o3", {"base_url": "https://llm.example/v1"}, "max_completion_tokens"),
        (openai.SPEC, "gpt-5-mini", {"token_limit": "max_tokens"}, "max_tokens"),
        (openai.SPEC, "gpt-5-mini", {"api": "responses"}, "max_output_tokens"),
        (azure_openai.SPEC, "triage", {}, "max_completion_tokens"),
        (azure_openai.SPEC, "triage", {"token_limit": "max_tokens"}, "max_tokens"),
        (
            openai_compatible.SPEC,
            "own/gpt-5",
            {"servers": {"own": {"base_url": "http://127.0.0.1:1/v1"}}},
            "max_tokens",
        ),
        (
            openai_compatible.SPEC,
            "own/m",
            {"servers": {"own": {"base_url": "http://127.0.0.1:1/v1", "token_limit": "max_completion_tokens"}}},
            "max_completion_tokens",
        ),
    ],
)
def test_the_field_of_the_token_limit(spec: Any, name: str, options: dict[str, Json], field: str) -> None:
    assert fields(spec, name, **options) == {field}


def test_a_wrong_field_of_the_token_limit_is_an_error() -> None:
    [problem] = openai.SPEC.problems("m", context(options={"token_limit": "limit", "base_url": "http://127.0.0.1:1"}))
    assert problem.code == "SETTINGS"
    assert "'token_limit' of openai must be one of max_tokens, max_completion_tokens" in problem.message


def test_the_fields_are_those_of_the_installed_sdks() -> None:
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
    from openai.types.responses import ResponseFormatTextJSONSchemaConfigParam
    from openai.types.shared_params.response_format_json_schema import JSONSchema

    sent = _chat.named_schema(TEAM)
    assert {*_chat.TOKEN_LIMITS, "response_format"} <= set(get_type_hints(CompletionCreateParamsNonStreaming))
    assert sent.keys() <= JSONSchema.__annotations__.keys()
    assert sent.keys() | {"type"} <= ResponseFormatTextJSONSchemaConfigParam.__annotations__.keys()

"""What models take: the table against the installed SDKs, what is refused before a call, and what is sent."""

from __future__ import annotations

import asyncio
import re
import tomllib
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from promptbench.core.call_config import CONFIG
from promptbench.core.types import FailureKind, Json, ProviderFailure
from promptbench.providers import _capabilities, anthropic, azure_openai, http, openai, openai_compatible
from promptbench.providers._capabilities import capabilities
from tests.helpers.asking import ask_for, context
from tests.helpers.fake_anthropic import FakeAnthropic
from tests.helpers.fake_openai import FakeOpenAI, as_json as reply, error, response

TABLE = tomllib.loads(Path(_capabilities.__file__).with_name("capabilities.toml").read_text(encoding="utf-8"))
FEATURES = {"schema", "tools", "images", "tokenLimit", "without_effort"}
CONFIG_SENT: dict[str, Json] = {"maxOutputTokens": 3000, "reasoningEffort": "low", "extra": {"service_tier": "auto"}}


def test_every_fact_has_a_known_field_a_source_and_a_day() -> None:
    for vendor in ("openai", "anthropic"):
        for family in TABLE[vendor]:
            assert family["source"]
            assert family["checked"].year >= 2026
            assert set(family) - {"models", "source", "checked"} <= FEATURES | CONFIG.keys()
            re.compile(family["models"])


def test_the_table_agrees_with_the_types_of_the_sdks() -> None:
    from anthropic.types import ModelParam, OutputConfigParam
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
    from openai.types.shared import ChatModel

    efforts = {vendor: capabilities(vendor, "-").facts["reasoningEffort"] for vendor in ("openai", "anthropic")}
    params = get_type_hints(CompletionCreateParamsNonStreaming)
    for vendor, types in (("openai", params["reasoning_effort"]), ("anthropic", get_type_hints(OutputConfigParam))):
        written = str(types if vendor == "openai" else types["effort"])
        assert efforts[vendor] == re.findall(r"'(\w+)'", written)
    assert capabilities("openai", "-").facts["verbosity"] == re.findall(r"'(\w+)'", str(params["verbosity"]))
    # Each family is about a model that the SDKs or the price list name.
    names = [
        *re.findall(r"'([a-z][^']+)'", f"{ChatModel} {ModelParam}"),
        "gpt-5-pro",
        "gpt-5.5-pro",
        "o3-deep-research",
    ]
    for family in (*TABLE["openai"], *TABLE["anthropic"]):
        assert any(re.fullmatch(family["models"], name) for name in names), family["models"]


@pytest.mark.parametrize(
    ("spec", "model", "config", "says"),
    [
        (openai, "o3", {"temperature": 0}, "openai/o3 takes 'temperature' only as 1; got 0"),
        (openai, "gpt-6-sol", {"topP": 0.5}, "takes 'topP' only as 1"),
        (openai, "gpt-6-sol", {"temperature": 1, "reasoningEffort": "max"}, None),
        (openai, "gpt-5-chat-latest", {"temperature": 0}, None),
        (openai, "gpt-5.4-mini", {"temperature": 0}, None),
        (openai, "gpt-5.4-mini", {"temperature": 0, "reasoningEffort": "none"}, None),
        (
            openai,
            "gpt-5.4-mini",
            {"temperature": 0, "reasoningEffort": "high"},
            "takes 'temperature' only with 'reasoningEffort' none",
        ),
        (openai, "gpt-5.1", {"reasoningEffort": "minimal"}, "only as none, low, medium, high; got minimal"),
        (openai, "gpt-4.1", {"reasoningEffort": "low"}, "openai/gpt-4.1 does not take 'reasoningEffort'"),
        (openai, "gpt-4.1", {"maxOutputTokens": 40_000}, "takes at most 32,768 for 'maxOutputTokens', got 40,000"),
        (openai, "ft:gpt-4o-mini-2024-07-18:shop::1", {"maxOutputTokens": 20_000}, "takes at most 16,384"),
        (openai, "o3", {"stopSequences": ["END"]}, "does not take 'stopSequences'"),
        (openai, "o3", {"thinkingBudget": 2000}, "does not take 'thinkingBudget' from the config"),
        (openai, "gpt-9", {"verbosity": "huge"}, "takes 'verbosity' only as low, medium, high"),
        (openai, "gpt-9", {"extra": {"messages": []}}, "'messages' cannot be under 'extra'"),
        (openai, "gpt-4.1", {"extra": {"temperature": 0}}, "'temperature' under 'extra' has a word of its own"),
        # What the table refuses can be sent all the same: it may have become wrong.
        (openai, "gpt-4.1", {"extra": {"reasoning_effort": "low"}}, None),
        (anthropic, "claude-haiku-5-5", {"thinkingBudget": 2000}, "does not take 'thinkingBudget'"),
        (anthropic, "claude-haiku-4-5", {"thinkingBudget": 2000}, None),
        (anthropic, "claude-haiku-4-5", {"thinkingBudget": 0}, None),
        (anthropic, "claude-haiku-4-5", {"thinkingBudget": 100}, "takes at least 1,024 for 'thinkingBudget', got 100"),
        (
            anthropic,
            "claude-haiku-4-5",
            {"thinkingBudget": 2000, "maxOutputTokens": 2000},
            "takes 'thinkingBudget' only below 'maxOutputTokens', which is 2,000",
        ),
        (anthropic, "claude-haiku-4-5", {"reasoningEffort": "low"}, "does not take 'reasoningEffort'"),
        (anthropic, "claude-opus-4-5", {"reasoningEffort": "max"}, "only as low, medium, high; got max"),
        (anthropic, "claude-haiku-5-5", {"temperature": 0}, "does not take 'temperature' from the config"),
        (azure_openai, "prod", {"temperature": 0}, None),
        (azure_openai, "known", {"temperature": 0}, "azure_openai/known takes 'temperature' only as 1"),
        (http, "intents", {"extra": {"a": 1}}, "http/intents does not take 'extra' from the config"),
    ],
)
def test_what_is_known_is_said_before_a_call(spec: Any, model: str, config: dict[str, Json], says: str | None) -> None:
    found = spec.SPEC.unsupported(model, context(options={"deployments": {"known": "o3"}}), config)
    assert [problem.message for problem in found if says is None] == []
    if says is not None:
        assert says in found[0].message
        assert found[0].word in config
        assert found[0].hint


def test_another_server_decides_for_itself() -> None:
    options = {"base_url": "https://llm.example/v1", "servers": {"own": {"base_url": "https://llm.example/v1"}}}
    config = {"temperature": 0, "reasoningEffort": "low", "maxOutputTokens": 10**6}
    assert openai.SPEC.unsupported("o3", context(options=options), config) == []
    assert openai_compatible.SPEC.unsupported("own/o3", context(options=options), config) == []


def test_a_schema_that_a_model_does_not_take_is_not_sent() -> None:
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    found = openai.SPEC.unenforced("gpt-4-turbo", context(options={"structured": True}), schema)
    assert found is not None
    assert found.startswith("openai/gpt-4-turbo takes no output schema, so none is sent (")
    assert openai.SPEC.unenforced("gpt-4-turbo", context(), schema) is None


async def _sent(spec: Any, name: str, options: dict[str, Any], config: dict[str, Json]) -> None:
    environ = {"AZURE_OPENAI_API_KEY": "0" * 32, "ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}
    provider = spec.SPEC.connect(name, context(environ=environ, options=options))
    try:
        await provider.complete(ask_for(f"x/{name}", params=config))
    finally:
        await provider.close()


def body(server: Any, spec: Any, name: str, config: dict[str, Json], **options: Any) -> dict[str, Json]:
    address = "endpoint" if spec is azure_openai else "base_url"
    asyncio.run(_sent(spec, name, {address: server.base_url, **options}, config))
    received: dict[str, Json] = server.received[-1].body
    return received


class FakeAzure(FakeOpenAI):
    root = ""


def test_each_api_gets_its_own_form_and_the_fields_are_those_of_its_sdk() -> None:
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming as Messages
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as Chat
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming as Responses
    from pydantic import TypeAdapter

    with FakeOpenAI() as server, FakeAzure() as azure, FakeAnthropic() as claude:
        config = {**CONFIG_SENT, "verbosity": "high", "temperature": 1}
        chat = body(server, openai, "gpt-6-sol", config)
        deployed = body(azure, azure_openai, "prod", config)
        messages = body(claude, anthropic, "claude-opus-4-6", {**CONFIG_SENT, "thinkingBudget": 2048})
        off = body(
            claude, anthropic, "claude-opus-4-6", {"thinkingBudget": 0, "extra": {"thinking": {"display": None}}}
        )
        alone = body(claude, anthropic, "claude-opus-4-6", {"thinkingBudget": 2048})
    with FakeOpenAI(lambda body: reply(response("x"))) as server:
        responses = body(server, openai, "gpt-6-sol", config, api="responses")
    steered = {"reasoning_effort": "low", "verbosity": "high", "max_completion_tokens": 3000, "service_tier": "auto"}
    assert {name: chat[name] for name in steered} == steered == {name: deployed[name] for name in steered}
    assert responses["reasoning"] == {"effort": "low"}
    assert responses["text"] == {"verbosity": "high"}
    assert messages["output_config"] == {"effort": "low"}
    assert messages["max_tokens"] == 3000
    assert messages["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert off["thinking"] == {"type": "disabled"}
    assert alone["max_tokens"] == 4096 + 2048
    for kind, sent in ((Chat, chat), (Chat, deployed), (Responses, responses), (Messages, messages), (Messages, off)):
        assert sent.keys() <= get_type_hints(kind).keys()
        TypeAdapter(kind).validate_python(sent)


@pytest.mark.parametrize(
    ("said", "param", "word"),
    [
        ("Unsupported value: 'minimal' is not supported", "reasoning_effort", "reasoningEffort"),
        ("temperature: this model wants 1", None, "temperature"),
        ("the prompt is too long", None, None),
        ("my_temperature is odd", None, None),
    ],
)
def test_the_word_that_a_server_refuses_is_known(said: str, param: str | None, word: str | None) -> None:
    refusal = error(400, said)
    refusal = type(refusal)(refusal.body.replace(b'"param": null', f'"param": "{param}"'.encode()), 400)
    with FakeOpenAI([refusal]) as server, pytest.raises(ProviderFailure) as caught:
        body(server, openai, "m-1", {"temperature": 0, "reasoningEffort": "minimal"})
    assert (caught.value.kind, caught.value.refused) == (FailureKind.REJECTED, word)

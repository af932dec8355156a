"""Azure: what differs from OpenAI. The real SDK over real loopback HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request, Usage
from promptbench.providers import azure_openai
from tests.helpers import fake_openai as fake
from tests.helpers.asking import ask_for, context

KEY = "0123456789abcdef0123456789abcdef"
MODEL = "azure_openai/triage-prod"


class FakeAzure(fake.FakeOpenAI):
    root = ""


async def _ask(endpoint: str, request: Request, options: dict[str, Any], environ: dict[str, str]) -> Answer:
    options = {"endpoint": endpoint, **options}
    provider = azure_openai.SPEC.connect(
        "triage-prod", context(environ={"AZURE_OPENAI_API_KEY": KEY, **environ}, options=options)
    )
    try:
        return await provider.complete(request)
    finally:
        await provider.close()


def ask(
    server: FakeAzure, request: Request | None = None, environ: dict[str, str] | None = None, **options: Any
) -> Answer:
    return asyncio.run(_ask(server.base_url, request or ask_for(MODEL), options, environ or {}))


def failure(script: fake.Script, **options: Any) -> ProviderFailure:
    with FakeAzure(script) as server, pytest.raises(ProviderFailure) as caught:
        ask(server, **options)
    return caught.value


def test_asks_the_deployment_with_its_version_and_key() -> None:
    with FakeAzure(["yes"]) as server:
        answer = ask(server, ask_for(MODEL, params={"maxOutputTokens": 9, "seed": 1}))
    (received,) = server.received
    assert received.path == "/openai/deployments/triage-prod/chat/completions?api-version=2024-10-21"
    assert received.headers["api-key"] == KEY
    assert KEY not in received.authorization
    assert received.body["max_completion_tokens"] == 9
    assert (answer.text, answer.model, answer.usage) == ("yes", "fake-1", Usage(11, 7))
    facts = {"deployment": "triage-prod", "api_version": "2024-10-21"}
    assert answer.params == {"max_completion_tokens": 9, "seed": 1, **facts}


def test_the_model_behind_a_deployment_is_kept_for_its_price() -> None:
    with FakeAzure() as server:
        named = ask(server, deployments={"triage-prod": "gpt-5-mini", "other": "gpt-5"})
        unnamed = ask(server, deployments={"other": "gpt-5"})
    assert named.params["model"] == "gpt-5-mini"
    assert "model" not in unnamed.params


def test_the_version_comes_from_the_settings_then_from_the_environment() -> None:
    environ = {"OPENAI_API_VERSION": "2025-01-01"}
    with FakeAzure() as server:
        ask(server, environ=environ)
        ask(server, environ=environ, api_version="2025-02-02-preview")
    versions = [received.path.partition("api-version=")[2] for received in server.received]
    assert versions == ["2025-01-01", "2025-02-02-preview"]


def test_sends_the_schema_only_when_the_settings_say_so() -> None:
    schema = {
        "type": "object",
        "properties": {"team": {"type": "string"}},
        "required": ["team"],
        "additionalProperties": False,
    }
    with FakeAzure() as server:
        assert not ask(server, ask_for(MODEL, schema=schema)).structured
        assert ask(server, ask_for(MODEL, schema=schema), structured=True).structured
    assert ["response_format" in received.body for received in server.received] == [False, True]


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (fake.error(400, "filtered", code="content_filter"), FailureKind.REJECTED, "filtered"),
        (fake.error(401, f"bad key {KEY}"), FailureKind.FATAL, "set AZURE_OPENAI_API_KEY to a valid key"),
        (fake.error(404, code="DeploymentNotFound"), FailureKind.FATAL, "azure_openai/triage-prod"),
        (fake.error(429, headers={"retry-after-ms": "1500"}), FailureKind.RATE_LIMIT, "limits the rate"),
        (fake.error(503), FailureKind.TRANSIENT, "failed to answer"),
        (fake.html(), FailureKind.TRANSIENT, "'text/html' instead of JSON"),
        (fake.hang_up(), FailureKind.TRANSIENT, "the connection to 127.0.0.1:"),
    ],
)
def test_failures(step: fake.Step, kind: FailureKind, says: str) -> None:
    error = failure([step])
    assert error.kind is kind
    assert says in error.message
    assert KEY not in error.message


def test_a_stalled_server_times_out() -> None:
    assert failure([fake.stall()], timeout=0.3).message == f"no answer from {MODEL} within 0.3 s"


def test_the_sdk_takes_no_other_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "not-ours")
    with FakeAzure() as server:
        ask(server)
    assert "not-ours" not in str(server.received[0].headers)


# What is known before any call


def codes(name: str = "triage-prod", **kwargs: Any) -> list[str]:
    return [problem.code for problem in azure_openai.SPEC.problems(name, context(**kwargs))]


def test_a_missing_endpoint_is_told_before_a_missing_key() -> None:
    (problem,) = azure_openai.SPEC.problems("triage-prod", context())
    assert problem.code == "SETTINGS"
    assert "AZURE_OPENAI_ENDPOINT" in problem.message


def test_endpoint_and_key_come_from_settings_or_environment() -> None:
    environ = {"AZURE_OPENAI_ENDPOINT": "https://team.example", "AZURE_OPENAI_API_KEY": KEY}
    assert codes(environ=environ) == []
    assert codes(environ={"AZURE_OPENAI_ENDPOINT": "https://team.example"}) == ["MISSING_CREDENTIAL"]
    assert codes(environ={"K": KEY}, options={"endpoint": "https://team.example", "api_key_env": "K"}) == []
    assert codes(environ=environ, options={"endpoint": "team.example"}) == ["SETTINGS"]


@pytest.mark.parametrize("name", ["a/b", "..", "", "ü", "a b", "../../x", "a" * 65, "a?b"])
def test_a_name_that_is_no_deployment_never_becomes_an_address(name: str) -> None:
    environ = {"AZURE_OPENAI_ENDPOINT": "https://team.example", "AZURE_OPENAI_API_KEY": KEY}
    assert codes(name, environ=environ) == ["UNKNOWN_MODEL"]


@pytest.mark.parametrize("deployments", ["x", {"a": 1}, ["a"]])
def test_a_wrong_table_of_deployments_is_told(deployments: Any) -> None:
    options = {"endpoint": "http://127.0.0.1:1", "deployments": deployments}
    assert codes(options=options) == ["SETTINGS"]


def test_config_words_that_would_be_dropped_are_told() -> None:
    (problem,) = azure_openai.SPEC.unsupported("triage-prod", context(), {"topK": 1, "seed": 1})
    assert "topK" in problem.message

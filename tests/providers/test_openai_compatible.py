"""Servers that speak OpenAI's dialect: named ones on loopback, and a real one with real weights."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request, Usage
from promptbench.providers import gguf, openai_compatible
from tests.helpers import fake_openai as fake
from tests.helpers.asking import ask_for, context
from tests.helpers.local_model import installed

KEY = "sk-team-0123456789"
NAME = "mine/qwen/qwen3:4b"
MODEL = f"openai_compatible/{NAME}"


async def _ask(name: str, server: dict[str, Any], request: Request, environ: dict[str, str]) -> Answer:
    options = {"servers": {name.partition("/")[0]: server}}
    provider = openai_compatible.SPEC.connect(name, context(environ=environ, options=options))
    try:
        return await provider.complete(request)
    finally:
        await provider.close()


def ask(base_url: str, request: Request | None = None, environ: dict[str, str] | None = None, **server: Any) -> Answer:
    return asyncio.run(_ask(NAME, {"base_url": base_url, **server}, request or ask_for(MODEL), environ or {}))


def failure(step: fake.Step, **server: Any) -> ProviderFailure:
    with fake.FakeOpenAI([step]) as fake_server, pytest.raises(ProviderFailure) as caught:
        ask(fake_server.base_url, environ={"TEAM_KEY": KEY}, **server)
    return caught.value


def test_the_model_is_what_follows_the_servers_name() -> None:
    with fake.FakeOpenAI(["yes"]) as server:
        answer = ask(server.base_url, ask_for(MODEL, params={"maxOutputTokens": 5}))
    (received,) = server.received
    assert received.body["model"] == "qwen/qwen3:4b"
    assert received.body["max_tokens"] == 5
    assert (answer.text, answer.usage, answer.params) == ("yes", Usage(11, 7), {"max_tokens": 5})


def test_the_key_is_of_the_server_and_only_its() -> None:
    environ = {"TEAM_KEY": KEY, "OPENAI_API_KEY": "not-for-them"}
    with fake.FakeOpenAI() as server:
        ask(server.base_url, environ=environ, api_key_env="TEAM_KEY")
        ask(server.base_url, environ=environ)
    assert [received.authorization for received in server.received] == [f"Bearer {KEY}", "Bearer no-key"]


def test_sends_the_schema_only_when_the_settings_say_so() -> None:
    schema = {
        "type": "object",
        "properties": {"team": {"type": "string"}},
        "required": ["team"],
        "additionalProperties": False,
    }
    with fake.FakeOpenAI() as server:
        assert not ask(server.base_url, ask_for(MODEL, schema=schema)).structured
        assert ask(server.base_url, ask_for(MODEL, schema=schema), structured=True).structured
    assert ["response_format" in received.body for received in server.received] == [False, True]


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (fake.as_json({"error": f"bad {KEY}"}, status=400), FailureKind.REJECTED, "bad ***"),
        (fake.error(401), FailureKind.FATAL, "set TEAM_KEY to a valid key"),
        (fake.as_json({"error": "model not found, try pulling it"}, status=404), FailureKind.FATAL, "try pulling it"),
        (fake.error(429, headers={"Retry-After": "3"}), FailureKind.RATE_LIMIT, "limits the rate"),
        (fake.error(503, "loading model"), FailureKind.TRANSIENT, "loading model"),
        (fake.cut_off(), FailureKind.TRANSIENT, "the connection to 127.0.0.1:"),
        (fake.html(), FailureKind.TRANSIENT, "'text/html' instead of JSON"),
    ],
)
def test_failures(step: fake.Step, kind: FailureKind, says: str) -> None:
    error = failure(step, api_key_env="TEAM_KEY")
    assert error.kind is kind
    assert says in error.message
    assert KEY not in error.message


def test_a_refused_call_without_key_says_which_setting_to_write() -> None:
    assert "api_key_env" in failure(fake.error(401)).message


def test_a_stalled_server_times_out() -> None:
    assert failure(fake.stall(), timeout=0.3).message == f"no answer from {MODEL} within 0.3 s"


# What is known before any call


def problems(name: str, servers: Any, environ: dict[str, str] | None = None, **rest: Any) -> list[tuple[str, str]]:
    found = openai_compatible.SPEC.problems(name, context(environ=environ, options={"servers": servers, **rest}))
    return [(problem.code, f"{problem.message} {problem.hint}") for problem in found]


@pytest.mark.parametrize("name", ["mine", "mine/", "/m"])
def test_a_name_without_a_server_or_a_model_is_told(name: str) -> None:
    ((code, said),) = problems(name, {"mine": {"base_url": "http://127.0.0.1:1/v1"}})
    assert code == "UNKNOWN_MODEL"
    assert "openai_compatible/server/model" in said


def test_an_unknown_server_is_told_with_the_nearest_one() -> None:
    ((code, said),) = problems("olama/m", {"ollama": {"base_url": "http://127.0.0.1:1/v1"}})
    assert code == "UNKNOWN_MODEL"
    assert "did you mean 'ollama'?" in said
    ((_, said),) = problems("vllm/m", {})
    assert "[tool.promptbench.providers.openai_compatible.servers.vllm] of pyproject.toml" in said


def test_this_machine_needs_no_key_and_others_say_where_it_is() -> None:
    here, there = "http://127.0.0.1:1/v1", "http://10.0.0.1/v1"
    assert problems("s/m", {"s": {"base_url": here}}) == []
    ((code, said),) = problems("s/m", {"s": {"base_url": there}})
    assert code == "MISSING_CREDENTIAL"
    assert "api_key_env" in said
    assert problems("s/m", {"s": {"base_url": there, "api_key_env": ""}}) == []
    assert problems("s/m", {"s": {"base_url": there, "api_key_env": "K"}}, {"K": KEY}) == []
    ((code, said),) = problems("s/m", {"s": {"base_url": there, "api_key_env": "K"}})
    assert (code, "variable K is not set" in said) == ("MISSING_CREDENTIAL", True)


@pytest.mark.parametrize("server", [{}, {"base_url": 5}, {"base_url": "127.0.0.1:1"}, {"base_url": "http://[::1"}])
def test_a_missing_or_wrong_address_is_told(server: dict[str, Any]) -> None:
    assert [code for code, _ in problems("s/m", {"s": server})] == ["SETTINGS"]


@pytest.mark.parametrize("servers", [None, "s", {"s": "http://127.0.0.1"}, []])
def test_settings_of_another_shape_are_told(servers: Any) -> None:
    assert [code for code, _ in problems("s/m", servers)] == ["UNKNOWN_MODEL"]


def test_a_servers_options_come_before_the_providers() -> None:
    servers = {"a": {"base_url": "http://127.0.0.1:1/v1", "concurrency": 2}, "b": {"base_url": "http://127.0.0.1:1/v1"}}
    options = {"servers": servers, "concurrency": 9}
    made = [openai_compatible.SPEC.connect(name, context(options=options)).concurrency for name in ("a/m", "b/m")]
    assert made == [2, 9]


def test_only_a_server_that_says_so_runs_here() -> None:
    here = {"base_url": "http://127.0.0.1:1/v1"}
    around = context(options={"servers": {"a": here, "b": {**here, "local": True}}})
    assert [openai_compatible.SPEC.runs_here(name, around) for name in ("a/m", "b/m", "c/m")] == [False, True, False]
    assert [code for code, _ in problems("s/m", {"s": {**here, "local": "yes"}})] == ["SETTINGS"]


def test_config_words_that_would_be_dropped_are_told() -> None:
    (problem,) = openai_compatible.SPEC.unsupported(NAME, context(), {"topK": 1, "seed": 1})
    assert "topK" in problem.message


# Real weights behind a real server


local_model = pytest.mark.skipif(not installed(), reason="needs the embedded model: promptbench models install")


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """The address of llama.cpp's own server, which wants the key `KEY`."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf.find_weights("smollm2-135m", context()))
    params.n_ctx = 1024
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.fit_params = params.warmup = False
    params.verbosity = 0
    params.api_keys = [KEY]
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


@local_model
@pytest.mark.local_model
@pytest.mark.xdist_group("local_model")
def test_a_real_server_answers_and_fits_the_schema(llama: str) -> None:
    schema = {
        "type": "object",
        "properties": {"team": {"enum": ["billing", "tech"]}},
        "required": ["team"],
        "additionalProperties": False,
    }
    config = {"temperature": 0, "maxOutputTokens": 24, "seed": 1}
    request = ask_for(MODEL, "I was charged twice. Which team?", params=config, schema=schema)
    environ = {"TEAM_KEY": KEY}
    plain = ask(llama, request, environ, api_key_env="TEAM_KEY")
    structured = ask(llama, request, environ, api_key_env="TEAM_KEY", structured=True)
    assert plain.text
    assert not plain.structured
    assert plain.usage is not None
    assert plain.usage.output_tokens <= 24
    assert structured.structured
    assert json.loads(structured.text)["team"] in ("billing", "tech")


@local_model
@pytest.mark.local_model
@pytest.mark.xdist_group("local_model")
def test_a_real_server_refuses_a_wrong_key(llama: str) -> None:
    with pytest.raises(ProviderFailure) as caught:
        ask(llama)
    assert caught.value.kind is FailureKind.FATAL
    assert "api_key_env" in caught.value.message

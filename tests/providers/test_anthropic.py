"""The Anthropic provider: the real SDK over real loopback HTTP, against a server that can do anything."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from promptbench.core.types import Answer, FailureKind, Message, ProviderFailure, Request, Usage
from promptbench.providers import anthropic
from tests.helpers import fake_anthropic as fake
from tests.helpers.asking import ask_for, context
from tests.helpers.fake_openai import Script, Step, as_json, cut_off, hang_up, html, stall, truncated

KEY = "sk-ant-test-0123456789"
MODEL = "anthropic/m-1"


async def _ask_all(base_url: str, requests: list[Request], options: dict[str, Any]) -> list[Answer]:
    provider = anthropic.SPEC.connect(
        "m-1", context(environ={"ANTHROPIC_API_KEY": KEY}, options={"base_url": base_url, **options})
    )
    try:
        return [await provider.complete(request) for request in requests]
    finally:
        await provider.close()


def ask(server: fake.FakeAnthropic, request: Request | None = None, **options: Any) -> Answer:
    return asyncio.run(_ask_all(server.base_url, [request or ask_for(MODEL)], options))[0]


def failure(script: Script, request: Request | None = None, **options: Any) -> ProviderFailure:
    with fake.FakeAnthropic(script) as server, pytest.raises(ProviderFailure) as caught:
        ask(server, request, **options)
    return caught.value


def with_messages(*messages: Message) -> Request:
    return Request(ask_for(MODEL).model, messages, {}, None, {}, 0)


def test_answers_with_the_servers_words() -> None:
    with fake.FakeAnthropic(lambda body: body["messages"][-1]["content"].upper()) as server:
        answer = ask(server, ask_for(MODEL, "hello", system="be loud"))
    assert answer.text == "HELLO"
    assert answer.model == "fake-1"
    assert answer.params == {"max_tokens": 4096}
    assert answer.usage == Usage(11, 7)
    assert answer.finish_reason == "end_turn"
    assert answer.provider_ms > 0
    (received,) = server.received
    assert KEY in (received.authorization.removeprefix("Bearer "), received.headers.get("x-api-key"))
    assert received.headers["anthropic-version"]
    assert received.body == {
        "model": "m-1",
        "system": "be loud",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 4096,
    }


def test_a_prompt_without_system_sends_none() -> None:
    with fake.FakeAnthropic() as server:
        ask(server)
    assert "system" not in server.received[0].body


def test_leading_system_messages_are_joined_and_a_conversation_is_kept() -> None:
    request = with_messages(
        Message("system", "one"),
        Message("system", "two"),
        Message("user", "a"),
        Message("assistant", "b"),
        Message("user", "c"),
    )
    with fake.FakeAnthropic() as server:
        ask(server, request)
    body = server.received[0].body
    assert body["system"] == "one\n\ntwo"
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ((Message("system", "x"),), "needs a message from the user"),
        ((Message("user", "x"), Message("system", "y")), "only before all others"),
        ((), "needs a prompt"),
    ],
)
def test_refuses_conversations_that_it_cannot_have(messages: tuple[Message, ...], says: str) -> None:
    error = failure([], with_messages(*messages))
    assert error.kind is FailureKind.REJECTED
    assert says in error.message


def test_sends_the_prompts_config_in_the_servers_words() -> None:
    config = {"maxOutputTokens": 64, "stopSequences": ["\n"], "timeout": 30}
    with fake.FakeAnthropic() as server:
        answer = ask(server, ask_for(MODEL, params=config))
    assert answer.params == {"max_tokens": 64, "stop_sequences": ["\n"]}
    assert server.received[0].body.items() >= answer.params.items()
    assert "timeout" not in server.received[0].body


@pytest.mark.parametrize("word", ["temperature", "topP", "topK", "seed"])
def test_what_the_api_no_longer_takes_is_told_before_the_run_and_refused_in_it(word: str) -> None:
    (problem,) = anthropic.SPEC.unsupported("m-1", context(), {word: 0, "maxOutputTokens": 5, "timeout": 9})
    assert problem.code == "UNKNOWN_KEY"
    assert word in problem.message
    with fake.FakeAnthropic() as server, pytest.raises(ProviderFailure, match=word) as caught:
        ask(server, ask_for(MODEL, params={word: 0}))
    assert caught.value.kind is FailureKind.REJECTED
    assert server.received == []


def test_the_installed_sdk_takes_no_sampling_words_either() -> None:
    import inspect

    from anthropic.resources.messages import AsyncMessages

    taken = inspect.signature(AsyncMessages.create).parameters
    assert not {"temperature", "top_p", "top_k", "seed"} & set(taken)
    assert {"max_tokens", "stop_sequences", "system", "output_config"} <= set(taken)


def test_the_schema_is_enforced_only_when_the_settings_say_so() -> None:
    schema = {
        "type": "object",
        "properties": {"team": {"enum": ["a", "b"]}, "note": {"type": ["string", "null"], "description": "why"}},
        "required": ["team"],
        "additionalProperties": False,
    }
    with fake.FakeAnthropic() as server:
        plain = ask(server, ask_for(MODEL, schema=schema))
        structured = ask(server, ask_for(MODEL, schema=schema), structured=True)
        without = ask(server, structured=True)
    bodies = [received.body for received in server.received]
    assert [plain.structured, structured.structured, without.structured] == [False, True, False]
    assert ["output_config" in body for body in bodies] == [False, True, False]
    sent = bodies[1]["output_config"]["format"]
    assert sent["type"] == "json_schema"
    note = {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "why"}
    assert sent["schema"] == {**schema, "properties": {"team": {"enum": ["a", "b"]}, "note": note}}


@pytest.mark.parametrize(
    "schema", [{"properties": {"a": {}}, "type": "object"}, {"type": "thing"}, {"type": "object", "properties": []}]
)
def test_a_schema_that_cannot_be_enforced_is_refused(schema: dict[str, Any]) -> None:
    error = failure([], ask_for(MODEL, schema=schema), structured=True)
    assert error.kind is FailureKind.REJECTED
    assert "cannot enforce this output schema" in error.message


def test_input_tokens_are_the_total_with_what_the_cache_wrote_and_read() -> None:
    usage = {
        "input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 800,
        "output_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    nulls = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": None}
    with fake.FakeAnthropic(
        [fake.answer("x", usage=usage), fake.answer("x", usage=nulls), fake.answer("x", usage=None)]
    ) as server:
        assert ask(server).usage == Usage(920, 30, 800, 5)
        assert ask(server).usage == Usage(1, 2)
        assert ask(server).usage is None


BLOCKS = [
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "text", "text": "a"},
    {"type": "text", "text": "b"},
]


@pytest.mark.parametrize(
    ("step", "text", "finish"),
    [
        (fake.answer(None, content=BLOCKS), "ab", "end_turn"),
        (fake.answer(None, stop_reason="refusal"), "", "refusal"),
        (fake.answer("cut", stop_reason="max_tokens"), "cut", "max_tokens"),
        (fake.answer(None), "", "end_turn"),
        (fake.answer("x" * 5_000_000), "x" * 5_000_000, "end_turn"),
    ],
    ids=["blocks", "refusal", "limit", "empty", "huge"],
)
def test_odd_answers_are_answers(step: Step, text: str, finish: str) -> None:
    with fake.FakeAnthropic([step]) as server:
        answer = ask(server)
    assert (answer.text == text, answer.finish_reason) == (True, finish)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (html(), "'text/html' instead of JSON"),
        (truncated(), "broken JSON"),
        (as_json({"content": "hi"}), "not a message"),
        (as_json(["no"]), "not a message"),
        (fake.answer("x", stop_reason=None), "did not end"),
        (Step(b"[" * 200_000), "broken JSON"),
        (Step(b"\xff\xfe\xfa"), "broken JSON"),
    ],
)
def test_a_success_status_over_no_message_may_pass(step: Step, says: str) -> None:
    error = failure([step])
    assert error.kind is FailureKind.TRANSIENT
    assert says in error.message


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (fake.error(400, "bad tokens", kind="invalid_request_error"), FailureKind.REJECTED, "bad tokens"),
        (fake.error(413), FailureKind.REJECTED, "refuses this request"),
        (fake.error(422), FailureKind.REJECTED, "refuses this request"),
        (fake.error(401, kind="authentication_error"), FailureKind.FATAL, "set ANTHROPIC_API_KEY to a valid key"),
        (fake.error(402, kind="billing_error"), FailureKind.FATAL, "no credit"),
        (fake.error(429, code="enforced_spend_limit_reached"), FailureKind.FATAL, "no credit"),
        (fake.error(403), FailureKind.FATAL, "may not use anthropic/m-1"),
        (fake.error(404, kind="not_found_error"), FailureKind.FATAL, "check the model's name"),
        (fake.error(307, headers={"Location": "http://127.0.0.1:1/"}), FailureKind.FATAL, "redirects elsewhere"),
        (fake.error(408), FailureKind.TRANSIENT, "failed to answer"),
        (fake.error(409), FailureKind.TRANSIENT, "failed to answer"),
        (fake.error(500, "oops"), FailureKind.TRANSIENT, "oops"),
        (html(502), FailureKind.TRANSIENT, "(502)"),
        (fake.error(504, kind="timeout_error"), FailureKind.TRANSIENT, "(504)"),
        (as_json("just text", status=500), FailureKind.TRANSIENT, "just text"),
    ],
)
def test_statuses(step: Step, kind: FailureKind, says: str) -> None:
    error = failure([step])
    assert (error.kind, error.status) == (kind, step.status)
    assert says in error.message
    assert "<" not in error.message


@pytest.mark.parametrize(("status", "kind"), [(429, FailureKind.RATE_LIMIT), (529, FailureKind.TRANSIENT)])
def test_a_limit_and_an_overload_say_how_long_to_wait(status: int, kind: FailureKind) -> None:
    error = failure([fake.error(status, "Overloaded", kind="overloaded_error", headers={"Retry-After": "7"})])
    assert (error.kind, error.retry_after) == (kind, 7.0)
    assert "Overloaded" in error.message


def test_the_key_is_in_no_message() -> None:
    assert KEY not in failure([fake.error(401, f"invalid x-api-key {KEY}")]).message


def test_a_stalled_server_times_out() -> None:
    error = failure([stall()], timeout=0.3)
    assert error.kind is FailureKind.TRANSIENT
    assert error.message == "no answer from anthropic/m-1 within 0.3 s"


@pytest.mark.parametrize("step", [cut_off(), hang_up()], ids=["mid-body", "at-once"])
def test_a_cut_connection_may_pass(step: Step) -> None:
    error = failure([step])
    assert error.kind is FailureKind.TRANSIENT
    assert "the connection to 127.0.0.1:" in error.message


def test_a_closed_port_may_pass() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(ProviderFailure, match="failed") as caught:
            asyncio.run(_ask_all(url, [ask_for(MODEL)], {}))
    assert caught.value.kind is FailureKind.TRANSIENT


def test_does_not_retry_by_itself() -> None:
    with fake.FakeAnthropic([fake.error(529), "late"]) as server:
        with pytest.raises(ProviderFailure):
            ask(server)
        assert len(server.received) == 1


def test_the_sdk_reads_nothing_else_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "not-ours")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with fake.FakeAnthropic(["direct"]) as server:
        assert ask(server).text == "direct"
    assert "not-ours" not in str(server.received[0].headers)


# What is known before any call


def codes(**kwargs: Any) -> list[str]:
    return [problem.code for problem in anthropic.SPEC.problems("m-1", context(**kwargs))]


def test_a_missing_key_is_told() -> None:
    (problem,) = anthropic.SPEC.problems("m-1", context())
    assert problem.code == "MISSING_CREDENTIAL"
    assert "ANTHROPIC_API_KEY" in problem.message


def test_settings_and_environment_name_the_address_and_the_key() -> None:
    assert codes(environ={"ANTHROPIC_API_KEY": KEY}) == []
    assert codes(environ={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}) == []
    assert codes(environ={"ANTHROPIC_BASE_URL": "http://10.0.0.1"}) == ["MISSING_CREDENTIAL"]
    assert codes(environ={"TEAM_KEY": KEY}, options={"api_key_env": "TEAM_KEY"}) == []
    assert codes(environ={"ANTHROPIC_API_KEY": KEY}, options={"base_url": "ftp://x"}) == ["SETTINGS"]
    assert codes(environ={"ANTHROPIC_API_KEY": KEY}, options={"structured": "yes"}) == ["SETTINGS"]

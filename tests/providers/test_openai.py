"""The OpenAI provider: the real SDK over real loopback HTTP, against a server that can do anything."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from email.utils import formatdate
from typing import Any

import pytest

from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request, Usage
from promptbench.providers import _chat, openai
from tests.helpers import fake_openai as fake
from tests.helpers.asking import ask_for, context

KEY = "sk-test-0123456789"


async def _ask_all(base_url: str, requests: list[Request], options: dict[str, Any]) -> list[Answer]:
    provider = openai.SPEC.connect(
        "m-1", context(environ={"OPENAI_API_KEY": KEY}, options={"base_url": base_url, **options})
    )
    try:
        return [await provider.complete(request) for request in requests]
    finally:
        await provider.close()


def ask(server: fake.FakeOpenAI, request: Request | None = None, **options: Any) -> Answer:
    return asyncio.run(_ask_all(server.base_url, [request or ask_for("openai/m-1")], options))[0]


def failure(script: fake.Script, request: Request | None = None, **options: Any) -> ProviderFailure:
    with fake.FakeOpenAI(script) as server, pytest.raises(ProviderFailure) as caught:
        ask(server, request, **options)
    return caught.value


def test_answers_with_the_servers_words() -> None:
    with fake.FakeOpenAI(lambda body: body["messages"][-1]["content"].upper()) as server:
        answer = ask(server, ask_for("openai/m-1", "hello", system="be loud"))
    assert answer.text == "HELLO"
    assert answer.model == "fake-1"
    assert answer.usage == Usage(11, 7)
    assert answer.finish_reason == "stop"
    assert answer.provider_ms > 0
    (received,) = server.received
    assert received.authorization == f"Bearer {KEY}"
    assert received.body == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "be loud"}, {"role": "user", "content": "hello"}],
    }


def test_sends_the_prompts_config_in_the_servers_words() -> None:
    config = {
        "temperature": 0.5,
        "topP": 0.9,
        "maxOutputTokens": 64,
        "stopSequences": ["\n"],
        "seed": 7,
        "timeout": 30,
    }
    with fake.FakeOpenAI() as server:
        answer = ask(server, ask_for("openai/m-1", params=config))
    sent = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 64, "stop": ["\n"], "seed": 7}
    assert {name: server.received[0].body[name] for name in sent} == sent
    assert answer.params == sent
    assert "timeout" not in server.received[0].body


def test_openai_itself_is_sent_max_completion_tokens() -> None:
    assert _chat.OPENAI.params({"maxOutputTokens": 5}, "openai/m-1") == {"max_completion_tokens": 5}


@pytest.mark.parametrize(("word", "says"), [("topK", "did you mean 'topP'"), ("window", "it takes temperature")])
def test_refuses_a_config_word_that_would_be_dropped(word: str, says: str) -> None:
    with fake.FakeOpenAI() as server, pytest.raises(ProviderFailure, match=says) as caught:
        ask(server, ask_for("openai/m-1", params={word: 1}))
    assert caught.value.kind is FailureKind.REJECTED
    assert server.received == []


@pytest.mark.parametrize(
    ("text", "params"), [("half \ud83d", {}), ("hello", {"temperature": float("nan")}), ("hello", {"seed": {1}})]
)
def test_refuses_what_json_cannot_carry(text: str, params: dict[str, Any]) -> None:
    assert failure([], ask_for("openai/m-1", text, params=params)).kind is FailureKind.REJECTED


def test_sends_the_schema_only_when_the_settings_say_so() -> None:
    schema = {
        "type": "object",
        "properties": {"team": {"type": "string"}},
        "required": ["team"],
        "additionalProperties": False,
    }
    with fake.FakeOpenAI() as server:
        plain = ask(server, ask_for("openai/m-1", schema=schema))
        structured = ask(server, ask_for("openai/m-1", schema=schema), structured=True)
        without = ask(server, structured=True)
    bodies = [received.body for received in server.received]
    assert [plain.structured, structured.structured, without.structured] == [False, True, False]
    assert ["response_format" in body for body in bodies] == [False, True, False]
    assert bodies[1]["response_format"]["json_schema"] == {"name": "output", "schema": schema, "strict": True}


def test_reads_cached_and_reasoning_tokens() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 80},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    with fake.FakeOpenAI([fake.answer("x", usage=usage), fake.answer("x", usage=None)]) as server:
        assert ask(server).usage == Usage(100, 20, 80, 5)
        assert ask(server).usage is None


@pytest.mark.parametrize(
    ("step", "text", "finish"),
    [
        (fake.answer(None, message={"refusal": "I cannot help"}), "I cannot help", "refusal"),
        (fake.answer(None, choice={"finish_reason": "content_filter"}), "", "content_filter"),
        (fake.answer("", choice={"finish_reason": "length"}), "", "length"),
        (fake.Step(fake.answer("as text").body, headers={"Content-Type": "text/plain"}), "as text", "stop"),
        (fake.answer("x" * 5_000_000), "x" * 5_000_000, "stop"),
    ],
    ids=["refusal", "filtered", "empty", "wrong-content-type", "huge"],
)
def test_odd_answers_are_answers(step: fake.Step, text: str, finish: str) -> None:
    with fake.FakeOpenAI([step]) as server:
        answer = ask(server)
    assert (answer.text == text, answer.finish_reason) == (True, finish)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (fake.html(), "'text/html' instead of JSON"),
        (fake.truncated(), "broken JSON"),
        (fake.as_json({"choices": []}), "without choices"),
        (fake.as_json(["no"]), "not a completion"),
        (fake.answer(None), "without text"),
        (fake.as_json({"choices": [{"message": "hello"}]}), "without text"),
        (fake.Step(b"[" * 200_000), "broken JSON"),
        (fake.Step(b"\xff\xfe\xfa"), "broken JSON"),
        (
            fake.Step(b"not gzip", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}),
            "decompress",
        ),
    ],
)
def test_a_success_status_over_no_completion_may_pass(step: fake.Step, says: str) -> None:
    error = failure([step])
    assert error.kind is FailureKind.TRANSIENT
    assert says in error.message


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (fake.error(400, "bad temperature"), FailureKind.REJECTED, "bad temperature"),
        (fake.error(413), FailureKind.REJECTED, "refuses this request"),
        (fake.error(422), FailureKind.REJECTED, "refuses this request"),
        (fake.error(418), FailureKind.REJECTED, "refuses this request"),
        (fake.error(401), FailureKind.FATAL, "set OPENAI_API_KEY to a valid key"),
        (fake.error(402), FailureKind.FATAL, "no credit"),
        (fake.error(403), FailureKind.FATAL, "may not use openai/m-1"),
        (fake.error(404), FailureKind.FATAL, "check the model's name"),
        (fake.error(307, headers={"Location": "http://127.0.0.1:1/"}), FailureKind.FATAL, "redirects elsewhere"),
        (fake.error(408), FailureKind.TRANSIENT, "failed to answer"),
        (fake.error(409), FailureKind.TRANSIENT, "failed to answer"),
        (fake.error(500, "oops"), FailureKind.TRANSIENT, "oops"),
        (fake.html(502), FailureKind.TRANSIENT, "(502)"),
        (fake.error(529), FailureKind.TRANSIENT, "(529)"),
        (fake.error(429, code="insufficient_quota"), FailureKind.FATAL, "no credit"),
        (fake.as_json({"error": "model 'm-1' not found"}, status=404), FailureKind.FATAL, "model 'm-1' not found"),
        (fake.as_json({"message": "no", "code": {"a": 1}}, status=400), FailureKind.REJECTED, "(400): no"),
        (fake.as_json([1], status=500), FailureKind.TRANSIENT, "(500)"),
    ],
)
def test_statuses(step: fake.Step, kind: FailureKind, says: str) -> None:
    error = failure([step])
    assert (error.kind, error.status) == (kind, step.status)
    assert says in error.message
    assert "<" not in error.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"retry-after-ms": "soon", "Retry-After": "3"}, 3.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "in a while"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    error = failure([fake.error(429, headers=headers)])
    assert error.kind is FailureKind.RATE_LIMIT
    assert error.retry_after == (None if seconds is None else pytest.approx(seconds, abs=5))


@pytest.mark.parametrize(("ahead", "seconds"), [(100, 100.0), (-100, 0.0)])
def test_a_rate_limit_may_name_the_hour(ahead: int, seconds: float) -> None:
    until = formatdate(time.time() + ahead, usegmt=True)
    assert failure([fake.error(429, headers={"Retry-After": until})]).retry_after == pytest.approx(seconds, abs=10)


def test_the_key_is_in_no_message() -> None:
    assert KEY not in failure([fake.error(401, f"Incorrect API key provided: {KEY}")]).message
    assert KEY not in failure([fake.error(400, KEY * 300)]).message


def test_a_long_message_is_cut() -> None:
    assert len(failure([fake.error(400, "word " * 10_000)]).message) < 500


def test_a_stalled_server_times_out() -> None:
    error = failure([fake.stall()], timeout=0.3)
    assert error.kind is FailureKind.TRANSIENT
    assert error.message == "no answer from openai/m-1 within 0.3 s"


def test_the_prompts_timeout_comes_before_the_settings() -> None:
    error = failure([fake.stall()], ask_for("openai/m-1", params={"timeout": 0.2}), timeout=60)
    assert "within 0.2 s" in error.message


def test_the_providers_time_is_the_servers_delay() -> None:
    with fake.FakeOpenAI([fake.answer("late", delay=0.5)]) as server:
        assert 500 <= ask(server).provider_ms < 5000


@pytest.mark.parametrize("step", [fake.cut_off(), fake.hang_up()], ids=["mid-body", "at-once"])
def test_a_cut_connection_may_pass(step: fake.Step) -> None:
    error = failure([step])
    assert error.kind is FailureKind.TRANSIENT
    assert "the connection to 127.0.0.1:" in error.message


def test_a_closed_port_may_pass() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
        with pytest.raises(ProviderFailure, match="failed") as caught:
            asyncio.run(_ask_all(url, [ask_for("openai/m-1")], {}))
    assert caught.value.kind is FailureKind.TRANSIENT


def test_does_not_retry_by_itself() -> None:
    with fake.FakeOpenAI([fake.error(500), "late"]) as server:
        with pytest.raises(ProviderFailure):
            ask(server)
        assert len(server.received) == 1


def test_a_cut_connection_does_not_spoil_the_next_call() -> None:
    async def two(base_url: str) -> str:
        provider = openai.SPEC.connect("m-1", context(options={"base_url": base_url}))
        try:
            with pytest.raises(ProviderFailure):
                await provider.complete(ask_for("openai/m-1"))
            return (await provider.complete(ask_for("openai/m-1"))).text
        finally:
            await provider.close()

    with fake.FakeOpenAI([fake.cut_off(), "fine"]) as server:
        assert asyncio.run(two(server.base_url)) == "fine"


def test_many_at_once_share_few_connections() -> None:
    async def many(base_url: str) -> list[str]:
        provider = openai.SPEC.connect("m-1", context(options={"base_url": base_url}))
        try:
            answers = await asyncio.gather(*(provider.complete(ask_for("openai/m-1", str(n))) for n in range(20)))
            answers += await asyncio.gather(*(provider.complete(ask_for("openai/m-1", str(n))) for n in range(20, 40)))
            return [answer.text for answer in answers]
        finally:
            await provider.close()

    with fake.FakeOpenAI(lambda body: fake.answer(body["messages"][0]["content"], delay=0.05)) as server:
        assert asyncio.run(many(server.base_url)) == [str(n) for n in range(40)]
        assert server.most_at_once == 20
        assert server.connections == 20


def test_a_cancelled_call_ends_at_once() -> None:
    async def cancelled(base_url: str) -> float:
        provider = openai.SPEC.connect("m-1", context(options={"base_url": base_url}))
        task = asyncio.create_task(provider.complete(ask_for("openai/m-1")))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await provider.close()
        return time.monotonic() - began

    with fake.FakeOpenAI([fake.stall()]) as server:
        assert asyncio.run(cancelled(server.base_url)) < 20


def test_a_proxy_variable_is_not_used_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with fake.FakeOpenAI(["direct"]) as server:
        assert ask(server).text == "direct"


def test_no_messages_is_refused() -> None:
    request = Request(ask_for("openai/m-1").model, (), {}, None, {"a": 1}, 0)
    assert failure([], request).kind is FailureKind.REJECTED


# Responses instead of Chat Completions


def test_responses_answer_with_the_servers_words() -> None:
    config = {"temperature": 0.5, "topP": 0.9, "maxOutputTokens": 64}
    with fake.FakeOpenAI(lambda body: body["input"][-1]["content"].upper()) as server:
        answer = ask(server, ask_for("openai/m-1", "hello", system="be loud", params=config), api="responses")
    (received,) = server.received
    assert received.path == "/v1/responses"
    sent = {"store": False, "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 64}
    turns = [{"role": "system", "content": "be loud"}, {"role": "user", "content": "hello"}]
    assert received.body == {"model": "m-1", "input": turns, **sent}
    assert (answer.text, answer.model, answer.usage) == ("HELLO", "fake-1", Usage(11, 7))
    assert (answer.finish_reason, answer.params, answer.structured) == ("completed", sent, False)


def test_responses_are_sent_the_schema_when_the_settings_say_so() -> None:
    schema = {
        "type": "object",
        "properties": {"team": {"type": "string"}},
        "required": ["team"],
        "additionalProperties": False,
    }
    with fake.FakeOpenAI() as server:
        answer = ask(server, ask_for("openai/m-1", schema=schema), api="responses", structured=True)
    format = {"type": "json_schema", "name": "output", "schema": schema, "strict": True}
    assert server.received[0].body["text"] == {"format": format}
    assert answer.structured


def test_responses_tell_cached_and_reasoning_tokens() -> None:
    usage = {
        "input_tokens": 100,
        "output_tokens": 20,
        "input_tokens_details": {"cached_tokens": 80},
        "output_tokens_details": {"reasoning_tokens": 5},
    }
    with fake.FakeOpenAI(
        [fake.as_json(fake.response("x", usage=usage)), fake.as_json(fake.response("x", usage={}))]
    ) as server:
        assert ask(server, api="responses").usage == Usage(100, 20, 80, 5)
        assert ask(server, api="responses").usage is None


REFUSED = [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot help"}]}]
CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


@pytest.mark.parametrize(
    ("reply", "text", "finish"),
    [
        (fake.response(None, output=REFUSED), "I cannot help", "refusal"),
        (fake.response("half", **CUT), "half", "max_output_tokens"),
        (fake.response(None, **CUT, output=[]), "", "max_output_tokens"),
    ],
    ids=["refusal", "cut", "nothing-but-thought"],
)
def test_odd_responses_are_answers(reply: fake.Body, text: str, finish: str) -> None:
    with fake.FakeOpenAI([fake.as_json(reply)]) as server:
        answer = ask(server, api="responses")
    assert (answer.text, answer.finish_reason) == (text, finish)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (fake.completion("chat"), "not a response"),
        (["no"], "not a response"),
        (fake.response(None), "without text"),
        (fake.response("x", status="failed", error={"message": f"overloaded {KEY}"}), "'failed': overloaded ***"),
        (fake.response("x", output=[1, {"type": "message", "content": ["x", None]}]), "without text"),
    ],
)
def test_a_success_status_over_no_response_may_pass(reply: Any, says: str) -> None:
    error = failure([fake.as_json(reply)], api="responses")
    assert error.kind is FailureKind.TRANSIENT
    assert says in error.message


def test_an_api_that_is_not_known_is_told() -> None:
    (problem,) = openai.SPEC.problems("m-1", context(environ={"OPENAI_API_KEY": KEY}, options={"api": "assistants"}))
    assert problem.code == "SETTINGS"
    assert "chat or responses" in problem.message


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, ["topK"]), ({"api": "responses"}, ["topK", "seed", "stopSequences"])],
    ids=["chat", "responses"],
)
def test_config_words_that_would_be_dropped_are_told_before_the_run(options: dict[str, Any], words: list[str]) -> None:
    config = {"temperature": 1, "topK": 1, "seed": 1, "stopSequences": ["a"], "timeout": 5}
    found = openai.SPEC.unsupported("m-1", context(options=options), config)
    assert [problem.code for problem in found] == ["UNKNOWN_KEY"] * len(words)
    assert all(word in problem.message for word, problem in zip(words, found, strict=True))


# What is known before any call


def codes(**kwargs: Any) -> list[str]:
    return [problem.code for problem in openai.SPEC.problems("m-1", context(**kwargs))]


def test_a_missing_key_is_told_with_the_line_to_type() -> None:
    (problem,) = openai.SPEC.problems("m-1", context())
    assert problem.code == "MISSING_CREDENTIAL"
    assert "OPENAI_API_KEY" in problem.message
    assert problem.hint is not None
    assert "export OPENAI_API_KEY=" in problem.hint
    assert "$env:OPENAI_API_KEY = " in problem.hint


def test_the_key_may_have_another_name() -> None:
    options = {"api_key_env": "TEAM_KEY"}
    assert codes(environ={"TEAM_KEY": KEY}, options=options) == []
    assert codes(environ={"OPENAI_API_KEY": KEY}, options=options) == ["MISSING_CREDENTIAL"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80/v1", "http://localhost:1/v1", "http://[::1]:5/v1", "http://127.9.9.9/v1"]
)
def test_this_machine_needs_no_key(url: str) -> None:
    assert codes(environ={"OPENAI_BASE_URL": url}) == []
    assert codes(options={"base_url": url}) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1.example/v1", "http://localhost.example/v1", "http://10.0.0.1/v1"])
def test_other_machines_need_a_key(url: str) -> None:
    assert codes(options={"base_url": url}) == ["MISSING_CREDENTIAL"]


def test_a_key_with_a_line_end_works() -> None:
    assert codes(environ={"OPENAI_API_KEY": f"{KEY}\n"}) == []


@pytest.mark.parametrize("key", ["“sk-quoted”", "sk two words", "sk-\u200bzero"])
def test_a_key_that_cannot_be_one_is_told(key: str) -> None:
    assert codes(environ={"OPENAI_API_KEY": key}) == ["MISSING_CREDENTIAL"]
    assert all(
        key not in str(problem) for problem in openai.SPEC.problems("m-1", context(environ={"OPENAI_API_KEY": key}))
    )


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://127.0.0.1/v1", "http://", "http://[::1", "http://h:99999/"])
def test_a_wrong_address_is_told(url: str) -> None:
    assert codes(environ={"OPENAI_API_KEY": KEY}, options={"base_url": url}) == ["SETTINGS"]
    with pytest.raises(ProviderFailure, match="base_url"):
        asyncio.run(_ask_all(url, [ask_for("openai/m-1")], {}))


@pytest.mark.parametrize("value", ["soon", 0, -1, True, float("inf"), None])
def test_a_wrong_timeout_is_told(value: Any) -> None:
    assert codes(environ={"OPENAI_API_KEY": KEY}, options={"timeout": value}) == ["SETTINGS"]


def test_settings_set_the_concurrency() -> None:
    assert openai.SPEC.connect("m-1", context(options={"concurrency": 7})).concurrency == 7


def test_the_fake_server_speaks_plain_http() -> None:
    with fake.FakeOpenAI(["hi"]) as server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            body = json.dumps({"messages": []})
            client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")

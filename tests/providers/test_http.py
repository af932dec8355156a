"""Any HTTP endpoint as a model: templates, secrets and answers, over real loopback HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from promptbench.core.types import Answer, FailureKind, Message, ProviderFailure, Request
from promptbench.providers import http
from promptbench.text import templates
from tests.helpers import fake_openai as fake
from tests.helpers.asking import ask_for, context
from tests.helpers.fake_http import FakeHttp

MODEL = "http/intents"
TOKEN = "tok-0123456789"
BODY = {"text": "{{vars.message}}"}
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def case(*messages: Message, params: dict[str, Any] | None = None, **variables: Any) -> Request:
    return Request(ask_for(MODEL).model, messages, params or {}, None, variables, 0)


async def _ask(options: dict[str, Any], request: Request, environ: dict[str, str]) -> Answer:
    provider = http.SPEC.connect("intents", context(environ=environ, options={"endpoints": {"intents": options}}))
    try:
        return await provider.complete(request)
    finally:
        await provider.close()


def ask(
    server: FakeHttp, request: Request | None = None, environ: dict[str, str] | None = None, **options: Any
) -> Answer:
    options = {"url": f"{server.base_url}/parse", "body": BODY, **options}
    return asyncio.run(_ask(options, request or case(message="hello"), environ or {}))


def failure(
    script: fake.Script, request: Request | None = None, environ: dict[str, str] | None = None, **options: Any
) -> ProviderFailure:
    with FakeHttp(script) as server, pytest.raises(ProviderFailure) as caught:
        ask(server, request, environ, **options)
    return caught.value


def test_posts_the_cases_variables_and_reads_the_answer_where_it_is() -> None:
    with FakeHttp(lambda body: fake.as_json({"intent": {"name": body["text"].upper()}})) as server:
        answer = ask(server, answer="intent.name")
    (received,) = server.received
    assert (received.method, received.path) == ("POST", "/parse")
    assert received.headers["content-type"] == "application/json"
    assert received.body == {"text": "hello"}
    assert (answer.text, answer.model, answer.usage, answer.structured) == ("HELLO", MODEL, None, False)
    assert answer.provider_ms > 0


def test_what_a_server_tells_of_its_limits_is_handed_on() -> None:
    told = {"X-RateLimit-Limit-Requests": "600", "X-RateLimit-Remaining-Requests": "599", "X-Other": "1"}
    with FakeHttp(lambda body: fake.as_json("billing", headers=told)) as server:
        answer = ask(server)
    assert answer.limits == {"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "599"}
    with FakeHttp(lambda body: fake.as_json("billing")) as server:
        assert ask(server).limits is None


def test_a_placeholder_alone_keeps_the_values_type() -> None:
    body = {"n": "{{vars.n}}", "all": "{{vars}}", "list": ["{{vars.tags}}", 1, True], "said": "n is {{ vars.n }}!"}
    with FakeHttp() as server:
        ask(server, case(n=3, tags=["a"]), body=body)
    expected = {"n": 3, "all": {"n": 3, "tags": ["a"]}, "list": [["a"], 1, True], "said": "n is 3!"}
    assert server.received[0].body == expected


@given(DATA)
def test_a_value_is_data_whatever_is_in_it(value: Any) -> None:
    template = {"one": "{{vars.x}}", "kept": "k"}
    assert json.loads(json.dumps(templates.fill_data(template, {"vars": {"x": value}}))) == {"one": value, "kept": "k"}


@pytest.mark.parametrize("text", ['", "admin": true, "x": "', "{{vars.secret}}", "\\", "${TOKEN}", "a\nb", "\x00"])
def test_a_value_cannot_write_json_nor_placeholders(text: str) -> None:
    with FakeHttp() as server:
        ask(server, case(message=text, secret="s"), {"TOKEN": TOKEN}, body={"text": "say: {{vars.message}}"})
    assert server.received[0].body == {"text": f"say: {text}"}


def test_a_query_is_escaped() -> None:
    with FakeHttp(["ok"]) as server:
        ask(server, case(message="a&b=c d/ü?#"), method="get", body=None, query={"q": "{{vars.message}}", "n": 5})
    (received,) = server.received
    assert (received.method, received.body) == ("GET", {})
    assert received.path.partition("?")[2].split("&") == ["q=a%26b%3Dc+d/%C3%BC?%23", "n=5"]


def test_headers_get_their_secrets_from_the_environment() -> None:
    headers = {"Authorization": "Bearer ${NLU_TOKEN}", "X-Team": "support", "X-Both": "${A}-${B}"}
    environ = {"NLU_TOKEN": f"{TOKEN}\n", "A": "1", "B": "2"}
    with FakeHttp() as server:
        ask(server, environ=environ, headers=headers)
    sent = server.received[0].headers
    assert (sent["authorization"], sent["x-team"], sent["x-both"]) == (f"Bearer {TOKEN}", "support", "1-2")


def test_an_endpoint_that_sees_the_prompt_gets_its_messages() -> None:
    body = {"chat": "{{messages}}", "text": "{{prompt}}", "first": "{{messages.0.content}}"}
    request = case(Message("system", "be brief"), Message("user", "hello"), message="hello")
    with FakeHttp() as server:
        ask(server, request, body=body, sees_prompt=True)
    turns = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert server.received[0].body == {"chat": turns, "text": "be brief\n\nhello", "first": "be brief"}


@pytest.mark.parametrize(
    ("path", "reply", "text"),
    [
        ("", "plain words", "plain words"),
        ("", '{"a": 1}', '{"a": 1}'),
        ("data.0.text", '{"data": [{"text": "x"}]}', "x"),
        ("data", '{"data": {"b": 1, "a": [true, null]}}', '{"a":[true,null],"b":1}'),
        ("n", '{"n": 5}', "5"),
        ("a.b", '{"a": {"b": null}}', "null"),
        ("text", '{"text": ""}', ""),
    ],
)
def test_the_answer_is_text_or_json(path: str, reply: str, text: str) -> None:
    with FakeHttp([reply]) as server:
        assert ask(server, answer=path).text == text


@pytest.mark.parametrize(
    ("path", "says"), [("intent.name", "'name'"), ("team", "it has intent, list"), ("list.1", "'1'"), ("list.x", "'x'")]
)
def test_an_answer_that_is_not_there_is_refused_with_what_is(path: str, says: str) -> None:
    error = failure([fake.as_json({"intent": "x", "list": [1]})], answer=path)
    assert error.kind is FailureKind.REJECTED
    assert says in error.message


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (case(text="hello"), "needs the variable 'message'"),
        (case(message="half \ud83d"), "lone surrogate"),
        (case(message=float("nan")), "JSON"),
        (case(message="x", params={"temperature": 0}), "does not take 'temperature'"),
    ],
)
def test_refuses_what_it_cannot_say(request_: Request, says: str) -> None:
    with FakeHttp() as server, pytest.raises(ProviderFailure, match=says) as caught:
        ask(server, request_)
    assert caught.value.kind is FailureKind.REJECTED
    assert server.received == []


def test_half_a_character_cannot_go_into_an_address() -> None:
    query = {"q": "{{vars.message}}"}
    assert failure([], case(message="\ud83d"), body=None, query=query).kind is FailureKind.REJECTED


def test_an_endpoint_that_sees_the_prompt_needs_one() -> None:
    error = failure([], case(message="x"), body={"m": "{{messages}}"}, sees_prompt=True)
    assert error.kind is FailureKind.REJECTED
    assert "needs a prompt" in error.message


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        (fake.as_json({"detail": f"no text {TOKEN}"}, status=422), FailureKind.REJECTED, "no text ***"),
        (fake.error(400, "bad body"), FailureKind.REJECTED, "bad body"),
        (fake.as_json({"error": "expired"}, status=401), FailureKind.FATAL, "set NLU_TOKEN to a valid key"),
        (fake.error(403), FailureKind.FATAL, "may not use http/intents"),
        (fake.error(404), FailureKind.FATAL, "http/intents"),
        (fake.error(302, headers={"Location": "http://127.0.0.1:1/"}), FailureKind.FATAL, "redirects elsewhere"),
        (fake.error(429, headers={"Retry-After": "7"}), FailureKind.RATE_LIMIT, "limits the rate"),
        (fake.error(500, "oops"), FailureKind.TRANSIENT, "oops"),
        (fake.Step(b"{half", status=503), FailureKind.TRANSIENT, "(503)"),
        (fake.html(502), FailureKind.TRANSIENT, "(502)"),
        (fake.html(), FailureKind.TRANSIENT, "'text/html' instead of JSON"),
        (fake.truncated(), FailureKind.TRANSIENT, "broken JSON"),
        (fake.Step(b"[" * 200_000), FailureKind.TRANSIENT, "broken JSON"),
        (fake.Step(b'{"intent": NaN}'), FailureKind.TRANSIENT, "not valid JSON"),
        (fake.cut_off(), FailureKind.TRANSIENT, "the connection to 127.0.0.1:"),
        (fake.hang_up(), FailureKind.TRANSIENT, "the connection to 127.0.0.1:"),
    ],
)
def test_failures(step: fake.Step, kind: FailureKind, says: str) -> None:
    headers = {"Authorization": "Bearer ${NLU_TOKEN}"}
    error = failure([step], environ={"NLU_TOKEN": TOKEN}, headers=headers, answer="intent")
    assert error.kind is kind
    assert says in error.message
    assert TOKEN not in error.message
    assert "<" not in error.message


def test_a_rate_limit_says_how_long_to_wait() -> None:
    assert failure([fake.error(429, headers={"Retry-After": "7"})]).retry_after == 7


def test_a_stalled_server_times_out() -> None:
    assert failure([fake.stall()], timeout=0.3).message == "no answer from http/intents within 0.3 s"


def test_cookies_of_one_answer_are_not_sent_with_the_next() -> None:
    async def two(url: str) -> None:
        provider = http.SPEC.connect("intents", context(options={"endpoints": {"intents": {"url": url}}}))
        try:
            await provider.complete(case())
            await provider.complete(case())
        finally:
            await provider.close()

    with FakeHttp([fake.as_json({}, headers={"Set-Cookie": "a=b"})]) as server:
        asyncio.run(two(server.base_url))
    assert ["cookie" in received.headers for received in server.received] == [False, False]
    assert server.connections == 1


def test_a_proxy_variable_is_not_used_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with FakeHttp(["direct"]) as server:
        assert ask(server).text == "direct"


# What is known before any call


def problems(environ: dict[str, str] | None = None, **options: Any) -> list[tuple[str, str]]:
    options = {"url": "http://127.0.0.1:1/parse", **options}
    found = http.SPEC.problems("intents", context(environ=environ, options={"endpoints": {"intents": options}}))
    return [(problem.code, f"{problem.message} {problem.hint}") for problem in found]


def test_the_smallest_endpoint_is_enough() -> None:
    assert problems() == []


def test_an_unknown_endpoint_is_told_with_the_nearest_one() -> None:
    around = context(options={"endpoints": {"intents": {"url": "http://127.0.0.1:1"}}})
    (problem,) = http.SPEC.problems("intent", around)
    assert (problem.code, problem.hint) == ("UNKNOWN_MODEL", "did you mean 'intents'?")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": ""}, "have no url for"),
        ({"url": "127.0.0.1/parse"}, "not a valid HTTP address"),
        ({"method": "DELETE"}, "expected GET, POST"),
        ({"answer": 0}, "must be text"),
        ({"timeout": "soon"}, "number above 0"),
        ({"sees_prompt": "yes"}, "true or false"),
        ({"query": "q"}, "must be a table"),
        ({"headers": ["a"]}, "must be a table"),
        ({"headers": {"A B": "x"}}, "not a valid header name"),
        ({"headers": {"X-A": "x\r\nX-B: y"}}, "plain text"),
        ({"headers": {"X-A": 1}}, "plain text"),
        ({"headers": {"authorization": f"Bearer {TOKEN}"}}, "come from the environment"),
        ({"body": {"a": "{{message}}"}}, "{{vars.NAME}}"),
        ({"body": {"a": ["{{#if}}"]}}, "is not supported"),
        ({"query": {"q": "{{vars.x"}}, "not closed"),
        ({"body": {"a": "{{messages}}"}}, "write sees_prompt = true"),
        ({"body": {"a": "{{vars.x}}"}, "sees_prompt": True}, "has no placeholder for the prompt"),
    ],
)
def test_wrong_settings_are_told(options: dict[str, Any], says: str) -> None:
    ((code, said),) = problems(**options)
    assert code == "SETTINGS"
    assert says in said
    assert TOKEN not in said


def test_a_missing_secret_is_told_by_its_variable() -> None:
    headers = {"Authorization": "Bearer ${NLU_TOKEN}"}
    ((code, said),) = problems(headers=headers)
    assert (code, "NLU_TOKEN" in said) == ("MISSING_CREDENTIAL", True)
    assert problems({"NLU_TOKEN": TOKEN}, headers=headers) == []
    ((code, said),) = problems({"NLU_TOKEN": "two\r\nX-B: lines"}, headers=headers)
    assert (code, "X-B" in said) == ("MISSING_CREDENTIAL", False)


def test_each_endpoint_says_whether_it_sees_the_prompt_and_runs_here() -> None:
    endpoints = {"a": {"sees_prompt": True, "local": True}, "b": {}}
    around = context(options={"endpoints": endpoints})
    assert [http.SPEC.reads_prompt(name, around) for name in "abc"] == [True, False, False]
    assert [http.SPEC.runs_here(name, around) for name in "abc"] == [True, False, False]


def test_config_words_that_would_be_dropped_are_told() -> None:
    (problem,) = http.SPEC.unsupported("intents", context(), {"temperature": 0, "timeout": 3})
    assert problem.hint == "it takes none"

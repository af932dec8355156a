"""Answers in pieces: the real SDKs over loopback, and when the first text came."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from promptbench.core.types import Answer, FailureKind, ProviderFailure, Usage
from promptbench.providers import _events, anthropic, openai
from tests.helpers import fake_openai as fake
from tests.helpers.asking import ask_for, context
from tests.helpers.fake_anthropic import FakeAnthropic

DELAY = 0.05


def ask(server: fake.FakeOpenAI, module: Any = openai, **options: Any) -> Answer:
    async def main() -> Answer:
        provider = module.SPEC.connect("m", context(options={"base_url": server.base_url, **options}))
        try:
            answer: Answer = await provider.complete(replace(ask_for(f"{module.__name__}/m"), stream=True))
            return answer
        finally:
            await provider.close()

    return asyncio.run(main())


def message_events(*, end: bool = True) -> fake.Step:
    start = {"type": "message", "role": "assistant", "model": "fake-1", "content": [], "stop_reason": None}
    begun = {"type": "message_start", "message": start | {"usage": {"input_tokens": 11, "output_tokens": 1}}}
    texts = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in ("he", "llo")
    ]
    over = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
    ping = {"type": "ping"}
    return fake.events(begun, ping, *texts, *([over, {"type": "message_stop"}] if end else []), delay=DELAY, done=False)


def response_events() -> fake.Step:
    deltas = [{"type": "response.output_text.delta", "delta": text} for text in ("he", "llo")]
    created = {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}}
    return fake.events(
        created, *deltas, {"type": "response.completed", "response": fake.response("hello")}, delay=DELAY
    )


Server = Callable[[], fake.FakeOpenAI]
DIALECTS = {
    # The dialect, the server, the provider, its settings, and how many pieces there are up to the first text.
    "chat": (lambda: fake.FakeOpenAI([fake.chunks("he", "llo", delay=DELAY)]), openai, {}, 2),
    "responses": (lambda: fake.FakeOpenAI([response_events()]), openai, {"api": "responses"}, 2),
    "messages": (lambda: FakeAnthropic([message_events()]), anthropic, {}, 3),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_answer_as_in_one_piece_and_its_first_token(dialect: str) -> None:
    make, module, options, first = DIALECTS[dialect]
    with make() as server:
        answer = ask(server, module, **options)
    assert server.received[0].body["stream"] is True
    assert "stream" not in answer.params
    assert (answer.text, answer.model, answer.usage) == ("hello", "fake-1", Usage(11, 7))
    assert answer.finish_reason in ("stop", "end_turn", "completed")
    assert answer.first_token_ms is not None
    # The head of the answer takes one more delay.
    assert (first + 1) * DELAY * 1000 - 1 <= answer.first_token_ms <= answer.provider_ms - DELAY * 1000 + 1


@pytest.mark.parametrize("module", [openai, anthropic])
def test_a_server_that_does_not_stream_is_understood_all_the_same(module: Any) -> None:
    with fake.FakeOpenAI(["hello"]) if module is openai else FakeAnthropic(["hello"]) as server:
        answer = ask(server, module)
    assert (answer.text, answer.first_token_ms) == ("hello", None)


def test_nothing_is_streamed_that_is_not_to_be_timed() -> None:
    async def main(url: str) -> Answer:
        provider = openai.SPEC.connect("m", context(options={"base_url": url}))
        try:
            return await provider.complete(ask_for("openai/m"))
        finally:
            await provider.close()

    with fake.FakeOpenAI(["hello"]) as server:
        assert asyncio.run(main(server.base_url)).first_token_ms is None
    assert "stream" not in server.received[0].body


def test_a_compressed_stream_has_no_first_token() -> None:
    step = fake.chunks("hello")
    body = gzip.compress(b"".join(step.pieces))
    packed = replace(step, pieces=(), body=body, headers={**step.headers, "Content-Encoding": "gzip"})
    with fake.FakeOpenAI([packed]) as server:
        answer = ask(server)
    assert (answer.text, answer.first_token_ms) == ("hello", None)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (fake.chunks("hel", finish=None), "a stream that did not end"),
        (fake.events({"error": {"message": "overloaded"}}), "an error in its stream: overloaded"),
        (fake.Step(b"data: {\n\n", headers={"Content-Type": "text/event-stream"}), "a stream with broken JSON"),
        (fake.events(), "a stream that did not end"),
    ],
)
def test_a_stream_that_is_no_answer(step: fake.Step, why: str) -> None:
    with fake.FakeOpenAI([step]) as server, pytest.raises(ProviderFailure, match=why) as caught:
        ask(server)
    assert caught.value.kind is FailureKind.TRANSIENT


def test_a_message_that_breaks_off() -> None:
    with FakeAnthropic([message_events(end=False)]) as server, pytest.raises(ProviderFailure, match="did not end"):
        ask(server, anthropic)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_way_and_comments_are_left_out(end: str) -> None:
    text = end.join(['data: {"a":1}', "", ": comment", "event: x", 'data: {"b":', "data: 2}", "", 'data: {"c": 3}'])
    found = _events.read(text.encode())
    assert [event.data for event in found] == [{"a": 1}, {"b": 2}, {"c": 3}]
    assert found[0].end == len(f'data: {{"a":1}}{end}{end}')

"""What a run takes from the cache and adds to it, over the real table; and what an answer's key holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.secrets import Secrets
from promptbench.core.types import Answer, CacheMode, Message, ModelRef, Request
from promptbench.gateway import Budget, Cache, Gateway, ModelDown, Reply
from promptbench.gateway.cache import key_of
from promptbench.store.runs import RunStore
from promptbench.yaml.marked import WrittenNumber
from tests.helpers.asking import ask_for
from tests.helpers.scripted import FATAL, REJECTED, Scripted

MODEL = "scripted/m"
KEY = "sk-planted-0123456789"
REQUEST = Request(
    ModelRef("scripted", "m"),
    (Message("system", "Be brief."), Message("user", "hello\n")),
    {"temperature": 0.5},
    {"type": "object"},
    {"n": 1.5, "list": [{"x": 1}]},
    0,
)
SHAPE = {"address": "http://127.0.0.1:1", "structured": False}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(tmp_path) as opened:
        yield opened


def asked(runs: RunStore, provider: Scripted, mode: CacheMode, *requests: Request, **options: Any) -> list[Reply]:
    """The replies to the requests, one after the other, by a gateway of their own."""
    shapes = options.pop("shapes", {MODEL: SHAPE})
    cache = Cache(mode, runs.cache(), shapes, Secrets({"OPENAI_API_KEY": KEY}))
    gateway = Gateway({MODEL: provider}, cache=cache, notice=print, **options)

    async def run() -> list[Reply]:
        return [await gateway.call(request) for request in requests or (ask_for(MODEL),)]

    return asyncio.run(run())


def text(replies: list[Reply]) -> str:
    [reply] = replies
    assert reply.answer is not None
    return reply.answer.text


def test_off_neither_takes_nor_keeps(runs: RunStore) -> None:
    provider = Scripted(["one", "two", "three"])
    asked(runs, provider, CacheMode.WRITE)
    assert text(asked(runs, provider, CacheMode.OFF)) == "two"
    assert text(asked(runs, provider, CacheMode.READ)) == "one"


def test_write_asks_and_keeps_the_newest(runs: RunStore) -> None:
    provider = Scripted(["one", "two", "three"])
    assert text(asked(runs, provider, CacheMode.WRITE)) == "one"
    assert text(asked(runs, provider, CacheMode.WRITE)) == "two"
    assert text(asked(runs, provider, CacheMode.READ)) == "two"
    assert provider.calls == 2


def test_read_asks_what_is_not_there_and_keeps_it(runs: RunStore) -> None:
    provider = Scripted(["one", "two", "three"])
    assert text(asked(runs, provider, CacheMode.READ)) == "one"
    assert text(asked(runs, provider, CacheMode.READ)) == "one"
    assert text(asked(runs, provider, CacheMode.READ, ask_for(MODEL, "other"))) == "two"


def test_an_answer_from_the_cache_takes_no_call_and_no_time(runs: RunStore) -> None:
    provider = Scripted(["one"])
    budget = Budget(max_calls=1)
    price = {"price": lambda model, answer: 7.0, "budgets": [budget]}
    [first] = asked(runs, provider, CacheMode.READ, **price)
    replies = asked(runs, provider, CacheMode.READ, *[ask_for(MODEL)] * 3, **price)
    assert (first.tries, first.cost) == (1, 7.0)
    for reply in replies:
        assert reply.answer == Answer("one", "m", recorded=True)
        assert (reply.tries, reply.failed_tries, reply.queue_ms, reply.cost) == (0, (), 0.0, 7.0)


def test_repeats_are_answers_of_their_own(runs: RunStore) -> None:
    provider = Scripted(["one", "two", "three"])
    repeats = [ask_for(MODEL, repeat=n) for n in range(3)]
    for _ in range(2):
        replies = asked(runs, provider, CacheMode.READ, *repeats)
        assert [reply.answer and reply.answer.text for reply in replies] == ["one", "two", "three"]
    assert provider.calls == 3


def test_a_dead_model_still_has_what_it_said(runs: RunStore) -> None:
    asked(runs, Scripted(["one"]), CacheMode.WRITE)
    dead = Scripted([FATAL])
    other = ask_for(MODEL, "other")
    replies = asked(runs, dead, CacheMode.READ, other, ask_for(MODEL))
    assert replies[0].failure is FATAL
    assert text(replies[1:]) == "one"
    with pytest.raises(ModelDown):
        asked(runs, dead, CacheMode.READ, other, other)


def test_no_answer_is_not_kept(runs: RunStore) -> None:
    provider = Scripted([REJECTED, "one"])
    assert asked(runs, provider, CacheMode.READ)[0].failure is REJECTED
    assert text(asked(runs, provider, CacheMode.READ)) == "one"


def test_an_answer_that_repeats_a_secret_is_not_kept(runs: RunStore) -> None:
    provider = Scripted([f"the key is {KEY}", "one"])
    asked(runs, provider, CacheMode.READ)
    assert KEY.encode() not in b"".join(path.read_bytes() for path in runs.folder.iterdir() if path.is_file())
    assert text(asked(runs, provider, CacheMode.READ)) == "one"


def test_a_model_of_which_not_all_is_known_is_always_asked(runs: RunStore) -> None:
    provider = Scripted(["one", "two"])
    assert text(asked(runs, provider, CacheMode.READ, shapes={})) == "one"
    assert text(asked(runs, provider, CacheMode.READ, shapes={})) == "two"


def test_a_model_that_is_elsewhere_now_is_asked(runs: RunStore) -> None:
    provider = Scripted(["one", "two"])
    asked(runs, provider, CacheMode.READ)
    assert (
        text(asked(runs, provider, CacheMode.READ, shapes={MODEL: {**SHAPE, "address": "http://127.0.0.1:2"}})) == "two"
    )


CHANGES: dict[str, dict[str, Any]] = {
    "provider": {"model": ModelRef("other", "m")},
    "model": {"model": ModelRef("scripted", "m2")},
    "a message less": {"messages": REQUEST.messages[1:]},
    "the role": {"messages": (REQUEST.messages[0], Message("assistant", "hello\n"))},
    "the text": {"messages": (REQUEST.messages[0], Message("user", "hello"))},
    "the line end": {"messages": (REQUEST.messages[0], Message("user", "hello\r\n"))},
    "half of a character": {"messages": (REQUEST.messages[0], Message("user", "hello\n\ud83d"))},
    "a parameter": {"params": {"temperature": 0.6}},
    "no parameter": {"params": {}},
    "the schema": {"output_schema": {"type": "array"}},
    "no schema": {"output_schema": None},
    "a variable": {"variables": {"n": 1.5, "list": [{"x": 2}]}},
    "text for a number": {"variables": {"n": "1.5", "list": [{"x": 1}]}},
    "a number as written": {"variables": {"n": WrittenNumber("1.50"), "list": [{"x": 1}]}},
    "the repeat": {"repeat": 1},
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_key_holds_everything_that_shapes_the_answer(name: str) -> None:
    assert key_of(replace(REQUEST, **CHANGES[name]), SHAPE) != key_of(REQUEST, SHAPE)


def test_all_keys_differ() -> None:
    keys = [key_of(replace(REQUEST, **change), SHAPE) for change in CHANGES.values()]
    assert len({*keys, key_of(REQUEST, None), key_of(REQUEST, {})}) == len(CHANGES) + 2


def test_the_order_of_keys_shapes_nothing() -> None:
    turned = replace(REQUEST, variables={"list": [{"x": 1}], "n": 1.5})
    assert key_of(turned, dict(reversed(SHAPE.items()))) == key_of(REQUEST, SHAPE)
    assert key_of(REQUEST, SHAPE).startswith("sha256:")

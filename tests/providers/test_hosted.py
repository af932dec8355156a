"""Calls after the first two, which repeat a request of the SDK with another content: real SDKs over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from promptbench.core.types import Answer, ProviderFailure
from promptbench.providers import anthropic, azure_openai, openai
from tests.helpers import fake_anthropic, fake_openai as fake
from tests.helpers.asking import ask_for, context


class _FakeAzure(fake.FakeOpenAI):
    root = ""


@asynccontextmanager
async def _connected(module: Any, server: fake.FakeOpenAI) -> AsyncIterator[Any]:
    keys = {"OPENAI_API_KEY": "k", "AZURE_OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    model = module.SPEC.connect(
        "m-1",
        context(environ=keys, options={"base_url": server.base_url, "endpoint": server.base_url, "timeout": 0.3}),
    )
    try:
        yield model
    finally:
        await model.close()


async def _outcome(model: Any, text: str) -> Answer | tuple[object, ...]:
    try:
        answer: Answer = await model.complete(ask_for("x/m-1", text, params={"temperature": 0.5}))
    except ProviderFailure as error:
        return error.kind, error.message, error.status, error.retry_after, error.limits, error.refused
    return replace(answer, provider_ms=0, connect_ms=0, first_byte_ms=0)


@pytest.mark.parametrize(
    ("module", "kind"),
    [(openai, fake.FakeOpenAI), (azure_openai, _FakeAzure), (anthropic, fake_anthropic.FakeAnthropic)],
    ids=["openai", "azure_openai", "anthropic"],
)
def test_all_requests_have_the_head_that_the_sdk_gives_the_first(module: Any, kind: type[fake.FakeOpenAI]) -> None:
    async def call(server: fake.FakeOpenAI) -> None:
        async with _connected(module, server) as model:
            for number in range(4):
                await model.complete(ask_for("x/m-1", "long " * number + "text"))

    with kind() as server:
        asyncio.run(call(server))
    heads = [(it.method, it.path, {**it.headers, "content-length": ""}) for it in server.received]
    assert heads == heads[:1] * 4
    assert [str(it.body["messages"]).count("long") for it in server.received] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "step",
    [
        fake.answer("fine", model="other", choice={"finish_reason": "length"}),
        fake.Step(
            gzip.compress(fake.answer("packed").body),
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip", "x-ratelimit-limit-requests": "9"},
        ),
        fake.error(400, "temperature is not for this model"),
        fake.error(401),
        fake.error(429, headers={"Retry-After": "7", "x-ratelimit-limit-requests": "9"}),
        fake.error(307, headers={"Location": "http://127.0.0.1:1/"}),
        fake.as_json({"error": {"error": "inner"}}, status=500),
        fake.Step(b"{no", 500),
        fake.html(502),
        fake.html(),
        fake.Step(b"no", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}),
        fake.cut_off(),
        fake.hang_up(),
        fake.stall(),
    ],
)
def test_a_repeated_request_ends_as_the_first_would(step: fake.Step) -> None:
    async def both(server: fake.FakeOpenAI) -> list[object]:
        outcomes: list[object] = []
        for calls in (1, 4):
            async with _connected(openai, server) as model:
                outcomes.append([await _outcome(model, "hello") for _ in range(calls)][-1])
        return outcomes

    with fake.FakeOpenAI([step, "one", "two", "three", step]) as server:
        first, repeated = asyncio.run(both(server))
    assert repeated == first


def test_a_header_that_is_for_one_call_only_is_made_anew() -> None:
    async def call(server: fake.FakeOpenAI) -> None:
        async with _connected(openai, server) as model:
            model.open()._idempotency_header = "Idempotency-Key"
            for _ in range(4):
                await model.complete(ask_for("x/m-1"))

    with fake.FakeOpenAI() as server:
        asyncio.run(call(server))
    keys = [received.headers["idempotency-key"] for received in server.received]
    assert all(one != other for one, other in itertools.combinations(keys, 2))

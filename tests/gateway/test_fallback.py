"""A second model that is asked when the first one is disabled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from promptbench.core.types import ModelRef, ProviderFailure
from promptbench.gateway import Gateway, ModelDown, Reply
from tests.helpers.asking import ask_for
from tests.helpers.scripted import FATAL, REJECTED, TRANSIENT, Scripted

FIRST, SECOND = "scripted/first", "scripted/second"


def asked(
    first: Sequence[str | ProviderFailure], second: Sequence[str | ProviderFailure], count: int
) -> tuple[list[Reply | ModelDown], Scripted, list[str]]:
    """So many requests, one after another."""
    other = Scripted(second)
    notices: list[str] = []

    async def run() -> list[Reply | ModelDown]:
        providers = {FIRST: Scripted(first), SECOND: other}
        gateway = Gateway(providers, retries=1, notice=notices.append, random=lambda: 0.0)
        found: list[Reply | ModelDown] = []
        for _ in range(count):
            try:
                found.append(await gateway.call(ask_for(FIRST), ModelRef.parse(SECOND)))
            except ModelDown as down:
                found.append(down)
        return found

    return asyncio.run(run()), other, notices


def test_it_is_asked_only_when_the_model_is_given_up() -> None:
    replies, other, notices = asked(["fine", TRANSIENT], ["other"], 8)
    texts = [reply.answer.text if isinstance(reply, Reply) and reply.answer else None for reply in replies]
    assert texts == ["fine", None, None, None, None, "other", "other", "other"]
    assert other.calls == 3
    assert notices == [
        f"{FIRST} is disabled for this run: busy",
        f"calling {SECOND} instead of {FIRST}; its answers are shown and prove nothing",
    ]


def test_its_reply_says_whose_it_is_and_what_was_tried_before() -> None:
    (reply,), _, _ = asked([FATAL], [TRANSIENT, "other"], 1)
    assert isinstance(reply, Reply)
    assert (reply.fallback, reply.failure, reply.tries) == (ModelRef.parse(SECOND), FATAL, 3)
    assert reply.answer is not None
    assert [failed.message for failed in reply.failed_tries] == ["key refused", "busy"]


def test_a_request_that_it_refuses_is_errored() -> None:
    replies, _, _ = asked([FATAL], [REJECTED], 2)
    assert all(isinstance(reply, Reply) and reply.answer is None and reply.fallback for reply in replies)
    assert [reply.failure.message for reply in replies if isinstance(reply, Reply) and reply.failure] == [
        "key refused",
        f"{FIRST} is disabled for this run: key refused",
    ]


def test_when_both_are_given_up_it_is_said_of_the_first() -> None:
    replies, other, _ = asked([FATAL], [FATAL], 3)
    assert isinstance(replies[0], Reply)
    assert [str(down) for down in replies[1:]] == [f"{FIRST} is disabled for this run: key refused"] * 2
    assert other.calls == 1


@pytest.mark.parametrize("first", [["fine"], [REJECTED]])
def test_a_model_that_is_there_speaks_for_itself(first: list[str | ProviderFailure]) -> None:
    replies, other, _ = asked(first, ["other"], 3)
    assert all(isinstance(reply, Reply) and reply.fallback is None for reply in replies)
    assert other.calls == 0

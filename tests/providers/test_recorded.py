"""Recorded answers: found by the request as the original model would have been asked."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from promptbench.core.canonical import digest
from promptbench.core.types import Answer, FailureKind, ModelRef, ProviderFailure
from promptbench.providers import recorded
from tests.helpers.asking import ask_for, context

MODEL = "openai/org/gpt-5"


class Kept:
    """Recordings in memory, as the store keeps them."""

    def __init__(self, answers: dict[str, Answer], deterministic: bool) -> None:
        self._answers = answers
        self._deterministic = deterministic

    def find(self, request_hash: str) -> tuple[Answer, bool] | None:
        found = self._answers.get(request_hash)
        return (found, self._deterministic) if found else None

    def deterministic(self, model: str) -> bool | None:
        return self._deterministic if model == MODEL and self._answers else None

    def has_logged(self, model: str) -> bool:
        return False

    def logged(self, model: str, messages: object, variables: object) -> None:
        return None


def kept(deterministic: bool = True) -> Kept:
    original = ask_for(MODEL, params={"temperature": 0})
    return Kept({digest(original.as_dict()): Answer("kept", "gpt-5-2026", provider_ms=250.0)}, deterministic)


def ask(recordings: Kept | None, text: str = "hello", repeat: int = 0) -> Answer:
    request = ask_for(f"recorded/{MODEL}", text, params={"temperature": 0}, repeat=repeat)
    return asyncio.run(recorded.SPEC.connect(MODEL, context(recordings=recordings)).complete(request))


def test_answers_as_the_model_did() -> None:
    answer = ask(kept())
    assert dataclasses.asdict(answer) == dataclasses.asdict(
        Answer("kept", "gpt-5-2026", provider_ms=250.0, recorded=True)
    )


@pytest.mark.parametrize(("text", "repeat"), [("changed", 0), ("hello", 1)])
def test_another_request_has_no_answer(text: str, repeat: int) -> None:
    with pytest.raises(ProviderFailure, match=f"no recording of {MODEL}") as caught:
        ask(kept(), text, repeat)
    assert caught.value.kind is FailureKind.REJECTED


def test_without_recordings_nothing_is_answered() -> None:
    with pytest.raises(ProviderFailure, match="no recording"):
        ask(None)


@pytest.mark.parametrize("deterministic", [True, False])
def test_is_as_deterministic_as_what_was_recorded(deterministic: bool) -> None:
    provider = recorded.SPEC.connect(MODEL, context(recordings=kept(deterministic)))
    assert provider.deterministic({}) is deterministic


def test_a_model_without_recordings_is_told() -> None:
    assert recorded.SPEC.problems(MODEL, context(recordings=kept())) == []
    for recordings in (None, Kept({}, True)):
        (problem,) = recorded.SPEC.problems(MODEL, context(recordings=recordings))
        assert problem.code == "UNKNOWN_MODEL"
        assert problem.hint == f"run the suite once with {MODEL} itself, or import a log with its answers"


@pytest.mark.parametrize("name", ["gpt-5", "openai/", "/x"])
def test_a_name_without_provider_is_told(name: str) -> None:
    (problem,) = recorded.SPEC.problems(name, context(recordings=kept()))
    assert problem.code == "UNKNOWN_MODEL"
    assert "recorded/openai/gpt-5.4-mini" in (problem.hint or "")


def test_the_recorded_model_is_split_at_the_first_slash() -> None:
    assert ModelRef.parse(MODEL) == ModelRef("openai", "org/gpt-5")

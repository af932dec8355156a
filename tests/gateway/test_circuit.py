"""The states of a circuit breaker, as arithmetic; what becomes of requests is in test_outage."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, strategies as st

from promptbench.core.types import FailureKind, ProviderFailure
from promptbench.gateway.model_state import LONGEST_REST, CancellableSleep, Circuit, ModelDown
from tests.helpers.scripted import FATAL, REJECTED, TRANSIENT


def make(patience: float = 300.0, *, proven: bool = True) -> tuple[Circuit, list[str]]:
    notices: list[str] = []
    circuit = Circuit("a/m", patience=patience, rests=CancellableSleep(asyncio.sleep), notice=notices.append)
    if proven:
        circuit.answered()
    return circuit, notices


def fail(
    circuit: Circuit,
    failure: ProviderFailure = TRANSIENT,
    *,
    now: float = 0.0,
    request: object = None,
    tries: int = 1,
    last: bool = True,
    hopeless: bool = False,
) -> None:
    circuit.failed(failure, now, request=request or object(), tries=tries, last=last, hopeless=hopeless)


def test_a_request_out_of_tries_is_enough_when_nobody_is_answered() -> None:
    circuit, _ = make()
    request = object()
    for number in range(1, 5):
        fail(circuit, request=request, tries=number, last=False)
    assert not circuit.open
    fail(circuit, request=request, tries=5)
    assert circuit.open


def test_a_request_out_of_tries_is_no_sign_when_another_was_answered() -> None:
    circuit, _ = make()
    request = object()
    fail(circuit, request=request, tries=1, last=False)
    circuit.answered()
    for number in range(2, 6):
        fail(circuit, request=request, tries=number, last=number == 5)
    assert not circuit.open


def test_tries_are_left_a_while() -> None:
    circuit, _ = make()
    for _ in range(10):
        fail(circuit, now=100.0, last=False)
    fail(circuit, now=109.0, last=False)
    assert not circuit.open
    fail(circuit, now=110.0, last=False)
    assert circuit.open


def test_an_answer_closes_it() -> None:
    circuit, notices = make()
    fail(circuit)
    assert circuit.open
    circuit.answered()
    assert (circuit.open, notices) == (False, [])


def test_rejected_requests_say_nothing() -> None:
    circuit, _ = make(proven=False)
    for _ in range(100):
        fail(circuit, REJECTED)
    circuit.check()
    assert not circuit.open


@pytest.mark.parametrize(("patience", "proven"), [(0.0, True), (300.0, False), (0.0, False)])
def test_five_requests_without_answer_end_what_is_not_waited_for(patience: float, proven: bool) -> None:
    circuit, notices = make(patience, proven=proven)
    for _ in range(4):
        fail(circuit)
    circuit.check()
    fail(circuit)
    with pytest.raises(ModelDown, match="busy"):
        circuit.check()
    assert notices == ["a/m is disabled for this run: busy"]


def test_a_fatal_failure_ends_it_open_or_not() -> None:
    for failures in (0, 5):
        circuit, _ = make()
        for _ in range(failures):
            fail(circuit)
        fail(circuit, FATAL, hopeless=True)
        assert (circuit.open, circuit.reason) == (False, "key refused")


def test_the_user_hears_of_an_outage_once_it_is_one() -> None:
    circuit, notices = make()
    for _ in range(2):
        for _ in range(5):
            fail(circuit)
        circuit.answered()
    assert notices == [], "the first probe was answered"
    for _ in range(5):
        fail(circuit, now=0.0)
    for second in (2.0, 5.0, 10.0):
        circuit.probe_failed(TRANSIENT, second)
    circuit.answered()
    assert notices == [
        "a/m does not answer: busy; trying again every 30 s or sooner, up to 5 min (outage-minutes)",
        "a/m answers again",
    ]


@given(st.lists(st.floats(0, 0.999), max_size=60), st.floats(60, 3600))
def test_rests_grow_are_bounded_and_the_last_is_at_the_end_of_the_patience(
    jitters: list[float], patience: float
) -> None:
    circuit, _ = make(patience)
    for _ in range(5):
        fail(circuit)
    now, ceiling = 0.0, 2.0
    for jitter in jitters:
        rest = circuit.rest(jitter, now)
        assert min(ceiling / 2, patience - now) <= rest <= min(ceiling, LONGEST_REST)
        now += rest
        circuit.probe_failed(TRANSIENT, now)
        ceiling = min(2 * ceiling, LONGEST_REST)
        if circuit.reason is not None:
            assert now >= patience
            return
    assert now < patience


@pytest.mark.parametrize(("asked", "opens"), [(299.0, True), (301.0, False)])
def test_a_wait_that_is_asked_for_is_granted_within_the_patience(asked: float, opens: bool) -> None:
    circuit, _ = make()
    failure = ProviderFailure(FailureKind.RATE_LIMIT, "slow down", retry_after=asked)
    fail(circuit, failure, hopeless=True)
    assert circuit.open is opens
    assert circuit.open or circuit.reason == "slow down"
    if opens:
        assert circuit.rest(0.0, 0.0) == asked


def test_a_probe_that_is_told_to_come_after_the_end_is_the_last() -> None:
    circuit, _ = make()
    for _ in range(5):
        fail(circuit)
    circuit.probe_failed(ProviderFailure(FailureKind.RATE_LIMIT, "slow down", retry_after=290.0), 20.0)
    assert circuit.reason == "no answer for 5 min: slow down"

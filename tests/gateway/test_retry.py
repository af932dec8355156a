"""The retry policy, as pure arithmetic."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from promptbench.core.types import FailureKind, ProviderFailure
from promptbench.gateway.gateway import LONGEST_DELAY, LONGEST_WAIT_ASKED, RetryPolicy

KINDS = st.sampled_from(FailureKind)


def failed(kind: FailureKind, retry_after: float | None = None) -> ProviderFailure:
    return ProviderFailure(kind, "no", retry_after=retry_after)


@pytest.mark.parametrize(("failures", "ceiling"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (9, 8.0)])
def test_the_ceiling_doubles_up_to_eight_seconds(failures: int, ceiling: float) -> None:
    policy = RetryPolicy(100, lambda: 1.0)
    assert policy.delay(failed(FailureKind.TRANSIENT), failures, proven=True, elapsed=0) == ceiling


def test_jitter_is_full() -> None:
    assert RetryPolicy(4, lambda: 0.0).delay(failed(FailureKind.TRANSIENT), 4, proven=True, elapsed=0) == 0.0


@pytest.mark.parametrize("kind", [FailureKind.REJECTED, FailureKind.FATAL])
def test_some_failures_are_never_retried(kind: FailureKind) -> None:
    assert RetryPolicy(4, lambda: 1.0).delay(failed(kind), 1, proven=True, elapsed=0) is None


def test_retries_are_counted() -> None:
    policy = RetryPolicy(2, lambda: 1.0)
    delays = [policy.delay(failed(FailureKind.TRANSIENT), n, proven=True, elapsed=0) for n in (1, 2, 3)]
    assert delays == [0.5, 1.0, None]


def test_a_server_that_never_answered_gets_fewer_chances() -> None:
    policy = RetryPolicy(4, lambda: 1.0)
    transient, limited = failed(FailureKind.TRANSIENT), failed(FailureKind.RATE_LIMIT)
    assert policy.delay(transient, 2, proven=False, elapsed=0) == 1.0
    assert policy.delay(transient, 3, proven=False, elapsed=0) is None
    assert policy.delay(transient, 1, proven=False, elapsed=11) is None
    assert policy.delay(limited, 3, proven=False, elapsed=11) == 2.0


@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMIT, FailureKind.TRANSIENT])
def test_a_wait_that_is_asked_for_is_kept(kind: FailureKind) -> None:
    policy = RetryPolicy(4, lambda: 1.0)
    assert policy.delay(failed(kind, 30.0), 1, proven=True, elapsed=0) == 30.0
    assert policy.delay(failed(kind, 0.0), 1, proven=True, elapsed=0) == 0.5
    assert policy.delay(failed(kind, LONGEST_WAIT_ASKED + 1), 1, proven=True, elapsed=0) is None
    assert policy.hopeless(failed(kind, LONGEST_WAIT_ASKED + 1))
    patient = RetryPolicy(4, lambda: 1.0, longest_wait=300)
    assert patient.delay(failed(kind, 90.0), 1, proven=False, elapsed=0) == 90.0
    assert patient.hopeless(failed(kind, 301.0))


@given(KINDS, st.none() | st.floats(0, 1e6), st.integers(1, 1000), st.booleans(), st.floats(0, 1e6), st.floats(0, 1))
def test_a_delay_is_bounded(
    kind: FailureKind, asked: float | None, failures: int, proven: bool, elapsed: float, jitter: float
) -> None:
    delay = RetryPolicy(1000, lambda: jitter).delay(failed(kind, asked), failures, proven=proven, elapsed=elapsed)
    if delay is not None:
        assert math.isfinite(delay)
        assert max(0.0, asked or 0.0) <= delay <= max(LONGEST_DELAY, LONGEST_WAIT_ASKED)

from __future__ import annotations

from dataclasses import replace

import pytest

from promptbench.core.types import MeasuredCall, Usage
from promptbench.workflows.measure.measured_calls import contrasts, rate, spread, summed

CALL = MeasuredCall("m", 0, "c", 0.0, 1.0, 110.0, 10.0, 1, 100.0, usage=Usage(30, 20, 15))


def calls(times: list[float], model: str = "m") -> list[MeasuredCall]:
    return [replace(CALL, model=model, number=number, latency_ms=time) for number, time in enumerate(times)]


def test_a_model_summed_up() -> None:
    failed = replace(CALL, error="no", tries=3, provider_ms=None, usage=None, latency_ms=9000.0)
    found = summed("m", [*calls([100.0 + n for n in range(9)]), replace(CALL, tries=2), failed], uses_prompt=True)
    assert (found.calls, found.answered, found.errors) == (11, 10, {"no": 1})
    assert found.retried is not None
    assert found.retried.value == pytest.approx(2 / 11)
    assert found.latency is not None
    assert found.latency.p99.value < 111
    assert (found.input_tokens, found.output_tokens, found.cached_share) == (30, 20, 0.5)
    assert found.tokens_per_second is not None
    assert found.tokens_per_second.p50.value == 200
    assert found.first_token is None
    assert found.late_p99 == 1.0
    assert [(size.least, size.most, size.calls) for size in found.by_output_tokens] == [(16, 31, 10)]


def test_what_a_log_does_not_tell_is_not_there() -> None:
    found = summed("m", calls([100.0] * 40), uses_prompt=True, logged=True)
    assert (found.retried, found.queue, found.provider, found.late_p99) == (None, None, None, None)


def test_no_answers_no_times() -> None:
    found = summed("m", [replace(CALL, error="no")], uses_prompt=False)
    assert (found.latency, found.tokens_per_second, found.input_tokens, found.cached_share) == (None, None, None, None)
    assert summed("m", [], uses_prompt=True).errored.high == 1.0
    assert spread([]) is None


def test_each_two_models_the_faster_first() -> None:
    models = [
        summed(name, calls([time + n % 5 for n in range(60)], name), uses_prompt=True)
        for name, time in (("slow", 300.0), ("fast", 100.0), ("middle", 200.0))
    ]
    silent = summed("silent", [replace(CALL, model="silent", error="no")], uses_prompt=True)
    found = list(contrasts([*models, silent]))
    assert [(item.faster, item.slower) for item in found] == [("fast", "slow"), ("middle", "slow"), ("fast", "middle")]
    assert found[0].p50 is not None
    assert found[0].p50.value == pytest.approx(302 / 102)


def test_a_rate_has_its_exact_interval() -> None:
    found = rate(0, 20)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.168, abs=0.001)

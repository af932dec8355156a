"""Sums over the calls of a measurement by model: figures with their intervals, ratios, drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from promptbench.core.measured import MeasuredCall
from promptbench.metrics.latency import ENOUGH, Latency, by_tokens, quantile
from promptbench.stats.beta import clopper_pearson
from promptbench.stats.quantiles import Interval, deviation_interval, quantile_interval, ratio_interval
from promptbench.workflows.judge.figures.latency import token_times
from promptbench.workflows.measure.bench_report import Contrast, Figure, MeasuredModel, Spread

_UNKNOWN = -1
# Calls that drift needs: with fewer, a third of them is too small.
_DRIFT_LEAST = 30
# Errors are equal if they agree in this many characters.
_ERROR = 200


def spread(values: Sequence[float]) -> Spread | None:
    """Return the quantiles, deviation and mean of some values with their intervals; None without values."""
    latency = Latency.of(values)
    if latency is None:
        return None
    ordered = sorted(values)

    def figure(share: float) -> Figure:
        return _figure(quantile_interval(ordered, quantile(ordered, share), share))

    return Spread(
        count=latency.count,
        few=latency.count < ENOUGH,
        p50=figure(0.5),
        p90=figure(0.9),
        p95=figure(0.95),
        p99=figure(0.99),
        deviation=_figure(deviation_interval(ordered, latency.deviation)),
        mean=latency.mean,
    )


def rate(events: int, total: int) -> Figure:
    """Return a share of calls with its exact interval (Clopper and Pearson 1934)."""
    return Figure(events / total if total else 0.0, *clopper_pearson(events, total))


def summed(model: str, calls: Sequence[MeasuredCall], *, uses_prompt: bool, logged: bool = False) -> MeasuredModel:
    """Return the figures of one model without its costs. Calls from a log have no queue and no tries."""
    answered = [call for call in calls if call.error is None]
    times = [call.latency_ms for call in answered]
    took = [call.provider_ms or 0.0 for call in answered]
    usages = [call.usage for call in answered if call.usage]
    given = sum(usage.input_tokens for usage in usages)
    errors = Counter((call.error or "")[:_ERROR] for call in calls if call.error is not None)
    return MeasuredModel(
        model=model,
        uses_prompt=uses_prompt,
        calls=len(calls),
        answered=len(answered),
        errored=rate(len(calls) - len(answered), len(calls)),
        retried=None if logged else rate(sum(call.tries > 1 for call in calls), len(calls)),
        errors=dict(errors.most_common()),
        latency=spread(times),
        provider=None if logged else spread(took),
        queue=None if logged else spread([call.queue_ms for call in answered]),
        first_token=spread([call.first_token_ms for call in answered if call.first_token_ms is not None]),
        tokens_per_second=spread(list(_speeds(answered))),
        by_input_tokens=token_times(by_tokens(took, [_tokens(call, "input_tokens") for call in answered])),
        by_output_tokens=token_times(by_tokens(took, [_tokens(call, "output_tokens") for call in answered])),
        input_tokens=given / len(usages) if usages else None,
        output_tokens=sum(usage.output_tokens for usage in usages) / len(usages) if usages else None,
        cached_share=sum(usage.cached_tokens or 0 for usage in usages) / given if given else None,
        late_p99=None if logged else _late(calls),
    )


def contrasts(models: Sequence[MeasuredModel]) -> Iterator[Contrast]:
    """Yield a contrast of each two models, by their latency."""
    for one, other in combinations((model for model in models if model.latency), 2):
        assert one.latency is not None
        assert other.latency is not None
        fast, slow = (one, other) if one.latency.p50.value <= other.latency.p50.value else (other, one)
        assert fast.latency is not None
        assert slow.latency is not None
        yield Contrast(
            faster=fast.model,
            slower=slow.model,
            p50=_ratio(slow.latency.p50, fast.latency.p50),
            p90=_ratio(slow.latency.p90, fast.latency.p90),
            p99=_ratio(slow.latency.p99, fast.latency.p99),
        )


def _tokens(call: MeasuredCall, kind: str) -> int:
    return int(getattr(call.usage, kind)) if call.usage else _UNKNOWN


def _speeds(answered: Sequence[MeasuredCall]) -> Iterator[float]:
    """Yield output tokens per second of the provider's time."""
    for call in answered:
        if call.usage and call.usage.output_tokens and call.provider_ms:
            yield call.usage.output_tokens / call.provider_ms * 1000


def _late(calls: Sequence[MeasuredCall]) -> float | None:
    late = Latency.of([call.late_ms for call in calls])
    return late.p99 if late else None


def _ratio(above: Figure, below: Figure) -> Figure | None:
    found = ratio_interval(_interval(above), _interval(below))
    return _figure(found) if found else None


def _interval(figure: Figure) -> Interval:
    return Interval(figure.value, figure.low, figure.high)


def _figure(interval: Interval) -> Figure:
    return Figure(interval.value, interval.low, interval.high)

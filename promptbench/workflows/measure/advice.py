"""Costs of measured models, comparison of models with and without a prompt, and a recommendation."""

from collections.abc import Iterator, Sequence
from itertools import product
from math import inf
from statistics import fmean

from promptbench.core.types import MeasuredCall
from promptbench.core.words import number_of, percent
from promptbench.metrics.pareto import front
from promptbench.report.words import duration, money, times
from promptbench.stats.quantiles import Interval
from promptbench.workflows.measure.bench_report import Advice, Costs, MeasuredModel

_NAMED = 3
# The share of calls without an answer from which a model is not advised, as from which the gate gives no verdict.
_MOST_UNANSWERED = 0.02
# A p99 is worth a sentence from this multiple of another model's on.
_LONG_TAIL = 2.0


def costs(
    calls: Sequence[MeasuredCall], *, per_month: int | None, examples: float | None, input_price: float | None
) -> Costs:
    """Return the mean cost of the answered calls; unknown if the cost of one call is unknown.

    `examples` is the share of the input tokens that the prompt's examples take, `input_price` the price of one token.
    """
    answered = [call for call in calls if call.error is None]
    known = [call.cost for call in answered if call.cost is not None]
    if not known or len(known) < len(answered):
        return Costs(None, None, None, None)
    each = fmean(known)
    given = [call.usage.input_tokens for call in answered if call.usage]
    share = None
    if examples is not None and input_price is not None and given and each > 0:
        share = min(1.0, examples * fmean(given) * input_price / each)
    return Costs(each, each * 1000, None if per_month is None else each * per_month, share)


def beside_own(models: Sequence[MeasuredModel]) -> Iterator[str]:
    """Compare each model that uses the prompt with each that does not: the ratios of their times and costs."""
    answering = [model for model in models if model.latency]
    for own, model in product(answering, repeat=2):
        if own.uses_prompt or not model.uses_prompt:
            continue
        parts = []
        if _p50(own) > 0:
            parts.append(_as_much(_p50(model) / _p50(own), "as long", "as fast"))
        if model.costs.each is not None and own.costs.each:
            parts.append(_as_much(model.costs.each / own.costs.each, "the price", "cheaper"))
        if parts:
            yield f"{model.model} compared with {own.model}: {', '.join(parts)} a call"


def _as_much(ratio: float, more: str, less: str) -> str:
    return f"{times(ratio)} times {more}" if ratio >= 1 or not ratio else f"{times(1 / ratio)} times {less}"


def advise(models: Sequence[MeasuredModel], hint: str = "") -> Advice:
    """Return the Pareto front and a recommendation with its reasons; no recommendation if accuracy is unknown.

    The criteria are price and p50, and the share of right answers if it is known for every model. A model whose
    interval reaches the best share counts as equally good; of these the cheapest is recommended, then the fastest.
    Models with too many calls without an answer are left out. `hint` is appended where accuracy is missing: how to
    measure it.
    """
    answering = [model for model in models if model.latency]
    there = [model for model in answering if not _unreliable(model)]
    left_out = [
        f"{model.model} is left out: {model.calls - model.answered} of {number_of(model.calls, 'call')} got no answer"
        for model in answering
        if _unreliable(model)
    ]
    priced = bool(there) and all(model.costs.each is not None for model in there)
    judged = bool(there) and all(model.accuracy is not None for model in there)
    by = [*(["accuracy"] if judged else []), *(["cost"] if priced else []), "latency"]
    on_front = front({model.model: _point(model, judged=judged, priced=priced) for model in there})
    if len(there) < 2:
        return Advice(by, on_front, None, left_out)
    listed = f"both {by[0]} and {by[1]}" if len(by) == 2 else f"all of {', '.join(by)}"
    sentences = [f"not beaten in {listed}: {', '.join(on_front)}"] if len(by) > 1 else []
    sentences += left_out
    sentences += _gaps(there, hint, priced=priced, judged=judged)
    if not judged:
        return Advice(by, on_front, None, [*sentences, *_extremes(there, priced=priced), *_tail(there)])
    chosen, why = _choice(there, priced=priced)
    return Advice(
        by, on_front, chosen.model, [*sentences, f"recommended: {chosen.model}: {why}", *_tail(there, chosen)]
    )


def _unreliable(model: MeasuredModel) -> bool:
    return model.calls - model.answered > max(1, _MOST_UNANSWERED * model.calls)


def _tail(models: Sequence[MeasuredModel], chosen: MeasuredModel | None = None) -> Iterator[str]:
    """Warn of the p99 of the chosen model, by default the fastest, if that of one with a longer p50 is far shorter."""
    chosen = chosen or min(models, key=_p50)
    steady = min((model for model in models if _p50(model) >= _p50(chosen)), key=_p99)
    if _p99(chosen) >= _LONG_TAIL * _p99(steady):
        yield (
            f"the slowest calls of {chosen.model} take long: p99 {duration(_p99(chosen))}, "
            f"{duration(_p99(steady))} for {steady.model}"
        )


def _point(model: MeasuredModel, *, judged: bool, priced: bool) -> list[float]:
    wrong = [1.0 - model.accuracy.share.value] if judged and model.accuracy else []
    cost = [model.costs.each or 0.0] if priced else []
    return [*wrong, *cost, _p50(model)]


def _gaps(models: Sequence[MeasuredModel], hint: str, *, priced: bool, judged: bool) -> Iterator[str]:
    if not priced:
        unpriced = [model.model for model in models if model.costs.each is None]
        yield f"cost is left out, because it is unknown for {_named(unpriced)}"
    if not judged:
        unjudged = [model.model for model in models if model.accuracy is None]
        names, verb = _named(unjudged), "is" if len(unjudged) == 1 else "are"
        yield f"accuracy is left out, because it is unknown how often {names} {verb} right{hint}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else number_of(len(names), "model")


def _extremes(models: Sequence[MeasuredModel], *, priced: bool) -> Iterator[str]:
    """Name the fastest and the cheapest model, if accuracy is unknown."""
    fastest = min(models, key=_p50)
    if not priced:
        yield f"the fastest is {fastest.model}: p50 {duration(_p50(fastest))}"
        return
    cheapest = min(models, key=lambda model: (model.costs.each or 0.0, _p50(model)))
    if cheapest is fastest:
        yield f"{fastest.model} is the fastest and the cheapest; take it if it is right often enough"
        return
    yield (
        f"the fastest is {fastest.model}: p50 {duration(_p50(fastest))} at {money(fastest.costs.per_1000)} per 1,000; "
        f"the cheapest is {cheapest.model}: {money(cheapest.costs.per_1000)} per 1,000, p50 {duration(_p50(cheapest))}"
    )


def _choice(models: Sequence[MeasuredModel], *, priced: bool) -> tuple[MeasuredModel, str]:
    """Return the recommended model, and why."""
    best = max(models, key=lambda model: (_right(model).value, -_p50(model)))
    good = [model for model in models if (_right(model).high or 0.0) >= _right(best).value]
    chosen = min(good, key=lambda model: ((model.costs.each or 0.0) if priced else 0.0, _p50(model)))
    reasons = [f"right in {percent(_right(chosen).value)}"]
    if chosen is not best:
        reasons[0] += f", not significantly below the {percent(_right(best).value)} of {best.model}"
    elif len(good) == 1:
        reasons[0] += ", and no other model is as good"
    if priced:
        others = ", the cheapest of those as good" if len(good) > 1 else ""
        instead = f" instead of {money(best.costs.per_1000)}" if chosen is not best else others
        reasons.append(f"{money(chosen.costs.per_1000)} per 1,000{instead}")
    reasons.append(f"p50 {duration(_p50(chosen))}")
    return chosen, "; ".join(reasons)


def _right(model: MeasuredModel) -> Interval:
    assert model.accuracy is not None
    return model.accuracy.share


def _p50(model: MeasuredModel) -> float:
    return model.latency.p50.value if model.latency else inf


def _p99(model: MeasuredModel) -> float:
    return model.latency.p99.value if model.latency else inf

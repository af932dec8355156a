"""The models that are declared deterministic, and what repeated requests prove about them."""

from collections.abc import Iterator
from dataclasses import replace

from promptbench.engine.prepare.assemble import JUDGE_DEFAULTS
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.store.runs import RunInfo, RunStore

# A case that no prompt gets an answer to proves nothing about a model; of several, one usually does.
CASES_TO_CONFIRM = 3


def as_confirmed(prepared: PreparedSuite, runs: RunStore, info: RunInfo, *, ended: bool = True) -> PreparedSuite:
    """Return the suite with what the repeated requests of a run prove about models that are declared deterministic.

    All requests of the run that two tries answered count, so whoever judges it again finds the same. In a run that has
    `ended`, a model without one is not confirmed.
    """
    prepared = replace(prepared, confirmed={})
    silent = (model["model"] for model in info.facts["models"] if model.get("confirms")) if ended else ()
    known = runs.confirmed(info.id, [model.name for model in prepared.unconfirmed])
    return replace(prepared, confirmed={**dict.fromkeys(silent), **known})


def same_judges(prepared: PreparedSuite) -> frozenset[str]:
    """Return the deterministic judges."""
    return frozenset(
        str(ref)
        for check in prepared.judged_checks
        for ref in check.judges
        if prepared.judges[str(ref)].model.provider.deterministic(
            JUDGE_DEFAULTS if check.config is None else check.config
        )
    )


def varying_notes(prepared: PreparedSuite) -> Iterator[str]:
    """Yield which models are declared deterministic and are not."""
    for model in prepared.models:
        if not (same := prepared.confirmed.get(model.name, True)):
            why = "no request was answered twice" if same is None else "a repeated request got another answer"
            yield (
                f"{model.name} is declared deterministic, but {why}: in this run its answers count as varying, "
                f"and each case runs {prepared.suite.gate.repeats} times"
            )

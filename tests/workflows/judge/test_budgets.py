from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import InputError
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.project import Project
from promptbench.workflows.judge.budgets import Spending, estimate_calls
from tests.helpers.project import SUITE, V2

PRICES = '["openai/fake"]\ninput = 1\noutput = 2\n'


def opened(folder: Path, *, suite: str = SUITE, prices: str | None = PRICES) -> tuple[Project, PreparedSuite]:
    settings = '[providers.openai]\nbase_url = "http://127.0.0.1:9/v1"\n'
    if prices is not None:
        (folder / "prices.toml").write_text(prices)
        settings = 'prices = "prices.toml"\n' + settings
    (folder / "promptbench.toml").write_text(settings)
    (folder / "suites/triage").mkdir(parents=True)
    (folder / "suites/triage/suite.yaml").write_text(suite)
    (folder / "suites/triage/triage.better.prompt").write_text(V2)
    workspace = Project.open(folder, {})
    with workspace.prompts() as store:
        benches, _ = workspace.assemble(Selection(), store=store, runs=None)
    return workspace, benches[0]


@pytest.mark.parametrize(("written", "dollars"), [("$2", 2.0), ("2.50", 2.5), ("$ 0.1", 0.1), (None, None)])
def test_an_amount_as_people_write_it(written: str | None, dollars: float | None) -> None:
    assert Spending.read(written, 10, 1.5) == Spending(dollars, 10, 1.5)


@pytest.mark.parametrize("written", ["two", "-1", "€2", "", "nan"])
def test_what_is_no_amount(written: str) -> None:
    with pytest.raises(InputError, match="expected an amount of US dollars"):
        Spending.read(written, None, None)


def test_the_command_has_one_budget_and_a_suite_its_own_beside_it(tmp_path: Path) -> None:
    _, bench = opened(tmp_path, suite=SUITE.replace("{repeats: 3}", "{repeats: 3, max cost: $1}"))
    whole = Spending(max_calls=5).budget()
    own, shared = Spending(max_calls=5).budgets(whole, bench)
    assert (own.max_cost, shared) == (1.0, whole)


def test_a_flag_stands_for_what_the_suite_says(tmp_path: Path) -> None:
    _, bench = opened(tmp_path, suite=SUITE.replace("{repeats: 3}", "{repeats: 3, max cost: $1}"))
    spending = Spending(max_cost=3.0)
    assert spending.budgets(whole := spending.budget(), bench) == (whole,)
    assert whole.max_cost == 3.0


def test_a_bound_on_the_cost_needs_a_price(tmp_path: Path) -> None:
    workspace, bench = opened(tmp_path, prices=None)
    Spending(max_calls=5).check(workspace, [bench])
    with pytest.raises(InputError, match="the price of openai/fake is unknown") as caught:
        Spending(max_cost=1.0).check(workspace, [bench])
    assert "--max-calls" in str(caught.value.hint)


def test_a_known_price_is_what_the_bound_needs(tmp_path: Path) -> None:
    workspace, prepared = opened(tmp_path)
    Spending(max_cost=1.0).check(workspace, [prepared])
    estimate = estimate_calls(workspace, prepared)["openai/fake"]
    assert estimate.calls == 3 * 3
    assert estimate.cost == pytest.approx((estimate.input_tokens * 1 + estimate.output_tokens * 2) / 1e6)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from promptbench.core.types import Answer, ModelRef, Usage
from promptbench.gateway import Market, PriceFile, Prices

SMALL = Usage(1000, 100)


def answer(model: str, usage: Usage | None, *, ms: float = 0.0, recorded: bool = False) -> Answer:
    return Answer("x", model, usage=usage, provider_ms=ms, recorded=recorded)


def cost(model: str, usage: Usage | None = SMALL, *, returned: str = "", prices: Prices | None = None) -> float | None:
    return (prices or Prices(Market({}))).cost(ModelRef.parse(model), answer(returned, usage))


def test_the_list_knows_the_large_providers() -> None:
    assert cost("openai/gpt-4o", Usage(1000, 100)) == pytest.approx(0.0035)
    assert cost("openai/gpt-4o", Usage(1000, 100, cached_tokens=800)) == pytest.approx(0.0025)
    assert cost("anthropic/claude-haiku-4-5", Usage(1000, 100)) == pytest.approx(0.0015)


def test_a_deployment_is_priced_by_the_model_behind_it() -> None:
    assert cost("azure/our-deployment", returned="gpt-4o") == pytest.approx(0.0035)
    assert cost("azure/our-deployment") is None
    told = Prices(Market({}, behind={"azure_openai/triage-prod": "gpt-4o"}))
    deployment = ModelRef.parse("azure_openai/triage-prod")
    assert cost(str(deployment), prices=told) == pytest.approx(0.0035)
    assert cost(str(deployment), returned="triage-prod", prices=told) == pytest.approx(0.0035)
    assert told.of_tokens(deployment, SMALL) == pytest.approx(0.0035), "known before any answer, for budgets"
    assert told.of_tokens(ModelRef.parse("azure_openai/other"), SMALL) is None


def test_a_price_that_nobody_knows_is_none() -> None:
    assert cost("openai/never-heard-of") is None
    assert cost("nobody/gpt-4o") is None
    assert cost("openai/gpt-4o", None) is None, "no usage, no price"


def test_a_batch_has_its_own_price(tmp_path: Path) -> None:
    def by_batch(model: str, usage: Usage, prices: Prices | None = None) -> float | None:
        answered = replace(answer("", usage), by_batch=True)
        return (prices or Prices(Market({}))).cost(ModelRef.parse(model), answered)

    # The list has prices of batches for OpenAI, where cached input of this model costs as much as in a single call.
    assert by_batch("openai/gpt-4o", Usage(1000, 100)) == pytest.approx(0.0035 / 2)
    assert by_batch("openai/gpt-4o", Usage(1000, 100, cached_tokens=800)) == pytest.approx(0.00175)
    # None for Azure, and none in a file of one's own: half of the usual price.
    assert by_batch("azure_openai/gpt-4o", Usage(1000, 100)) == pytest.approx(0.0035 / 2)
    path = tmp_path / "p.toml"
    path.write_text('["anthropic/x"]\ninput = 1\noutput = 1\n')
    own = Prices(Market({}), PriceFile.read(path))
    assert by_batch("anthropic/x", Usage(1_000_000, 0), own) == 0.5
    assert own.of_tokens(ModelRef("anthropic", "x"), Usage(1_000_000, 0), by_batch=True) == 0.5
    assert by_batch("elsewhere/x", Usage(1000, 0)) is None


def test_another_server_has_its_own_prices() -> None:
    for address in ("http://127.0.0.1:8080/v1", "https://proxy.example/v1"):
        assert cost("openai/gpt-4o", prices=Prices(Market({"openai": address}))) is None
    there = Prices(Market({"openai": "https://api.openai.com/v1"}))
    assert cost("openai/gpt-4o", prices=there) == pytest.approx(0.0035)


def test_larger_inputs_may_cost_more_by_the_token() -> None:
    small, large = cost("google/gemini-2.5-pro", Usage(1000, 0)), cost("google/gemini-2.5-pro", Usage(400_000, 0))
    assert small is not None
    assert large is not None
    assert large / 400 > 1.5 * small


def test_the_projects_file_wins(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text('["openai/gpt-4o"]\ninput = 1\noutput = 0\n')
    prices = Prices(Market({"openai": "http://127.0.0.1/v1"}), PriceFile.read(path))
    assert cost("openai/gpt-4o", Usage(1_000_000, 5), prices=prices) == 1.0
    assert prices.facts()["file"] == "p.toml"
    assert prices.facts()["genai-prices"]


def test_a_local_model_costs_the_machine() -> None:
    model, given = ModelRef("gguf", "m"), answer("m", Usage(5, 5), ms=3_600_000.0)
    assert Prices(Market({}, frozenset({"gguf/m"}), 0.1)).cost(model, given) == pytest.approx(0.1)
    assert Prices(Market({}, frozenset({"gguf/m"}))).cost(model, given) is None


def test_what_is_not_asked_now_is_not_paid_now() -> None:
    prices = Prices(Market({}, replayed=frozenset({"recorded/openai/gpt-4o"})))
    assert prices.cost(ModelRef("openai", "gpt-4o"), answer("gpt-4o", Usage(5, 5), recorded=True)) is None
    assert prices.of_tokens(ModelRef.parse("recorded/openai/gpt-4o"), Usage(5, 5)) == 0.0

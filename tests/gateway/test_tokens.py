from __future__ import annotations

from promptbench.core.types import Usage
from promptbench.gateway import tokens
from promptbench.text.tokens import ASSUMED_OUTPUT
from tests.helpers.asking import ask_for


def test_four_characters_are_a_token() -> None:
    request = ask_for("a/b", "x" * 10, system="y" * 11, params={"maxOutputTokens": 7})
    assert tokens.estimate(request) == Usage(6, 7)
    assert tokens.estimate(ask_for("a/b", "")) == Usage(0, ASSUMED_OUTPUT)


def test_a_forecast_learns_from_answers_and_never_expects_less_than_the_estimate() -> None:
    forecast, open_ended = tokens.Forecast(), ask_for("a/b", "x" * 40)
    bounded = ask_for("a/b", "x" * 40, params={"maxOutputTokens": 7})
    assert forecast.expect(open_ended) == Usage(20, 500)
    forecast.learn(open_ended, Usage(30, 1000))
    assert forecast.expect(open_ended) == Usage(33, 1100)
    assert forecast.expect(bounded) == Usage(33, 7)
    forecast.learn(open_ended, Usage(1, 1))
    assert forecast.expect(open_ended) == Usage(33, 1100)
    cheap = tokens.Forecast()
    cheap.learn(open_ended, Usage(1, 1))
    assert cheap.expect(open_ended) == Usage(10, 500)

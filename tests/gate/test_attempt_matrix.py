from __future__ import annotations

from dataclasses import replace

from promptbench.core.types import Rung
from promptbench.gate.attempt_matrix import AttemptCell, AttemptMatrix
from tests.gate.kit import CANDIDATE, CHAMPION, MODEL, attempts


def cell(written: str) -> AttemptCell:
    return AttemptMatrix(attempts({"a": (written, "")})).cell(CHAMPION, MODEL, "a")


def test_counts() -> None:
    mixed = cell("+-x+")
    assert (mixed.total, mixed.passes, mixed.failures, mixed.errored) == (3, 2, 1, 1)
    assert (mixed.first(3).total, mixed.first(3).errored, mixed.first(2).errored) == (2, 1, 0)


def test_nothing_asked() -> None:
    empty = AttemptMatrix().cell(CHAMPION, MODEL, "a")
    assert (empty.total, empty.rung, empty.asked(0), empty.asked(1)) == (0, None, True, False)


def test_asked_counts_what_got_no_answer() -> None:
    assert cell("+x-").asked(3)
    assert not cell("+x-").asked(4)


def test_rung_is_the_middle_one_the_better_of_two() -> None:
    assert cell("+++:ren").rung is Rung.EXTRACTED
    assert cell("++:re").rung is Rung.RAW
    assert cell("+").rung is None


def test_an_answer_makes_up_for_an_error_in_any_order() -> None:
    failed, answered = [next(attempts({"a": (marks, "")})) for marks in ("x", "+")]
    for order in ((failed, answered), (answered, failed)):
        both = AttemptMatrix(order).cell(CHAMPION, MODEL, "a")
        assert (both.passes, both.errored) == (1, 0)


def test_cells_of_one_prompt_and_model() -> None:
    table = AttemptMatrix(attempts({"a": ("+", "-"), "b": ("-", "+")}))
    assert {case: found.passes for case, found in table.cells(CANDIDATE, MODEL)} == {"a": 0, "b": 1}
    assert list(table.cells(CANDIDATE, "other/model")) == []


def test_what_came_from_the_cache_is_counted_by_prompt_and_model() -> None:
    table = AttemptMatrix(attempts({"a": ("+", "-x"), "b": ("-", "+")}))
    assert table.cached(CANDIDATE, MODEL) == 0
    for attempt in attempts({"c": ("+", "-"), "d": ("x", "+")}):
        table.add(replace(attempt, tries=0))
    assert (table.cached(CHAMPION, MODEL), table.cached(CANDIDATE, MODEL)) == (1, 2)
    assert table.cached(CANDIDATE, "other/model") == 0

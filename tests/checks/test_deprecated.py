"""Old names of `expect` keep their scores: the values are those of the checks that they replaced."""

from __future__ import annotations

import pytest

from promptbench.checks import plugins
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json
from tests.helpers.subjects import score

ORDER = '{"order": {"items": [{"sku": "A-17", "n": 2}], "total": 9.5}, "customer": {"name": "Ada"}, "is": 1}'
SCORES: list[tuple[str, Json, str, float]] = [
    ("equals", {"a": 1, "b": [True]}, '{"b": [true], "a": 1.0}', 1),
    ("equals", "yes", " yes\n", 1),
    ("equals", "yes", "Yes", 0),
    ("equals", [], "[]", 1),
    ("equals", {}, "{}", 1),
    ("equals", None, "null", 1),
    ("equals", {"a": 1}, '{"a": 1, "b": 2}', 0),
    ("equals", {"a": {"b": 1}}, '{"a": {"b": 1, "c": 2}}', 0),
    ("equals", [1], "[1, 1]", 0),
    ("equals", {"is": "Café", "ignore": ["case", "accents"]}, "CAFE", 1),
    ("equals", {"is": {"team": "Billing"}, "ignore": "case"}, '{"team": "BILLING"}', 1),
    ("equals", {"Is": "a b", "IGNORE": "white space"}, "a\n b", 1),
    ("equals", {"is": "a"}, '{"is": "a"}', 1),
    ("equals", {"is": "a", "ignore": "case", "more": 1}, '{"is": "a", "ignore": "case", "more": 1}', 1),
    ("one of", ["a", "b"], " b\n", 1),
    ("one of", ["a", "b"], "a b", 0),
    ("one of", [1, True], "true", 1),
    ("one of", [" a "], "a", 1),
    ("one of", {"is": ["Billing", "Other"], "ignore": ["case", "punctuation"]}, "billing.", 1),
    ("one of", {"is": ["a", "7"], "at": "x.y"}, '{"x": {"y": 7}}', 1),
    ("one of", {"is": ["a", "7"], "at": "x.y"}, '{"x": {"y": "b"}}', 0),
    ("one of", {"is": ["a", "7"], "at": "x.y"}, '{"x": {}}', 0),
    ("one of", {"is": ["a", "7"], "at": "x.y"}, "a", 0),
    ("exact match", "Denver Broncos", "the Denver Broncos.", 1),
    ("exact match", "Denver Broncos", "Broncos", 0),
    ("exact match", ["Broncos", "Denver"], "denver", 1),
    ("exact match", "", "", 1),
    ("exact match", "", "Paris", 0),
    ("exact match", [], " The ... ", 1),
    ("exact match", ["", "Paris"], "paris", 1),
    ("exact match", ["", "Paris"], "", 0),
    ("exact match", 1912, "1912", 1),
    ("exact match", {"is": "Paris", "at": "answer"}, '{"answer": "Paris!"}', 1),
    ("exact match", {"is": "Paris", "ignore": "citations"}, "Paris [1]", 1),
    ("exact match", "Paris", "Paris [1]", 0),
    ("exact match", {"is": "", "ignore": "citations"}, " [1]", 1),
    ("exact match", {"is": "Paris", "ignore": "citations"}, "[Paris](here)", 0),
    ("fields", {"order.items[0].sku": "A-17", "customer.name": "Ada"}, ORDER, 1),
    ("fields", {"order.items[*].n": [2]}, ORDER, 1),
    ("fields", {"order.total": 9.5, "is": 1}, ORDER, 1),
    ("fields", {"customer": {"name": "Ada"}}, ORDER, 1),
    ("fields", {"is": {"customer.name": "ADA"}, "ignore": "case"}, ORDER, 1),
    ("fields", {"is": {"customer.name": "Ada", "order.total": 0}, "at least": 0.5}, ORDER, 0.5),
    ("fields", {"customer.name": "Bob", "order.total": 9.5}, ORDER, 0.5),
    ("fields", {"order.items[1].sku": "B"}, ORDER, 0),
    ("fields", {"order.items[0].n": "2"}, ORDER, 0),
    ("fields", {"is": {"a": 1, "b": 1, "c": 1, "d": 1, "is": 1}, "at least": "50%"}, ORDER, 0.2),
    ("fields", {"a": 1}, "a is 1", 0),
]


@pytest.mark.parametrize(("name", "argument", "text", "value"), SCORES)
def test_scores_stay(name: str, argument: Json, text: str, value: float) -> None:
    old = score(name, argument, text)
    assert (old.check, old.value) == (name, pytest.approx(value))
    assert old.passed == (value == 1 or (value == 0.5 and isinstance(argument, dict) and "at least" in argument))


@pytest.mark.parametrize(("name", "argument", "text", "value"), SCORES)
def test_what_the_warning_says_scores_the_same(name: str, argument: Json, text: str, value: float) -> None:
    spec = plugins.load(name)
    assert spec.replacement is not None
    [(new, replacement)] = spec.replacement(argument).items()
    old, now = score(name, argument, text), score(new, replacement, text)
    assert (old.passed, old.value, old.reason) == (now.passed, now.value, now.reason)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("equals", {"is": "a", "ignore": "cas"}),
        *(("one of", argument) for argument in ("a", [], None, [None], [{"a": 1}])),
        *(
            ("exact match", argument)
            for argument in (None, [None], [["a"]], {"at": "x"}, {"is": "a", "ignore": "case"})
        ),
        *(("fields", argument) for argument in (None, {}, "a", {"a..b": 1}, {"is": {}, "ignore": "case"})),
        ("fields", {"is": {"a": 1}, "x": 1}),
    ],
)
def test_refuses(name: str, argument: Json) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        plugins.load(name).build(argument, CheckContext(folder=None))  # type: ignore[arg-type]


def test_old_names_load_and_are_not_listed() -> None:
    old = {"equals", "exact_match", "fields", "one_of"}
    assert not old & set(plugins.names())
    assert all(name in plugins for name in old)

"""Which labels were taken for which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from promptbench.core.types import Json
from promptbench.report.document import Matrix
from promptbench.report.explorer import OTHER, UNREADABLE, WHOLE, Confusions
from promptbench.workflows.judge.run_report import run_report
from tests.report import kit
from tests.report.explored import attempt, case, explored


def matrices(pairs: Iterable[tuple[Json, str]], *, intents: frozenset[str] = frozenset()) -> list[Matrix]:
    attempts = run_report(kit.report(explored=explored(0))).attempts
    assert attempts is not None
    found = Confusions.of(replace(attempts, intents=intents))
    for number, (expected, answer) in enumerate(pairs):
        made = replace(attempt(number, kit.CANDIDATE, "m", 0, passed=True), answer=answer)
        again = replace(made, counted=False, answer='{"team": "again"}')
        production = replace(made, prompt=kit.CHAMPION, answer='{"team": "production"}')
        found.add(replace(case(number), expected=[expected], attempts=[made, again, production]))
    return found.matrices()


def test_each_expected_label_is_a_row_and_what_came_a_column() -> None:
    a, b = {"team": "a"}, {"team": "b"}
    answers = [(a, '{"team": "a"}'), (a, 'Sure:\n```json\n{"team": "b"}\n```'), (b, '{"team": "b", "x": 1}'), (b, "no")]
    [matrix] = matrices([*answers, (b, '{"team": "c"}')])
    assert matrix.title == "Confusion: team"
    assert matrix.about.startswith("triage.few-shot on m.")
    assert (matrix.expected, matrix.given) == (["a", "b"], ["a", "b", OTHER, UNREADABLE])
    assert matrix.counts == [[1, 1, 0, 0], [0, 1, 1, 1]]


def test_a_text_is_a_label_as_a_whole() -> None:
    [matrix] = matrices([("yes", " yes\n"), ("no", "yes"), ("yes", "no"), ("no", "no")])
    assert matrix.title == f"Confusion: {WHOLE}"
    assert matrix.counts == [[1, 1], [1, 1]]


def test_a_label_may_stand_deeper() -> None:
    wanted = {"intent": {"name": "a"}, "order": 5}
    other = {"intent": {"name": "b"}, "order": None}
    [matrix] = matrices([(wanted, '{"intent": {"name": "b"}}'), (other, "{}")] * 2)
    assert (matrix.title, matrix.counts) == ("Confusion: intent.name", [[0, 2, 0], [0, 0, 2]])


def test_what_differs_from_case_to_case_is_no_label() -> None:
    assert matrices([({"order": f"A-{number}"}, "{}") for number in range(60)]) == []
    assert matrices([({"order": f"A-{number}"}, "{}") for number in range(10)]) == []


def test_where_intents_are_known_only_they_are_looked_at() -> None:
    pairs: list[tuple[Json, str]] = [
        ({"intent": intent, "city": city}, '{"intent": "book"}') for intent, city in (("book", "Rome"), ("ask", "Bonn"))
    ] * 2
    assert [matrix.title for matrix in matrices(pairs)] == ["Confusion: intent", "Confusion: city"]
    [only] = matrices(pairs, intents=frozenset({"book", "ask", "oos"}))
    assert only.title == "Confusion: intent"

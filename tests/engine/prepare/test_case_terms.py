"""What a suite may set apart, and how that is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Code, Severity
from promptbench.engine.prepare.case_terms import max_quarantined
from tests.helpers.suites import HEAD, joined, loaded

LATER = "quarantine: {owner: Ops, reason: the model wavers, review by: 2999-12-31}"


def suite(count: int, apart: str = LATER, of: int = 1, tags: str = "") -> str:
    """So many cases, the first `of` them in quarantine."""
    rows = (
        f"  - {{case: c{n}, vars: {{message: hi {n}}}, expect: x{tags}{f', {apart}' if n < of else ''}}}\n"
        for n in range(count)
    )
    return HEAD + "cases:\n" + "".join(rows)


def test_what_it_says(tmp_path: Path) -> None:
    bench, found = joined(tmp_path, suite(2))
    assert not list(found)
    assert bench is not None
    quarantine = bench.cases.quarantined["c0"]
    assert (quarantine.owner, quarantine.reason, quarantine.review_by) == ("Ops", "the model wavers", "2999-12-31")
    assert list(bench.cases.quarantined) == ["c0"]


@pytest.mark.parametrize(
    ("apart", "message"),
    [
        ("quarantine: {reason: r, review by: 2999-12-31}", "'owner:' is missing"),
        ("quarantine: {owner: o, review by: 2999-12-31}", "'reason:' is missing"),
        ("quarantine: {owner: o, reason: r}", "'review by:' is missing"),
        ("quarantine: {owner: o, reason: r, review by: 31.12.2999}", "'review by': write a day as year-month-day"),
        ("quarantine: {owner: o, reason: r, review by: 2999-02-30}", "'review by': write a day as year-month-day"),
        ("quarantine: {owner: o, reason: r, review by: 29991231}", "'review by': write a day as year-month-day"),
        ("quarantine: {owner: o, reason: r, review by: 2999-12-31, until: x}", "unknown key 'until'"),
        ("quarantine: true", "'quarantine' must be 'name: value' lines, not true or false"),
    ],
)
def test_what_it_must_say(apart: str, message: str, tmp_path: Path) -> None:
    _, found = loaded(tmp_path, suite(1, apart))
    assert [item.message.startswith(message) for item in found] == [True], [item.message for item in found]
    assert next(iter(found)).location.line == 5


def test_the_last_day_is_told_and_the_day_after_warned_of(tmp_path: Path) -> None:
    _, found = joined(tmp_path, suite(1, LATER.replace("2999", "2020")))
    [item] = found
    assert (item.code, item.severity) == (Code.QUARANTINE, Severity.WARNING)
    assert item.message == "the quarantine of 'c0' expired on 2020-12-31, so nothing passes"
    assert item.location.text[item.location.column - 1 :].startswith("2020-12-31")


def test_a_critical_case_cannot_be_set_apart(tmp_path: Path) -> None:
    _, found = joined(tmp_path, suite(1, tags=", tags: critical"))
    assert [item.message for item in found.errors] == ["'c0' is critical, so it cannot be in quarantine"]


@pytest.mark.parametrize(("cases", "most"), [(1, 1), (20, 1), (39, 1), (40, 2), (100, 5)])
def test_how_many_may_be(cases: int, most: int, tmp_path: Path) -> None:
    assert max_quarantined(cases) == most
    assert not joined(tmp_path, suite(cases, of=most))[1].errors
    if cases > most:
        [item] = joined(tmp_path, suite(cases, of=most + 1))[1].errors
        assert item.message == f"{most + 1} of {cases} cases are in quarantine, expected at most {most}"
        assert item.location.line == 5 + most


def test_they_are_counted_of_the_whole_suite(tmp_path: Path) -> None:
    bench, found = joined(tmp_path, suite(40, of=2), cases=("c0", "c1"))
    assert not found.errors
    assert bench is not None
    assert len(bench.cases) == 2


@pytest.mark.parametrize("more", ["cluster: talk", "tags: critical", LATER, "repeats: 5", "only models: openai/fake"])
def test_how_the_gate_takes_a_case_is_part_of_the_suite_it_judged(more: str, tmp_path: Path) -> None:
    def hashes(text: str) -> set[str]:
        bench, _ = joined(tmp_path, text)
        assert bench is not None
        return {bench.suite_hash}

    plain, changed = (hashes(suite(2, apart)) for apart in ("note: n", more))
    assert plain != changed
    assert hashes(suite(2, "tags: other")) == plain

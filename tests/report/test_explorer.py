"""What a page holds of the cases of a run."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any

from promptbench.report.explorer import Explorer, explore
from promptbench.report.model import CaseAttempts, RunReport
from promptbench.report.templates import environment
from promptbench.workflows.judge.run_report import run_report
from tests.report import kit
from tests.report.explored import MODEL, Again, case, explored, report


def read(run: RunReport) -> Explorer:
    attempts = run_report(run).attempts
    assert attempts is not None
    template, prompts = environment().get_template("body.html"), {item.hash: item for item in attempts.prompts}
    return explore(attempts, lambda case: template.render(item=case, prompts=prompts))


def unpacked(packed: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def text(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


def test_everything_of_a_case_is_in_its_pack() -> None:
    found = read(report(11))
    assert list(found.packs) == ["index", "0"]
    pack = unpacked(found.packs["0"])
    wanted, got = case(10), text(pack[10])
    assert got.startswith(f"Input message {wanted.variables['message']} expected")
    for prompt, label in ((kit.CHAMPION, "triage@7 (production)"), (kit.CANDIDATE, "triage.few-shot (candidate)")):
        said = " ".join(f"{role} {content}" for role, content in wanted.asked[prompt])
        assert f"Messages of {label} {' '.join(said.split())}" in got
    for item in wanted.attempts:
        assert item.answer is not None
        assert " ".join(item.answer.split()) in got
        assert all(reason in got for reason in item.reasons)


def test_large_numbers_keep_their_digits() -> None:
    number = 123_456_789_012_345_678_901

    def made() -> Iterator[CaseAttempts]:
        yield replace(case(10), variables={"order": number}, expected=[{"order": number}])

    found = read(kit.report(explored=replace(explored(0), cases=Again(made))))
    assert f'order {number} expected {{ "order": {number} }}' in text(unpacked(found.packs["0"])[0])


def test_the_index_has_a_line_for_each_case_on_each_model() -> None:
    found = read(report(450))
    index = unpacked(found.packs["index"])
    assert index["packs"] == [200, 200, 50]
    assert len(index["names"]) == 450
    lines = list(zip(index["case"], index["model"], index["state"], index["now"], index["nowOf"], strict=True))
    assert len(lines) == 900
    place, model = 9, index["models"].index(MODEL)
    [(state, now, of)] = [line[2:] for line in lines if line[:2] == (place, model)]
    assert (index["states"][state], now, of) == ("still failing", 0, 3)
    assert index["judged"][model] == 1


def test_tries_that_were_asked_because_of_a_failure_have_no_part_in_the_times() -> None:
    found = read(report(6))
    assert len(found.times["triage@7", MODEL]) == 6


def test_a_text_that_is_too_long_is_cut_with_a_note() -> None:
    def made() -> Iterator[CaseAttempts]:
        long = "x" * 50_000_000 + "end"
        yield replace(case(10), attempts=[replace(case(10).attempts[0], answer=long)])

    found = read(kit.report(explored=replace(explored(0), cases=Again(made))))
    [shown] = unpacked(found.packs["0"])
    assert len(shown) < 100_000
    assert "[49,960,003 characters left out; the run record has them]" in shown
    assert "xend" in shown

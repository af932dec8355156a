"""What a page holds of the cases of a run."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from promptbench.report.explorer import Explorer, explore
from promptbench.report.model import CaseAttempts, RunReport
from promptbench.workflows.judge.run_report import run_report
from tests.report import kit
from tests.report.explored import MODEL, Again, case, explored, report


def read(run: RunReport) -> Explorer:
    attempts = run_report(run).attempts
    assert attempts is not None
    return explore(attempts)


def unpacked(packed: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_everything_of_a_case_is_in_its_pack() -> None:
    found = read(report(3))
    [pack] = map(unpacked, found.packs)
    texts, cases = pack["texts"], pack["cases"]
    wanted = case(1)
    got = cases[1]
    asked = {prompt: [(role, texts[text]) for role, text in messages] for prompt, messages in got["asked"].items()}
    assert asked == {"0": wanted.asked[kit.CHAMPION], "1": wanted.asked[kit.CANDIDATE]}
    assert [texts[item[5]] for item in got["attempts"]] == [item.answer for item in wanted.attempts]
    assert [item[0] for item in got["attempts"]] == [0, 1, -1]
    assert {texts[name]: texts[value] for name, value in got["vars"]} == wanted.variables


def test_large_numbers_keep_their_digits() -> None:
    number = 123_456_789_012_345_678_901

    def made() -> Iterator[CaseAttempts]:
        yield replace(case(10), variables={"order": number}, expected=[{"order": number}])

    found = read(kit.report(explored=replace(explored(0), cases=Again(made))))
    texts = unpacked(found.packs[0])["texts"]
    assert [str(number), f'{{\n "order": {number}\n}}'] == [text for text in texts if str(number) in text]


def test_equal_texts_are_there_once() -> None:
    found = read(report(100))
    [pack] = map(unpacked, found.packs)
    assert len(pack["texts"]) == len(set(pack["texts"]))
    assert sum(text.startswith("You sort messages") for text in pack["texts"]) == 101


def test_the_index_has_a_line_for_each_case_on_each_model() -> None:
    found = read(report(450))
    index = unpacked(found.index)
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
    text = next(text for text in unpacked(found.packs[0])["texts"] if text.startswith("xxx"))
    assert len(text) < 41_000
    assert "[49,960,003 characters left out; the run record has them]" in text
    assert text.endswith("xend")

"""`promptbench suite agreement`: labels of people, a judge, and what is recorded of them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.judging import CASES, CRITERION, FOLDER, JUDGE, agree, answered_as, by_sorry, says, served, to_judge
from tests.helpers.project import Ended, ProjectFolder

FILE = f"{FOLDER}/agreement.json"


def with_labels(project: ProjectFolder, name: str, text: str, *more: str) -> Ended:
    project.write(f"{FOLDER}/{name}", text)
    return project.run("suite", "agreement", FOLDER, "--labels", f"{FOLDER}/{name}", *more)


def on_record(project: ProjectFolder) -> dict[str, object]:
    [entry] = json.loads((project.root / FILE).read_text())["agreements"]
    assert isinstance(entry, dict)
    return entry


def test_what_is_said_and_recorded(support: ProjectFolder, server: FakeOpenAI) -> None:
    # The judge lets one curt answer pass.
    server.script = served(
        lambda answer: says("pass" if answer == "Noted: complaint 1." else json.loads(by_sorry(answer))["verdict"])
    )
    ended = agree(support)
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"{CRITERION}: judged by {JUDGE} (as fake-1)",
        "",
        "              judge: pass  judge: fail",
        "person: pass           10            0",
        "person: fail            1            9",
        "kappa 0.90 (95 % interval 0.58 to 1.00) over 20 labelled answers",
        "correlation of pass with the answer's length: judge +0.89, people +0.99",
        "judges: 20 calls, 0 of them recorded, unknown",
        "",
        f"the check counts from now on (kappa 0.90 (0.58 to 1.00, 20 answers)); recorded in {FILE}",
    ]
    entry = on_record(support)
    assert (entry["rubric"], entry["judges"], entry["labelled"]) == (CRITERION, {JUDGE: ["fake-1"]}, 20)
    assert support.run("validate").out.strip() == "no errors"


def test_the_same_again_asks_nobody_and_changes_nothing(support: ProjectFolder, server: FakeOpenAI) -> None:
    assert agree(support).code == 0
    before = (support.root / FILE).read_bytes()
    server.received.clear()
    ended = agree(support, "--json")
    assert (ended.data["calls"], ended.data["questions"], ended.data["cost"]) == (0, 20, 0.0)
    assert not server.received
    assert (support.root / FILE).read_bytes() == before
    assert agree(support, "--again").code == 0
    assert len(to_judge(server)) == 20


def test_a_judge_that_disagrees_stays_advisory(support: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = served(lambda answer: says("fail" if "sorry" in answer.lower() else "pass"))
    ended = agree(support)
    assert ended.code == 1
    assert "kappa -1.00 (95 % interval -1.00 to -0.74)" in ended.out
    assert "the check stays advisory" in ended.out
    assert "and its lower bound must reach 0.4" in support.run("validate").out


def test_few_labels_are_not_enough_however_right_the_judge_is(support: ProjectFolder) -> None:
    rows = [("Sorry.", "pass"), ("So sorry!", "pass"), ("No.", "fail"), ("Never.", "fail")]
    text = "".join(json.dumps({"case": CASES[0], "answer": answer, "label": label}) + "\n" for answer, label in rows)
    ended = with_labels(support, "few.jsonl", text)
    assert ended.code == 1
    assert "kappa 1.00 (95 % interval 0.07 to 1.00)" in ended.out


def test_a_sheet_is_written_labelled_and_read(support: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = served(model=lambda body: '=1+1, "sorry";\nhm' if "apologise" in str(body) else "'-no")
    assert support.run("run", FOLDER).code == 0
    sheet = support.root / "sheet.csv"
    ended = support.run("suite", "agreement", FOLDER, "--write-sheet", str(sheet))
    assert ended.out.startswith("wrote 20 answers to ")
    rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig"), newline="")))
    assert {row["answer"][:3] for row in rows} == {"'=1", "''-"}, "a spreadsheet program runs no answer"
    assert rows[0]["input"] == "message: about complaint 1"
    for row in rows:
        row["label"] = "pass" if "sorry" in row["answer"] else " Fail "
    target = io.StringIO()
    writer = csv.DictWriter(target, list(rows[0]), delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    server.received.clear()
    ended = with_labels(support, "sheet.csv", "\ufeff" + target.getvalue(), "--json")
    assert ended.code == 0, ended.err
    assert ended.data["labelled"] == 20
    assert not server.received, "the run has asked the judge about these answers"
    assert support.run("suite", "agreement", FOLDER, "--write-sheet", str(sheet)).code == 2, (
        "labels are not overwritten"
    )


def test_answers_on_record_need_no_text_in_the_labels(support: ProjectFolder, server: FakeOpenAI) -> None:
    assert support.run("run", FOLDER).code == 0
    ended = with_labels(support, "some.csv", "case,label\n" + f"{CASES[0]},pass\n")
    assert ended.code == 2
    assert f"2 different answers to '{CASES[0]}' are on record" in ended.err
    assert "write the answer itself into the column 'answer'" in ended.err


MISTAKES = {
    "no label column": ("case,labels\ncomplaint 1,pass\n", "column 'label' not found", "did you mean 'label'"),
    "no such label": ("case,answer,label\ncomplaint 1,x,maybe\n", "the label is 'maybe'", "write pass or fail"),
    "no such case": ("case,answer,label\ncomplaimt 1,x,pass\n", "no case 'complaimt 1'", "did you mean 'complaint 1'"),
    "both": (
        "case,answer,label\ncomplaint 1,x,pass\ncomplaint 1,x,fail\n",
        "labelled pass here and fail there",
        "agree on",
    ),
    "no CSV": ('case,answer,label\ncomplaint 1,"x"y,pass\n', "invalid CSV", "double the inner quotation marks"),
    "empty": ("case,answer,label\ncomplaint 1,x,\n", "no answer in this file has a label", "'label'"),
    "one kind": ("case,answer,label\ncomplaint 1,x,pass\ncomplaint 2,y,pass\n", "all labels are the same", "fail"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_labels(support: ProjectFolder, server: FakeOpenAI, name: str) -> None:
    text, message, hint = MISTAKES[name]
    ended = with_labels(support, "bad.csv", text)
    assert ended.code == 2
    assert message in ended.err
    assert hint in ended.err
    assert not server.received
    assert not (support.root / FILE).exists()


def test_a_mistake_has_its_place(support: ProjectFolder) -> None:
    ended = with_labels(support, "bad.csv", 'case,answer,label\ncomplaint 1,"two\nlines",pass\ncomplaint 2,x,maybe\n')
    assert f"{FOLDER}/bad.csv:4:15: error" in ended.err
    ended = with_labels(support, "bad.jsonl", '{"case": "complaint 1", "answer": "x", "label": "maybe"}\n')
    assert f"{FOLDER}/bad.jsonl:1:49: error" in ended.err


def test_too_many_answers_without_verdict_record_nothing(support: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = served(lambda answer: "hm" if "complaint 1" in answer else by_sorry(answer))
    ended = agree(support)
    assert ended.code == 4
    assert f"4 of 20 answers have no verdict ({JUDGE} gives no readable verdict)" in ended.err
    assert not (support.root / FILE).exists()


@pytest.mark.slow
def test_a_judge_that_changes_in_between_is_no_judge(support: ProjectFolder, server: FakeOpenAI) -> None:
    names = iter(["judge-old"] * 10 + ["judge-new"] * 50)
    server.script = served(lambda answer: answered_as(next(names), by_sorry(answer)))
    ended = agree(support)
    assert ended.code == 4
    assert f"{JUDGE} has answered as judge-new and as judge-old" in ended.err
    assert agree(support, "--again").code == 0
    assert on_record(support)["judges"] == {JUDGE: ["judge-new"]}


def test_a_bound_on_the_cost_needs_a_price(support: ProjectFolder, server: FakeOpenAI) -> None:
    ended = agree(support, "--max-cost", "$1")
    assert ended.code == 2
    assert f"the price of {JUDGE} is unknown" in ended.err
    assert not server.received


def test_what_was_answered_before_the_budget_was_used_up_is_kept(support: ProjectFolder, server: FakeOpenAI) -> None:
    ended = agree(support, "--max-calls", "12")
    assert ended.code == 4
    assert "12 of 12 calls are made" in ended.err
    assert not (support.root / FILE).exists()
    ended = agree(support, "--json")
    assert ended.code == 0
    assert len(to_judge(server)) < 12 + 20


def test_several_checks_need_a_name(support: ProjectFolder) -> None:
    support.edit(
        f"{FOLDER}/suite.yaml",
        "  - not contains: lawyer\n",
        f"  - rubric: {{judge: {JUDGE}, passes if: it is short}}\n",
    )
    ended = agree(support)
    assert ended.code == 2
    assert "several judged checks are meant: the answer apologises; it is short" in ended.err
    assert agree(support, "--criterion", "the answer").code == 0
    assert "1 judged check" not in support.run("validate").out


def test_a_suite_without_such_a_check(support: ProjectFolder) -> None:
    text = (support.root / FOLDER / "suite.yaml").read_text()
    support.write(f"{FOLDER}/suite.yaml", "".join(line + "\n" for line in text.splitlines() if "rubric" not in line))
    ended = agree(support)
    assert ended.code == 2
    assert "the suite 'support' has no judged check" in ended.err


@pytest.mark.parametrize(
    ("old", "new"),
    [('"kappa": 1.0', '"kappa": 0.9'), ('"low": 0.735', '"low": 0.9'), ("{", "["), ('"counts"', '"count"')],
)
def test_a_record_that_was_tampered_with_is_told(support: ProjectFolder, old: str, new: str) -> None:
    assert agree(support).code == 0
    support.edit(FILE, old, new)
    ended = support.run("validate")
    assert ended.code == 2
    assert Path(FILE).name in ended.out

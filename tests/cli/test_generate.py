"""`promptbench generate`, and the review of what it wrote."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pypdf
import pytest
import yaml
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

import promptbench
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import Ended, ProjectFolder
from tests.helpers.shipped import ROOT

SUITE = "suites/shop/suite.yaml"
OPENING = "The shop opens at 9:00 on weekdays and at 10:00 on Saturdays. On Sundays it is closed, except in December."
RETURNS = (
    "Goods can be returned within 30 days. The money is paid back to the card that was used, after 5 days at most."
)
CAFE = "The Café in the shop serves soup from noon. A bowl of soup costs 4 euros, and bread is free of charge."
GOOD = {
    OPENING: (
        "When do you open on Saturdays?",
        "10:00",
        "The shop opens at 9:00 on weekdays and at 10:00 on Saturdays.",
    ),
    RETURNS: ("How long can I give things back?", "within 30 days", "Goods can be returned within 30 days."),
    CAFE: ("What does soup cost?", "4 euros", "A bowl of soup costs 4 euros, and bread is free of charge."),
}
LACKING = {OPENING: "Are dogs allowed inside?", RETURNS: "Can I pay in dollars?", CAFE: "Is the soup vegan?"}


def written(*questions: Sequence[str]) -> str:
    return json.dumps(
        {"questions": [dict(zip(("question", "answer", "quote"), item, strict=False)) for item in questions]}
    )


def honest(body: Mapping[str, Any]) -> str:
    """A model that writes one right question for each passage, and one that it does not answer."""
    text = body["messages"][-1]["content"]
    passage = next(known for known in GOOD if known in " ".join(text.split()))
    if "Only this question" in text:
        return written()
    if "does not" in text:
        return written((LACKING[passage], "", ""))
    return written(GOOD[passage])


@pytest.fixture
def shop(project: ProjectFolder, server: FakeOpenAI) -> ProjectFolder:
    server.script = honest
    project.write("suites/shop/shop.prompt", "{{question}}\n{{page}}\n")
    case = "  - case: soup\n    vars: {question: 'When is soup served?', page: x}\n"
    case += "    checks: [{token f1: {is: noon, at least: 0.7}}]"
    project.write(SUITE, f"suite: shop\nprompt: shop.prompt\nmodels: [openai/fake]\ncases:\n{case}\n")
    project.write("docs/hours.md", f"---\ntitle: x\n---\n# Hours\n{OPENING}\n\n## Returns\n{RETURNS}\n")
    page = (
        f"<html><head><meta charset=iso-8859-1><script>x</script></head><nav>Home</nav><h1>Eat</h1><p>{CAFE}</p></html>"
    )
    (project.root / "docs/cafe.html").write_bytes(page.encode("latin-1"))
    return project


def generate(shop: ProjectFolder, *more: str, output: str = "review.csv") -> Ended:
    return shop.run("generate", "suites/shop", "--from", "docs", "--by", "openai/fake", "--output", output, *more)


def rows_of(shop: ProjectFolder, name: str = "review.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((shop.root / name).read_bytes().decode("utf-8-sig"), newline="")))


def review(shop: ProjectFolder, who: str, marks: Sequence[str], *more: str, **changes: str) -> Ended:
    """Import the sheet with these marks, and in the first row other changes."""
    rows = [{**row, "review": mark, "reviewer": who} for row, mark in zip(rows_of(shop), marks, strict=True)]
    rows[0] |= {name.replace("_", "."): value for name, value in changes.items()}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    shop.write(f"by-{who}.csv", text.getvalue())
    return shop.run("sheet", "import", f"by-{who}.csv", "suites/shop", *more)


def cases_of(shop: ProjectFolder) -> dict[str, dict[str, Any]]:
    return {case["case"]: case for case in yaml.safe_load((shop.root / SUITE).read_text(encoding="utf-8"))["cases"]}


def test_the_shipped_prompt_is_that_of_its_suite() -> None:
    shipped = Path(promptbench.__file__).parent / "workflows/start/write_questions.prompt"
    assert shipped.read_bytes() == (ROOT / "suites/generate/write_questions.prompt").read_bytes()


def test_a_sheet_has_what_was_asked_for(shop: ProjectFolder) -> None:
    ended = generate(shop, "--count", "4", "--unanswerable", "25")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "3 passages of 2 documents",
        "5 requests, 5 of them called now, unknown; 0 answers not in the form that was asked for",
        "4 questions written, 4 kept, 1 of them unanswerable",
        "wrote review.csv: put yes, no or edit into its column 'review', then `promptbench sheet import` it",
    ]
    rows = rows_of(shop)
    assert {row["vars.question"] for row in rows[:3]} == {question for question, _, _ in GOOD.values()}
    [soup] = [row for row in rows if row["vars.question"] == "What does soup cost?"]
    assert json.loads(soup["value"]) == {"is": ["4 euros"], "at least": 0.7}
    assert (soup["source document"], soup["source quote"]) == ("docs/cafe.html", GOOD[CAFE][2])
    assert (soup["cluster"], soup["review"], soup["reviewer"]) == ("docs/cafe.html", "", "")
    assert " ".join(soup["vars.page"].split()) == f"Eat {CAFE}"
    assert (rows[3]["tags"], rows[3]["check"], rows[3]["source quote"]) == ("unanswerable", "answerable", "")


def test_a_model_that_is_none_is_reported_once(shop: ProjectFolder) -> None:
    ended = shop.run("generate", "suites/shop", "--from", "docs", "--by", "foo", "--output", "review.csv")
    assert (ended.code, ended.err.count("'foo' is not a model")) == (2, 1)


def test_the_same_command_calls_nobody_again(shop: ProjectFolder, server: FakeOpenAI) -> None:
    assert "cannot be kept" in generate(shop, "--max-cost", "1").err
    stopped = generate(shop, "--count", "3", "--unanswerable", "0", "--max-calls", "2")
    assert (stopped.code, len(server.received)) == (4, 2)
    assert "on record" in stopped.err
    assert generate(shop, "--count", "3", "--unanswerable", "0").code == 0
    assert len(server.received) == 3
    assert "already exists" in generate(shop).err
    assert generate(shop, "--count", "3", "--unanswerable", "0", "--json", output="b.csv").data["calls"] == 0
    assert generate(shop, "--count", "3", "--unanswerable", "0", "--again", "--json", output="c.csv").data["calls"] == 3


def test_what_is_not_supported_is_discarded_and_counted(shop: ProjectFolder, server: FakeOpenAI) -> None:
    question, answer, quote = GOOD[RETURNS]
    replies = {
        RETURNS: written(
            (question, answer, quote.replace("30", "60")),
            (question, "90 days", quote),
            ("Can I return it within 30 days?", answer, quote),
            ("When is soup served?", answer, quote),
            ("?", answer, quote),
            (question, answer, quote.replace(" be ", "\n  be ")),
        ),
        CAFE: written((f"{question} ", answer, quote), *[(f"{GOOD[CAFE][0]} {n}", *GOOD[CAFE][1:]) for n in range(2)]),
        OPENING: "I would ask when it opens.",
    }
    server.script = lambda body: next(
        text for known, text in replies.items() if known in " ".join(body["messages"][-1]["content"].split())
    )
    data = generate(shop, "--count", "9", "--unanswerable", "0", "--json").data
    assert data["kept"] == {"questions": 2, "unanswerable": 0}
    assert data["discarded"].keys() == {
        "the source sentence is not in the passage",
        "the answer is not in the source sentence",
        "the question contains the answer",
        "a duplicate of another question",
        "not a question",
    }
    assert data["written"] == 2 + sum(data["discarded"].values())
    assert data["unreadable_answers"] == 3
    assert "2 of the 9 asked for" in generate(shop, "--count", "9", "--unanswerable", "0", output="b.csv").out


def test_a_model_that_writes_more_than_it_should(shop: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = [
        written(*GOOD.values(), *[(f"{text} Or when it is dark?", *rest) for text, *rest in GOOD.values()])
    ]
    data = generate(shop, "--count", "1", "--unanswerable", "0", "--json").data
    assert data["kept"]["questions"] == 1
    assert data["discarded"] == {"the source sentence is not in the passage": 4, "a duplicate of another question": 1}


def test_an_unanswerable_question_that_the_passage_answers(shop: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: honest(
        {"messages": [{"content": body["messages"][-1]["content"].replace("Only this", "")}]}
    )
    ended = generate(shop, "--count", "3", "--unanswerable", "100")
    assert ended.code == 1
    assert "3 discarded: the passage answers it" in ended.out
    assert not (shop.root / "review.csv").exists()


def pdf(*lines: str) -> pypdf.PdfWriter:
    """A page with these lines; none is a scan."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(600, 800)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    names = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
    fonts = DictionaryObject({NameObject("/F1"): names})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    content = DecodedStreamObject()
    shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
    content.set_data(f"BT /F1 12 Tf 10 700 Td {shown}ET".encode())
    page[NameObject("/Contents")] = content
    return writer


def test_a_pdf_and_a_machine_without_its_reader(shop: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    # A word is divided at the end of a line.
    head, tail = RETURNS.split("turned", 1)
    pdf(f"{head}-", f"turned{tail[:60]}", tail[60:]).write(shop.root / "terms.pdf")
    ask = ("generate", "suites/shop", "--from", "terms.pdf", "--by", "openai/fake", "--unanswerable", "0")
    assert shop.run(*ask, "--count", "1").code == 0
    monkeypatch.setitem(sys.modules, "pypdf", None)
    ended = shop.run(*ask, "--output", "b.csv")
    assert "terms.pdf: needs `pip install 'promptbench-gate[documents]'`" in ended.err


def test_documents_that_are_skipped_are_named(shop: ProjectFolder) -> None:
    shop.write("docs/empty.txt", "\n")
    (shop.root / "docs/old.txt").write_bytes("Grüße. ".encode("latin-1") * 30)
    shop.write("docs/table.docx", "x")
    shop.write("docs/copy.markdown", f"{OPENING}\n")
    shop.write("docs/broken.pdf", "%PDF-1.7 and no more")
    pdf().write(shop.root / "docs/scan.pdf")
    secret = pdf(RETURNS)
    secret.encrypt("x", algorithm="RC4-128")
    secret.write(shop.root / "docs/secret.pdf")
    shop.write("docs/huge.txt", "All is well. " * 100_000)
    shop.write("promptbench.toml", (shop.root / "promptbench.toml").read_text() + "\n").write_text(
        "max-file-mb = 1\n" + (shop.root / "promptbench.toml").read_text()
    )
    data = generate(shop, "--count", "3", "--unanswerable", "0", "--json").data
    assert {name.removeprefix("docs/"): why for name, why in data["skipped"].items()} == {
        "empty.txt": "the file is empty",
        "old.txt": "the file is not UTF-8 text",
        "table.docx": "expected Markdown, text, HTML or PDF",
        "broken.pdf": data["skipped"]["docs/broken.pdf"],
        "scan.pdf": "has no text: perhaps the pages are scanned images",
        "secret.pdf": "cannot be read: it is encrypted",
        "huge.txt": "the file is larger than 1 MB (max-file-mb)",
    }
    assert data["skipped"]["docs/broken.pdf"].startswith("cannot be read: ")
    assert data["passages_left_out"] == {"nearly the same as another": 1}
    ended = shop.run("generate", "suites/shop", "--from", "docs/old.txt", "--by", "openai/fake")
    assert (ended.code, "docs/old.txt: the file is not UTF-8 text" in ended.err) == (2, True)


def test_reviewed_cases_enter_the_suite_once(shop: ProjectFolder) -> None:
    generate(shop, "--count", "4", "--unanswerable", "25")
    first, second, third, _ = (row["case"] for row in rows_of(shop))
    ended = review(shop, "Ann", ["edit", "yes", "no", ""], vars_question="When is it open on a Saturday?")
    assert ended.code == 0
    assert "reviews: 1 edit, 1 yes, 1 no; 3 new marks" in ended.out
    cases = cases_of(shop)
    assert list(cases) == ["soup", first, second]
    assert cases[first]["vars"]["question"] == "When is it open on a Saturday?"
    assert cases[second]["origin"].keys() == {"document", "quote"}
    assert cases[second]["cluster"] == cases[second]["origin"]["document"]
    again = review(shop, "Ann", ["edit", "yes", "no", ""], vars_question="When is it open on a Saturday?")
    assert "0 new marks" in again.out
    assert "no changes" in again.out

    # One case says nothing about an agreement.
    assert "Ann and Cid: too few for kappa over 1 case" in review(shop, "Cid", ["", "yes", "", ""], "--dry-run").out

    # Another reviewer, who saw the question before it was edited, does not undo the edit.
    ended = review(shop, "Ben", ["yes", "no", "yes", "yes"])
    assert f"Ann and Ben: kappa -0.50 (-1.00 to 0.57) over 3 cases; they differ on {second}, {third}" in ended.out
    assert f"not accepted: '{second}' (kept; remove them with --remove)" in ended.err
    assert list(cases_of(shop))[:3] == ["soup", first, second]
    assert cases_of(shop)[first]["vars"]["question"] == "When is it open on a Saturday?"
    assert len(cases_of(shop)) == 4
    assert review(shop, "Ben", ["yes", "no", "yes", "yes"], "--remove").code == 0
    assert second not in cases_of(shop)
    assert shop.run("validate", "suites/shop").code == 0
    marks = [json.loads(line) for line in (shop.root / "suites/shop/reviews.jsonl").read_text().splitlines()]
    assert marks[0] | {"time": ""} == {"case": first, "about": "case", "label": "edit", "reviewer": "Ann", "time": ""}
    assert len(marks) == 7


def test_a_sheet_without_marks_changes_nothing(shop: ProjectFolder) -> None:
    generate(shop)
    before = (shop.root / SUITE).read_bytes()
    assert "no case was accepted" in review(shop, "", [""] * len(rows_of(shop))).out
    assert (shop.root / SUITE).read_bytes() == before
    marks = ["maybe", *["yes"] * (len(rows_of(shop)) - 1)]
    ended = review(shop, "", marks)
    assert ended.code == 2
    assert "the review is 'maybe'" in ended.err
    assert "the review has no reviewer" in ended.err
    assert review(shop, "", ["yes"] * len(marks), "--reviewer", "Eve", "--dry-run").code == 0
    assert not (shop.root / "suites/shop/reviews.jsonl").exists()

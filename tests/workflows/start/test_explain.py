"""Every diagnostic code and term is explained; each wrong example has its problem, and each right one has not."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import promptbench
from promptbench.cli.app import run
from promptbench.core.errors import Code, InputError
from promptbench.workflows.start.explain import (
    TERMINAL,
    CheckPage,
    DiagnosticPage,
    Term,
    diagnostic_pages,
    explain,
    terms,
)

PAGES = {page.code: page for page in diagnostic_pages()}
SUITE = "suite.yaml"
SETTINGS = '[providers.openai]\nbase_url = "http://127.0.0.1:9/v1"\n'
PROMPT = "---\noutput: {schema: {team: string}}\n---\nWhich team is this for? {{message}}\n"
# A valid suite, by its keys: what an example does not have.
BASE = {
    "suite": "suite: triage\n",
    "prompt": "prompt: triage.prompt\n",
    "models": "models: [openai/gpt-5-mini]\n",
    "checks": "",
    "cases": "cases:\n  - case: charged twice\n    vars: {message: I was charged twice}\n    expect: {team: billing}\n",
}


def whole(lines: str) -> str:
    """The suite in which an example's lines stand."""
    given = {match[1] for match in re.finditer(r"^(\w+):", lines, re.MULTILINE)}
    return "".join(text for key, text in BASE.items() if key not in given) + lines


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "suites" / "triage"
    folder.mkdir(parents=True)
    return folder


def write(folder: Path, page: DiagnosticPage, file: str, text: str, encoding: str = "utf-8") -> None:
    """Write an example to a project, with the other files that it needs."""
    files = {"triage.prompt": PROMPT, "promptbench.toml": SETTINGS, SUITE: "", **page.beside}
    if file != TERMINAL:
        files[file] = text
    if file != page.file:
        files[page.file] = page.wrong
    if not (page.note == "the whole file" and files[SUITE]):
        files[SUITE] = whole(files[SUITE])
    if files["promptbench.toml"] != SETTINGS:
        files["promptbench.toml"] += f"\n{SETTINGS}"
    for name, content in files.items():
        path = folder.parents[1] / name if name == "promptbench.toml" else folder / name
        path.write_bytes(content.encode(encoding if name == file else "utf-8"))


def reported(page: DiagnosticPage, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return the codes that `validate` reports, or the command that the page names."""
    capsys.readouterr()
    if "export" in page.note:
        run(["export", "suites/triage", "--for", "messages", "-o", "tuning.jsonl"])
        return set(re.findall(r"PB\d+", capsys.readouterr().err))
    if "--batch" in page.note:
        run(["run", "suites/triage", "--batch", "--dry-run", "--model", "openai/gpt-5.4-mini"])
        return set(re.findall(r"PB\d+", capsys.readouterr().err))
    code = run(["validate", *(["--red"] if "--red" in page.note else []), "--json"])
    text = capsys.readouterr()
    assert code in (0, 2), text.err
    return {item["code"] for item in json.loads(text.out)["diagnostics"]}


def test_every_code_has_its_page() -> None:
    assert list(PAGES) == sorted(code.value for code in Code)


def test_every_code_that_the_source_names_is_one() -> None:
    sources = Path(promptbench.__file__).parent.rglob("*.py")
    names = set(re.findall(r"\bCode\.([A-Z_]+)", "\n".join(path.read_text(encoding="utf-8") for path in sources)))
    assert names - {"__members__"} <= set(Code.__members__)
    assert set(Code.__members__) - names == set(), "a code that is never reported"


@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_titles_and_texts_are_sentences(page: DiagnosticPage) -> None:
    assert not page.title.endswith(".")
    assert page.cause.endswith(".")
    assert page.fix.endswith(".")


@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_the_wrong_example_is_reported_and_the_right_one_is_not(
    page: DiagnosticPage, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if page.code == Code.MISSING_EXTRA:
        monkeypatch.setitem(sys.modules, "langdetect", None)  # as where it is not installed
    if page.code == Code.UNTRUSTED_ADDRESS:
        monkeypatch.setenv("INTENTS_TOKEN", "a-token")
    encoding = page.note.removeprefix("saved as ") if page.note.startswith("saved as ") else "utf-8"
    write(folder, page, page.file, page.wrong, encoding)
    assert page.code in reported(page, capsys)
    if page.right_file == TERMINAL:
        program, *words = page.right.split()
        assert program in ("export", "pip", "promptbench")
        if program == "promptbench":
            return  # it calls a judge: see tests/cli/test_explain.py
        if program == "export":
            monkeypatch.setenv(*words[0].split("="))
        else:
            monkeypatch.delitem(sys.modules, "langdetect")
    write(folder, page, page.right_file, page.right)
    assert page.code not in reported(page, capsys)


GLOSSARY = """
production, candidate, passing before, failing before, reproduced, fixed, broken, unstable, possibly broken,
passing cases together, look, level, p, watched, continued, mean change, flaky, inconclusive,
format rung, repair, margin, evidence, red first, vacuous
"""


def test_the_glossary_has_the_words_of_the_verdict() -> None:
    assert [item.term for item in terms()] == " ".join(GLOSSARY.split()).split(", ")
    assert all(item.meaning.endswith(".") for item in terms())


@pytest.mark.parametrize("written", ["red first", "red-first", "Red First", "red_first"])
def test_a_term_is_found_however_it_is_written(written: str) -> None:
    found = explain(written)
    assert isinstance(found, Term)
    assert "`was:`" in found.meaning


def test_a_check_wins_over_a_term() -> None:
    assert isinstance(explain("contains"), CheckPage)


@pytest.mark.parametrize(
    ("written", "guess"), [("vacous", "vacuous"), ("candidat", "candidate"), ("contanis", "contains")]
)
def test_an_unknown_name_suggests_a_known_one(written: str, guess: str) -> None:
    with pytest.raises(InputError, match=f"unknown check or term '{written}'") as error:
        explain(written)
    assert error.value.hint == f"did you mean '{guess}'?"

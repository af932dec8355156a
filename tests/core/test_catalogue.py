"""The catalogue of mistakes is complete, its examples have the mistake, and its mends have not."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import promptbench
from promptbench.cli.app import run
from promptbench.core.catalogue import CATALOGUE, SUITE, TERMINAL, Entry
from promptbench.core.diagnostics import Code

SETTINGS = '[providers.openai]\nbase_url = "http://127.0.0.1:9/v1"\n'
PROMPT = "---\noutput: {schema: {team: string}}\n---\nWhich team is this for? {{message}}\n"
BASE = {
    "suite": "suite: triage\n",
    "prompt": "prompt: triage.prompt\n",
    "models": "models: [openai/gpt-5-mini]\n",
    "checks": "",
    "cases": "cases:\n  - case: charged twice\n    vars: {message: I was charged twice}\n    expect: {team: billing}\n",
}
"""A sound suite, by its keys: what an example does not say."""


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


def write(folder: Path, entry: Entry, file: str, text: str, encoding: str = "utf-8") -> None:
    """An example in a project, with what it needs beside it."""
    files = {"triage.prompt": PROMPT, "promptbench.toml": SETTINGS, SUITE: "", **entry.beside}
    if file != TERMINAL:
        files[file] = text
    if entry.right_file and file != entry.file:
        files[entry.file] = entry.wrong
    if not (entry.whole and files[SUITE]):
        files[SUITE] = whole(files[SUITE])
    if files["promptbench.toml"] != SETTINGS:
        files["promptbench.toml"] += f"\n{SETTINGS}"
    for name, content in files.items():
        path = folder.parents[1] / name if name == "promptbench.toml" else folder / name
        path.write_bytes(content.encode(encoding if name == file else "utf-8"))


def told(entry: Entry, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The codes that the command tells."""
    capsys.readouterr()
    code = run([*entry.command.split(), "--json"])
    text = capsys.readouterr()
    assert code in (0, 2), text.err
    return {item["code"] for item in json.loads(text.out)["diagnostics"]}


def test_every_code_has_its_entry() -> None:
    assert set(CATALOGUE) == set(Code)
    assert list(CATALOGUE) == sorted(CATALOGUE, key=lambda code: code.value)


def test_every_code_that_the_source_names_is_one() -> None:
    sources = Path(promptbench.__file__).parent.rglob("*.py")
    told = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.parent.name != "catalogue")
    names = set(re.findall(r"\bCode\.([A-Z_]+)", told))
    assert names - {"__members__"} <= set(Code.__members__)
    assert set(Code.__members__) - names == set(), "a code that nobody tells"


@pytest.mark.parametrize("code", list(CATALOGUE), ids=lambda code: code.value)
def test_the_words_are_for_people(code: Code) -> None:
    entry = CATALOGUE[code]
    assert entry.title[0].islower()
    assert not entry.title.endswith(".")
    for text in (entry.cause, entry.mend):
        assert text.endswith(".")
        assert "\n" not in text


@pytest.mark.parametrize("code", list(CATALOGUE), ids=lambda code: code.value)
def test_the_example_has_the_mistake_and_its_mend_has_not(
    code: Code, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = CATALOGUE[code]
    if code is Code.MISSING_EXTRA:
        monkeypatch.setitem(sys.modules, "langdetect", None)  # as where it is not installed
    write(folder, entry, entry.file, entry.wrong, entry.encoding)
    assert code in told(entry, capsys)
    if (entry.right_file or entry.file) == TERMINAL:
        program, *words = entry.right.split()
        assert program in ("export", "pip", "promptbench")
        if program == "promptbench":
            return  # it asks a judge: see tests/cli/test_explain.py
        if program == "export":
            monkeypatch.setenv(*words[0].split("="))
        else:
            monkeypatch.delitem(sys.modules, "langdetect")
    write(folder, entry, entry.right_file or entry.file, entry.right)
    assert code not in told(entry, capsys)

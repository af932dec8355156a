"""The documentation in the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptbench.cli.app import run
from promptbench.workflows.start.docs import list_pages
from tests.helpers.terminal import Terminal


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["docs", *words]) == 0
    return capsys.readouterr().out


def test_all_pages_are_listed_and_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    listed = printed(capsys)
    assert listed.startswith("Start:\n  authoring ")
    pages = json.loads(printed(capsys, "--format", "json"))["pages"]
    assert len({page["page"] for page in pages}) == len(pages) == len(list_pages())
    for page in list_pages():
        assert f"\n  {page.name} " in listed
        assert printed(capsys, page.name) == page.markdown
        assert page.markdown.startswith("# ")
        assert json.loads(printed(capsys, page.file, "--format", "json"))["text"] == page.markdown


def test_a_page_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "verdict", "--format", "terminal")
    assert "came from the cache (docs cache)" in " ".join(shown.split())
    assert "](" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_an_unknown_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["docs", "verdit"]) == 2
    assert capsys.readouterr().err == "error: page 'verdit' not found\nhint: did you mean 'verdict'?\n"


@pytest.mark.slow
def test_the_pager_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "head -n 1; echo paged")
    with Terminal(["docs", "verdict"], tmp_path) as terminal:
        assert terminal.end() == 0
    assert terminal.shown.strip().endswith("paged")

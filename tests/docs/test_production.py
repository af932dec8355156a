"""The guide on reading prompts: its Python is run, in a folder with a store as it assumes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.project import stored_prompt, version_of
from promptbench.prompts.chain import Chain, ChainStep
from promptbench.store.prompts import Store
from tests.docs.test_console import DOCS, blocks


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(tmp_path / "prompt_store", hash_of=version_of, rejudge=lambda evidence: []) as store:
        store.adopt("triage", "Team? {{message}}", actor="ci", reason="in use")
        choose = ChainStep("choose", stored_prompt("{{steps.candidates}}? {{text}}"))
        routing = Chain.of("routing", [ChainStep("candidates", None, "python/find.py:find"), choose])
        store.adopt("routing", routing.source, actor="ci", reason="in use")
    monkeypatch.chdir(tmp_path)
    first, chain, second = blocks(DOCS / "guides" / "production.md", "python")
    names: dict[str, object] = {}
    exec(first, names)
    assert names["messages"] == [{"role": "user", "content": "Team? I was charged twice"}]
    exec(chain, names)
    assert names["messages"] == [{"role": "user", "content": '["billing", "delivery"]? I was charged twice'}]
    exec(second, names)
    assert capsys.readouterr().out == ""
    (tmp_path / "prompt_store" / "prompts.sqlite").unlink()
    exec(first.partition("prompt =")[0] + second, names)
    assert "has a text mirror but no database" in capsys.readouterr().out

"""A key in the environment is in nothing that is written, whoever says it; one in a wrong place is not shown."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptbench.report.renderers import plugins as formats
from promptbench.workflows.judge import run as judge_run
from tests.helpers.fake_openai import FakeOpenAI, answer, as_json, error, html
from tests.helpers.project import ProjectFolder, right

KEY = "sk-planted-0123456789"

Leak = Callable[[dict[str, Any]], Any]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def is_nowhere(root: Path, *texts: str) -> None:
    """The key stands in none of the texts and in no file below `root`."""
    assert not [text for text in texts if KEY in text]
    files = [path for path in root.rglob("*") if path.is_file() and path.name != ".env"]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def broken(*_: object, **__: object) -> None:
    raise RuntimeError(f"the header was Bearer {KEY}")


def reports(*names: str) -> list[str]:
    return [word for name in names for word in ("--output", f"{name}=reports/{name}")]


@pytest.mark.parametrize(
    "leak",
    [
        lambda body: f"my key is {KEY}",
        lambda body: f'{{"team": "{KEY}"}}',
        lambda body: answer(right(body["messages"][-1]["content"]), model=f"fake {KEY}"),
        lambda body: answer("fine", choice={"finish_reason": f"stop {KEY}"}),
        lambda body: answer("fine", usage={"prompt_tokens": KEY}),
    ],
    ids=["answer", "value in an answer", "model", "finish reason", "usage"],
)
def test_an_answer_repeats_the_key(project: ProjectFolder, server: FakeOpenAI, leak: Leak) -> None:
    server.script = leak
    project.adopt()
    ended = project.run("run", "--cache", "write", *reports(*sorted(set(formats.names()) - {"evidence"})))
    assert ended.code in (0, 1, 4, 6), ended.err
    assert server.received[0].authorization == f"Bearer {KEY}"
    is_nowhere(project.root, ended.out, ended.err)


@pytest.mark.parametrize(
    "leak",
    [
        lambda body: error(401, f"Incorrect API key provided: {KEY}"),
        lambda body: error(500, f"cannot parse header Authorization: Bearer {KEY}"),
        lambda body: error(429, f"too many calls with {KEY}", headers={"retry-after": "0"}),
        lambda body: error(400, "no", code=KEY),
        lambda body: as_json({"detail": f"Authorization: Bearer {KEY}"}, status=403),
        lambda body: as_json({"echo": {"authorization": f"Bearer {KEY}"}}),
        lambda body: html(200).__class__(KEY.encode(), 200, {"Content-Type": f"text/{KEY}"}),
    ],
    ids=["401", "500", "429", "code", "detail", "no completion", "content type"],
)
def test_a_failure_repeats_the_key(project: ProjectFolder, server: FakeOpenAI, leak: Leak) -> None:
    server.script = leak
    project.edit("promptbench.toml", "[providers", "retries = 1\noutage-minutes = 0\n[providers")
    ended = project.run("run", *reports("json", "plain", "terminal"))
    assert ended.code == 4, ended.err
    is_nowhere(project.root, ended.out, ended.err)


def test_all_that_a_promotion_leaves(project: ProjectFolder, server: FakeOpenAI) -> None:
    """The write-ahead log is kept alive by a reader, as a report viewer would."""
    project.adopt()
    first = project.run("run", "--promote", *reports("evidence"))
    assert first.code == 0, first.err
    server.script = lambda body: f"my key is {KEY}"
    reader = sqlite3.connect(project.root / ".promptbench" / "runs.sqlite")
    try:
        reader.execute("SELECT count(*) FROM attempt").fetchone()
        second = project.run("run", *reports("evidence", "log"))
        assert list(project.root.glob(".promptbench/*-wal"))
        shown = [
            project.run(*words.split())
            for words in ("doctor", "runs gate", "prompts show triage --evidence", "prompts list")
        ]
        assert list(project.root.glob("prompt_store/text/triage/*"))
        is_nowhere(project.root, *(text for one in (first, second, *shown) for text in (one.out, one.err)))
    finally:
        reader.close()


@pytest.mark.parametrize("file", [False, True], ids=["in the environment", "in .env"])
def test_the_key_of_a_variable_that_is_not_named_like_one(
    file: bool, project: ProjectFolder, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("LLM_ACCESS", "" if file else KEY)
    if file:
        project.write(".env", f"LLM_ACCESS={KEY}\n")
    project.write(
        "promptbench.toml",
        f'[providers.openai_compatible.servers.box]\nbase_url = "{server.base_url}"\napi_key_env = "LLM_ACCESS"\n',
    )
    project.edit("suites/triage/suite.yaml", "openai/fake", "openai_compatible/box/fake")
    server.script = lambda body: f"my key is {KEY}"
    ended = project.run("run", *reports("json", "log"))
    assert server.received[0].authorization == f"Bearer {KEY}"
    assert "<LLM_ACCESS>" in (project.root / "reports/log").read_text()
    server.script = lambda body: error(401, f"Incorrect API key provided: {KEY}")
    failed = project.run("run", *reports(*sorted(set(formats.names()) - {"evidence"})))
    assert failed.code == 4, failed.err
    monkeypatch.setattr(tempfile, "tempdir", str(project.root))
    monkeypatch.setattr(judge_run, "run", broken)
    bug = project.run("run")
    assert bug.code == 3
    is_nowhere(project.root, *(text for one in (ended, failed, bug) for text in (one.out, one.err)))


@pytest.mark.slow
def test_the_process_list(project: ProjectFolder, server: FakeOpenAI) -> None:
    """Whatever the command starts; the fake server looks while it is asked."""
    seen: list[str] = []

    def look(body: dict[str, Any]) -> str:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(path.read_bytes().decode(errors="replace"))
            except OSError:
                continue
        return right(body["messages"][-1]["content"])

    if not Path("/proc/self/cmdline").exists():
        pytest.skip("this system shows no process list as files")
    server.script = look
    out, err = project.start("run", "--promote").communicate(timeout=60)
    assert any("promptbench" in line for line in seen), out + err
    assert not [line for line in seen if KEY in line]
    is_nowhere(project.root, out, err)


def test_a_bug(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project.root / "traces"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(judge_run, "run", broken)
    ended = project.run("run")
    assert ended.code == 3
    assert "Bearer <OPENAI_API_KEY>" in next(folder.iterdir()).read_text()
    is_nowhere(project.root, ended.out, ended.err)


@pytest.mark.parametrize(
    "settings",
    [
        f'openai-api-key = "{KEY}"\n',
        f'concurrency = "{KEY}"\n',
        f'[providers.openai]\napi_key = "{KEY}"\n',
        f'[providers.openai]\ntimeout = "{KEY}"\n',
        f"[providers.openai]\napi_key = {KEY}\n",
        f'[providers.openai_compatible.servers.box]\nbase_url = "http://me:{KEY}@127.0.0.1:9/v1"\n',
        f'[providers.http.endpoints.box]\nurl = "http://127.0.0.1:9"\nheaders = {{Authorization = "Bearer {KEY}"}}\n',
    ],
    ids=["unknown", "wrong type", "api_key", "timeout", "no TOML", "in the address", "header"],
)
@pytest.mark.parametrize("known", [True, False], ids=["also in the environment", "only there"])
def test_a_key_in_the_settings_is_not_shown(
    project: ProjectFolder, settings: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not known:
        monkeypatch.delenv("OPENAI_API_KEY")
    project.write("promptbench.toml", settings)
    for command in ("doctor", "validate", "run"):
        ended = project.run(command)
        assert KEY not in ended.out + ended.err, ended.out + ended.err


@pytest.mark.parametrize(
    "name", ["PROMPTBENCH_CONCURRENCY", "PROMPTBENCH_ACTOR", "OPENAI_BASE_URL", "PROMPTBENCH_PRICES"]
)
def test_a_key_in_the_wrong_variable_is_not_shown(
    project: ProjectFolder, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, KEY)
    for command in ("doctor", "validate", "run"):
        ended = project.run(command)
        assert KEY not in ended.out + ended.err, ended.out + ended.err

"""init, validate, schema, doctor, and what happens around every command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from promptbench.cli.app import run
from tests.helpers.project import ProjectFolder


def test_init_writes_a_suite_that_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "refunds", "--model", "openai/gpt-5-mini"]) == 0
    assert "next: promptbench run suites/refunds" in capsys.readouterr().out
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    assert run(["validate"]) == 0
    assert capsys.readouterr().out == "no errors\n"
    assert not (tmp_path / ".promptbench").exists(), "looking leaves nothing behind"
    assert run(["init", "refunds"]) == 2, "nothing is overwritten"
    assert run(["init", "Not A Name"]) == 2
    assert run(["init", "other", "--model", "nonsense"]) == 2


def test_a_folder_without_a_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["validate"]) == 7
    assert run(["run", "missing"]) == 2


def test_schema_is_json(project: ProjectFolder) -> None:
    schema = project.run("schema").data
    assert schema["required"] == ["suite"]
    assert schema["anyOf"] == [{"required": ["models"]}, {"required": ["steps"]}]


def test_doctor(project: ProjectFolder) -> None:
    ended = project.run("doctor")
    assert ended.code == 0, ended.out
    assert "  providers.openai.base_url: http://127.0.0.1:" in ended.out
    (project.root / "prompt_store").mkdir()
    (project.root / "prompt_store" / "prompts.sqlite").write_bytes(b"this is no database at all" * 100)
    ended = project.run("doctor")
    assert ended.code == 4
    assert "BAD  prompt store" in ended.out


def test_wrong_usage_is_the_users_input(project: ProjectFolder) -> None:
    for arguments in (
        ["nonsense"],
        ["run", "--nonsense"],
        ["get"],
        ["run", "--format", "pdf"],
        ["run", "--output", "x"],
    ):
        ended = project.run(*arguments)
        assert ended.code == 2, arguments
        assert ended.err.startswith("error: ")


def test_a_bug_is_one_line_and_a_file(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "secret-0123456789")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("with secret-0123456789 in it")

    monkeypatch.setattr("promptbench.workflows.start.validate.validate", broken)
    ended = project.run("validate")
    assert ended.code == 3
    assert ended.err.startswith("error: this is a bug in promptbench, not in your files: RuntimeError")
    trace = Path(ended.err.split("the trace is in ")[1].split(";")[0])
    text = trace.read_text()
    trace.unlink()
    assert "Traceback" in text
    assert "secret-0123456789" not in text + ended.err


def test_a_reader_that_leaves_early_is_no_failure(project: ProjectFolder) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "promptbench", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=project.root,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_read_only_record_is_the_environments_fault(project: ProjectFolder) -> None:
    (project.root / ".promptbench").write_text("a file where a folder should be")
    ended = project.run("run")
    assert ended.code == 4
    assert ".promptbench" in ended.err


def test_settings_say_where_they_come_from(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTBENCH_RETRIES", "7")
    findings = {item["what"].strip(): item["value"] for item in project.run("doctor", "--json").data["findings"]}
    assert findings["retries"] == "7 (environment)"
    assert json.dumps(findings)

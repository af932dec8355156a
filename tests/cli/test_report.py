"""`promptbench runs report`: a real run in every format, each read by what it is for."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
import xmlschema
from jsonschema import Draft202012Validator
from junitparser import Failure, JUnitXml
from markdown_it import MarkdownIt

from promptbench.report.renderers import plugins
from promptbench.report.renderers.github import LIMIT
from tests.helpers.fake_openai import FakeOpenAI, error
from tests.helpers.project import ProjectFolder, better

XSD = Path(__file__).parents[1] / "report" / "renderers" / "junit.xsd"


@pytest.fixture
def failed(project: ProjectFolder, server: FakeOpenAI) -> ProjectFolder:
    """A run of which one case is broken, on record."""
    project.adopt()
    server.script = lambda body: "no" if "Hello" in str(body) and "JSON" in str(body) else better(body)
    assert project.run("run", "-q").code == 1
    return project


def test_every_format_is_written_and_read(failed: ProjectFolder) -> None:
    files = {name: failed.root / "out" / f"a.{name}" for name in plugins.names()}
    words = [word for name, file in files.items() for word in ("--output", f"{name}={file}")]
    ended = failed.run("runs", "report", *words)
    assert (ended.code, ended.out.splitlines()[-1][:4]) == (1, "FAIL")
    texts = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    assert texts["plain"] == ended.out

    data = json.loads(texts["json"])
    Draft202012Validator(failed.run("schema", "report").data).validate(data)
    [report] = data["runs"]
    states = {item["case"]: item["state"] for item in report["results"] if item["judged"]}
    assert states == {"charged twice": "fixed", "late parcel": "fixed", "hello": "broken"}

    xmlschema.XMLSchema(XSD).validate(texts["junit"])
    suites = JUnitXml.fromstring(texts["junit"].encode())
    red = {case.name for suite in suites for case in suite for item in case.result if isinstance(item, Failure)}
    assert red == {"verdict", "hello"}

    rows = [row for row in csv.DictReader(texts["csv"].splitlines()) if row["judged"] == "true"]
    assert {row["case"]: row["state"] for row in rows} == states
    for name in ("markdown", "github"):
        assert [token.content for token in MarkdownIt().parse(texts[name])][1] == "❌ triage: FAIL"
    assert [json.loads(line) for line in texts["log"].splitlines()]
    assert json.loads(texts["evidence"])["verdict"]["result"] == "FAIL"
    HTMLParser().feed(texts["html"])
    assert "hello" in texts["html"]


def test_github_gets_annotations_and_a_summary_and_mistakes_are_told(
    failed: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = failed.write("summary.md", "of another step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(failed.root.parent))
    ended = failed.run("runs", "report", "--format", "github", "--exit-zero")
    assert ended.code == 0
    verdict, broken = ended.out.splitlines()
    file = f"{failed.root.name}/suites/triage/suite.yaml"
    assert verdict.startswith(f"::error file={file},title=triage::FAIL: 1 case broken: 'hello'")
    assert broken.startswith(f"::error file={file},line=12,title=broken%3A hello (openai/fake)::broken, 0 of ")
    assert summary.read_text(encoding="utf-8").startswith("of another step\n## ❌ triage: FAIL\n")
    summary.write_text("x" * (LIMIT - 500), encoding="utf-8")
    failed.run("runs", "report", "--format", "github")
    assert LIMIT - 500 < summary.stat().st_size <= LIMIT
    for words, said in (
        (("--format", "jnuit"), "unknown format 'jnuit'"),
        (("--output", "junit"), "expected FORMAT=FILE, got 'junit'"),
        (("--output", "json=promptbench.toml/a.json"), "cannot write"),
        (("20000101",), "20000101"),
    ):
        ended = failed.run("runs", "report", *words)
        assert (ended.code, said in ended.err) == (2, True)


def test_no_verdict_leaves_no_evidence_and_keeps_its_code(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.adopt()
    server.script = lambda body: error(500, "down")
    project.write("promptbench.toml", (project.root / "promptbench.toml").read_text() + "\n")
    project.edit("promptbench.toml", "[providers", "retries = 0\noutage-minutes = 0\n[providers")
    ended = project.run("run", "-q", "--output", "evidence=a.json", "--output", "junit=a.xml")
    assert (ended.code, "no evidence is written: it needs a verdict" in ended.err) == (4, True)
    assert not (project.root / "a.json").exists()
    assert JUnitXml.fromfile(str(project.root / "a.xml")).errors > 0
    ended = project.run("runs", "report", "--format", "evidence")
    assert (ended.code, ended.out) == (4, "")

"""Cases with files over the command line: what is called, kept, reported, logged and captured again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptbench.client import PromptClient
from promptbench.prompts.prompt import WrongVariables
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.media import PDF, PNG
from tests.helpers.project import ProjectFolder

PROMPT = """\
{{role "system"}}
Say the colour.
{{role "user"}}
{{media url=photo}}
{{#each pages}}
{{media url=this}}
{{/each}}
{{note}}
"""
SUITE = """\
suite: colours
prompt: colours.prompt
models: [openai/fake]
cases:
  - case: one red pixel
    files: {photo: red.png, pages: [a.pdf], note: note.txt}
    expect: red
"""


@pytest.fixture
def server() -> Any:
    with FakeOpenAI(lambda body: "blue") as running:
        yield running


@pytest.fixture
def colours(project: ProjectFolder) -> ProjectFolder:
    project.write("suites/colours/suite.yaml", SUITE)
    project.write("suites/colours/colours.prompt", PROMPT)
    project.write("suites/colours/note.txt", "Which colour?\n")
    (project.root / "suites/colours/red.png").write_bytes(PNG)
    (project.root / "suites/colours/a.pdf").write_bytes(PDF)
    return project


def test_a_run_keeps_names_and_hashes_and_no_bytes(colours: ProjectFolder, server: FakeOpenAI) -> None:
    dry = colours.run("run", "suites/colours", "--dry-run")
    assert "tokens in (characters / 4, and 1,600 for each file, whose tokens are unknown)" in " ".join(dry.out.split())
    ended = colours.run("run", "suites/colours", "--output", "log=log.jsonl", "--output", "html=r.html")
    assert ended.code == 1
    content = server.received[0].body["messages"][1]["content"]
    assert [part["type"] for part in content] == ["image_url", "file", "text"]
    sent = content[0]["image_url"]["url"].partition(",")[2]
    kept = [path for path in colours.root.rglob("*") if path.is_file() and sent.encode() in path.read_bytes()]
    assert kept == []
    (line,) = (json.loads(line) for line in (colours.root / "log.jsonl").read_text(encoding="utf-8").splitlines()[:1])
    assert line["messages"][1]["content"].startswith(f"[red.png, PNG image, {len(PNG)} bytes]\n[a.pdf, PDF, ")
    # The log has enough to find the case again, and to write it into another suite.
    assert colours.run("import", "log.jsonl").code == 0
    captured = colours.run("capture", "suites/colours", "--all-clusters", "--dry-run")
    assert "0 cases would be added to suites/colours/suite.yaml, 1 case would be changed" in captured.out
    colours.edit("suites/colours/suite.yaml", "photo: red.png", "photo: a.pdf")
    captured = colours.run("capture", "suites/colours", "--all-clusters", "--dry-run")
    assert "+    files:\n+      photo: red.png\n+      pages: [a.pdf]\n" in captured.out


def test_a_new_case_names_its_files(colours: ProjectFolder) -> None:
    given = ("new", "case", "suites/colours", "--name", "two", "--expect", "red", "--var", "pages=", "--var", "note=hi")
    colours.edit("suites/colours/colours.prompt", "{{#each pages}}\n{{media url=this}}\n{{/each}}", "{{pages}}")
    colours.edit("suites/colours/suite.yaml", "pages: [a.pdf]", "pages: note.txt")
    assert "file 'rad.png' not found" in colours.run(*given, "--var", "photo=rad.png").err
    assert "files: {photo: red.png}" in colours.run(*given, "--var", "photo=red.png").out


def test_a_sheet_has_a_column_for_each_file(colours: ProjectFolder) -> None:
    assert colours.run("sheet", "export", "suites/colours", "--output", "cases.csv").code == 0
    rows = (colours.root / "cases.csv").read_text(encoding="utf-8-sig")
    assert rows.startswith("case,files.photo,files.pages,files.note,expect,")
    (colours.root / "cases.csv").write_text(rows.replace("red.png", "a.pdf"), encoding="utf-8")
    assert colours.run("sheet", "import", "cases.csv", "suites/colours").code == 0
    assert "photo: a.pdf" in (colours.root / "suites/colours/suite.yaml").read_text(encoding="utf-8")


def test_the_same_file_resumes_and_a_changed_one_does_not(colours: ProjectFolder, server: FakeOpenAI) -> None:
    run = ("run", "suites/colours", "--cache", "read")
    colours.run(*run)
    calls = len(server.received)
    colours.run(*run)
    assert len(server.received) == calls
    replay = ("run", "suites/colours", "--model", "recorded/openai/fake")
    assert colours.run(*replay).code == 1
    (colours.root / "suites/colours/red.png").write_bytes(PNG + b"\n")
    lost = colours.run(*replay)
    assert "no recording of openai/fake for this request" in " ".join((lost.out + lost.err).split())
    colours.run(*run)
    assert len(server.received) > calls


def test_get_and_the_client_take_files(colours: ProjectFolder) -> None:
    colours.edit("suites/colours/colours.prompt", "{{#each pages}}\n{{media url=this}}\n{{/each}}\n", "")
    colours.edit("suites/colours/suite.yaml", "pages: [a.pdf], ", "")
    assert colours.run("adopt", "suites/colours/colours.prompt", "--reason", "in use").code == 0
    photo = "suites/colours/red.png"
    given = ("--var", f"photo=@{photo}", "--var", "note=hi")
    body = colours.run("get", "colours", "--format", "anthropic", *given).data
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image", "text"]
    wrong = colours.run("get", "colours", "--var", "photo=x", "--var", "note=hi")
    assert "no value for 'photo'" in wrong.err

    prompt = PromptClient("prompt_store").get("colours@production")
    messages = prompt.render(photo=Path(photo), note=Path("suites/colours/note.txt"))
    assert [part.get("file", part.get("text")) for part in messages[1]["content"]] == [photo, "Which colour?"]
    with pytest.raises(WrongVariables, match="no value for 'photo'"):
        prompt.render(photo="red.png", note="hi")

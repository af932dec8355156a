from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.project import V1, ProjectFolder

SUITE = "suites/triage/suite.yaml"
BY_HAND = """\
# What a customer's message is about.
suite:   triage   # the name
prompt: triage.better.prompt
models: [ openai/fake ]

checks:
    -   json schema: output     # every answer

cases:
    # the easy ones
    -   case: "charged twice"
        vars: {message: 'I was charged, twice' }
        expect: {team: billing}   # never 'refund'


    -   case: hello
        vars:
            message: >-
                Hello,
                there
        expect: { team: other }
        # later: more

# the gate
gate: {repeats: 3}
"""


def call(name: str, message: str, answer: str | None, **more: Any) -> str:
    prompt = V1.strip().replace("{{message}}", message)
    messages = [{"role": "user", "content": prompt}]
    base = {"promptbench": "call/1", "id": name, "messages": messages, "answer": answer, "failed": "bad"}
    return json.dumps(base | {"time": "2026-11-20T08:00:00Z", "model": "openai/old"} | more) + "\n"


LOG = (
    call("INC-2031", "My parcel is late.\nWhere is it?", '{"team": "delivery"', tags=["eu", "captured"])
    + call("INC-2032", "I was charged", '{"team": "delivery"}')
    + call("INC-2033", "Hello", '{"team": "billing"}')
    + call("INC-2034", "Hello?", None, error="HTTP 503")
)


@pytest.fixture
def captured(project: ProjectFolder) -> ProjectFolder:
    """The project with a suite written by hand, the plain prompt in production, and a log with rendered prompts."""
    project.write(SUITE, BY_HAND)
    project.write("calls.jsonl", LOG)
    project.adopt()
    return project


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_git_diff_shows_only_the_added_cases(captured: ProjectFolder) -> None:
    git(captured.root, "init", "-q")
    git(captured.root, "add", SUITE)
    git(captured.root, "commit", "-q", "-m", "suite")
    ended = captured.run("capture", "suites/triage", "--log", "calls.jsonl#INC-2031", "--tag", "critical")
    assert (ended.code, ended.err) == (0, "")
    diff = git(captured.root, "diff", "--unified=0", "--", SUITE)
    changed = [line for line in diff.splitlines()[4:] if not line.startswith("@@") and line != "+"]
    assert changed == [
        "+    - case: INC-2031",
        "+      vars:",
        "+        message: |-",
        "+          My parcel is late.",
        "+          Where is it?",
        """+      was: '{"team": "delivery"'""",
        "+      tags: [captured, eu, critical]",
        "+      origin: {source: calls.jsonl, id: INC-2031, time: '2026-11-20T08:00:00Z', model: openai/old}",
    ]
    assert captured.run("validate", "suites/triage").code == 0


def test_what_is_said_of_a_captured_call(captured: ProjectFolder) -> None:
    ended = captured.run("capture", SUITE, "--log", "calls.jsonl#INC-2031")
    assert ended.out.splitlines() == [
        "red: 'INC-2031' fails by json schema: only readable after repair (unclosed), "
        "and the suite accepts 'extracted'",
        f"1 case added to {SUITE}; `git diff {SUITE}` shows it",
    ]
    again = captured.run("capture", SUITE, "--log", "calls.jsonl#INC-2031")
    assert again.out.startswith("already there: 'INC-2031' is the case 'INC-2031'\n0 cases")
    assert again.code == 0


def test_the_right_answer_of_a_log_becomes_expect(captured: ProjectFolder) -> None:
    asked = [{"role": "user", "content": "Which team is this for? I was charged"}]
    row = {"id": "g1", "messages": asked, "output": '{"team": "delivery"}', "expected": '{"team": "billing"}'}
    captured.write("gold.jsonl", json.dumps(row) + "\n")
    ended = captured.run("capture", SUITE, "--log", "gold.jsonl#g1", "--dry-run")
    assert ended.code == 0, ended.err
    assert "+      expect: {team: billing}\n" in ended.out
    assert "  added 'expect' from the log's own right answer\n1 case would be added" in ended.out
    assert not (captured.root / ".promptbench").exists()
    assert (captured.root / SUITE).read_text() == BY_HAND


@pytest.mark.parametrize(
    ("options", "added"),
    [
        (["--expect", "{team: other}"], ["expect: {team: other}"]),
        (["--should-be", '{"team": "other"}'], ["should be: {team: other}", "expect: {team: other}"]),
        (["--check", "not contains: billing"], ["- not contains: billing"]),
        (
            ["--check", "not contains: billing", "--should-be", '{"team": "other"}'],
            ["should be: {team: other}", "- not contains: billing", "expect: {team: other}"],
        ),
        (["--check", "[{not contains: billing}, {contains: other}]"], ["- contains: other"]),
    ],
)
def test_what_a_person_says_makes_it_red(captured: ProjectFolder, options: list[str], added: list[str]) -> None:
    ended = captured.run("capture", SUITE, "--log", "calls.jsonl#INC-2033", *options)
    assert ended.code == 0, ended.err
    text = (captured.root / SUITE).read_text()
    assert all(f" {line}\n" in text for line in added)
    assert captured.run("validate").code == 0


def test_what_passes_its_checks_does_not_enter(captured: ProjectFolder) -> None:
    ended = captured.run("capture", SUITE, "--log", "calls.jsonl#INC-2033")
    assert ended.code == 1
    assert (
        "not captured: 'INC-2033': its answer passes all its checks; the log says only 'bad'\n  hint: describe what"
        in ended.err
    )
    still = captured.run("capture", SUITE, "--log", "calls.jsonl#INC-2033", "--check", "contains: billing")
    assert (still.code, (captured.root / SUITE).read_text()) == (1, BY_HAND)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--log", "calls.jsonl#INC-2034"], 1, "it has no answer (HTTP 503)"),
        (["--log", "calls.jsonl#INC-9"], 2, "call 'INC-9' not found in calls.jsonl"),
        (["--log", "calls.jsonl"], 2, "expected FILE#ID"),
        (["--log", "gone.jsonl#1"], 2, "file not found: gone.jsonl"),
        (["--log", f"{SUITE}#1"], 2, "is text, but neither JSON nor a table with known columns"),
        ([], 2, "no call is named"),
        (["abc"], 2, "no calls are imported yet"),
        (["--log", "calls.jsonl#INC-2033", "--check", "containz: x"], 1, "unknown check 'containz'"),
        (["--log", "calls.jsonl#INC-2033", "--check", "{a: 1, b: 2}"], 2, "write one check per '- ' line"),
        (["--log", "calls.jsonl#INC-2033", "--expect", "{a"], 2, "the braces opened with { are not closed"),
        (
            ["--log", "calls.jsonl#INC-2033", "--expect", "{team: other}", "--should-be", '{"team": "billing"}'],
            1,
            "fails its own checks",
        ),
        (
            ["--log", "calls.jsonl#INC-2031", "--log", "calls.jsonl#INC-2033", "--expect", "1"],
            2,
            "need exactly one call",
        ),
    ],
)
def test_what_cannot_be_captured_is_said_and_nothing_changes(
    captured: ProjectFolder, options: list[str], code: int, said: str
) -> None:
    ended = captured.run("capture", SUITE, *options)
    assert ended.code == code
    assert said in ended.err
    assert (captured.root / SUITE).read_text() == BY_HAND
    assert sorted(path.name for path in (captured.root / "suites/triage").iterdir()) == [
        "suite.yaml",
        "triage.better.prompt",
        "triage.plain.prompt",
    ]


def test_a_suite_with_mistakes_is_mended_first(captured: ProjectFolder) -> None:
    captured.edit(SUITE, "json schema: output", "json schemata: output")
    before = (captured.root / SUITE).read_text()
    ended = captured.run("capture", SUITE, "--log", "calls.jsonl#INC-2031")
    assert ended.code == 2
    assert "unknown check 'json schemata'" in ended.err
    assert (captured.root / SUITE).read_text() == before


def test_a_case_that_nothing_can_fail_is_vacuous(captured: ProjectFolder) -> None:
    captured.write(SUITE, "suite: triage\nprompt: triage.plain.prompt\nmodels: [openai/fake]\n")
    ended = captured.run("capture", SUITE, "--log", "calls.jsonl#INC-2033")
    assert ended.code == 1
    assert "it would be vacuous: neither it nor the suite has checks" in ended.err


def test_a_suite_without_cases_and_checks_gets_both(captured: ProjectFolder) -> None:
    captured.write(SUITE, "suite: triage\nprompt: triage.better.prompt\nmodels: [openai/fake]\n")
    ended = captured.run("capture", SUITE, "--log", "calls.jsonl#INC-2031")
    assert ended.code == 0, ended.err
    assert "  added 'json schema: output', which the suite lacks\n" in ended.out
    text = (captured.root / SUITE).read_text()
    assert "\ncases:\n  - case: INC-2031\n" in text
    assert "    checks:\n      - json schema: output\n" in text
    assert captured.run("validate").code == 0


def test_imported_calls_are_captured_by_id_and_by_cluster(captured: ProjectFolder) -> None:
    assert captured.run("import", "calls.jsonl").code == 0
    ended = captured.run("capture", SUITE, "INC-2031", "--json")
    assert ended.code == 0, ended.err
    assert [item["case"] for item in ended.data["captured"]] == ["INC-2031"]
    ended = captured.run("capture", SUITE, "--all-clusters", "--json")
    assert ended.code == 1
    assert [item["id"] for item in ended.data["already_there"]] == ["INC-2031"]
    assert {item["id"] for item in ended.data["refused"]} <= {"INC-2032", "INC-2033"}
    top = captured.run("capture", SUITE, "--top", "1", "--json")
    assert len(top.data["already_there"]) + len(top.data["refused"]) == 1


def test_personal_data_of_a_log_file_is_replaced(captured: ProjectFolder) -> None:
    captured.write("mail.jsonl", call("m1", "Write to jo.smith@gmail.com", "{"))
    captured.run("capture", SUITE, "--log", "mail.jsonl#m1")
    text = (captured.root / SUITE).read_text()
    assert "jo.smith" not in text
    assert "@example.com" in text


def test_a_log_that_fits_no_prompt_says_why(captured: ProjectFolder) -> None:
    captured.write("other.jsonl", call("o1", "x", "{").replace("Which team", "What team"))
    ended = captured.run("capture", SUITE, "--log", "other.jsonl#o1")
    assert ended.code == 1
    assert "its variables cannot be recovered: message 1 does not start with the prompt's text" in ended.err


def test_messages_are_replayed_as_they_are_where_the_prompt_takes_them(captured: ProjectFolder) -> None:
    captured.write("suites/triage/triage.better.prompt", "---\noutput: {schema: {team: string}}\n---\n{{history}}\n")
    captured.write(SUITE, "suite: triage\nprompt: triage.better.prompt\nmodels: [openai/fake]\n")
    captured.write("other.jsonl", call("o1", "x", "{").replace("Which team", "What team"))
    ended = captured.run("capture", SUITE, "--log", "other.jsonl#o1")
    # What is in production has no place for them.
    assert (ended.code, "has no value for {{message}} of triage@1" in ended.err) == (1, True)
    captured.run("retire", "triage", "--label", "production", "--reason", "gone")
    ended = captured.run("capture", SUITE, "--log", "other.jsonl#o1")
    assert ended.code == 0, ended.err
    text = (captured.root / SUITE).read_text()
    assert "    messages:\n      - role: user\n        content: What team is this for? x\n" in text


def test_an_input_that_is_a_case_is_not_captured_again(captured: ProjectFolder) -> None:
    captured.write("same.jsonl", call("s1", "Hello, there", "{") + call("s2", "New", "{") + call("s3", "New", "["))
    ended = captured.run("capture", SUITE, *(word for name in "123" for word in ("--log", f"same.jsonl#s{name}")))
    assert ended.code == 1
    assert "not captured: 's1': the case 'hello' already has the same input" in ended.err
    assert "not captured: 's3': the case 's2' already has the same input" in ended.err
    assert ended.out.startswith("red: 's2' fails by json schema")


def test_names_are_unique_and_readable(captured: ProjectFolder) -> None:
    ids = ["3f2a9c1e-7b4d-4e1f-9a55-0c9d8e7f6a5b", "0f2a9c1e-7b4d-4e1f-9a55-0c9d8e7f6a5b", "hello"]
    captured.write("ids.jsonl", "".join(call(name, f"My order is late, and broken by {name}", "{") for name in ids))
    logs = [word for name in ids for word in ("--log", f"ids.jsonl#{name}")]
    ended = captured.run("capture", SUITE, *logs, "--json")
    assert [item["case"] for item in ended.data["captured"]] == [
        "My order is late and broken",
        "My order is late and broken (2)",
        "hello (2)",
    ]


def test_no_secret_of_a_log_is_in_any_file_of_the_project(captured: ProjectFolder) -> None:
    secrets = ("Hunter22x", "12.03.1985", "C01X00T47", "536-90-4399", "81.2.69.142", "38afes7a8xx", "bob@acme.com")
    text = (
        "Mein Passwort lautet Hunter22x, geboren am 12.03.1985, passport: C01X00T47, SSN 536-90-4399, 81.2.69.142, "
        "Cookie: sid=38afes7a8xx, bob@acme.com"
    )
    log = call("A", text, '{"team": "Hunter22x"') + call("B", text, "Hunter22x?") + call("C", text, None, error=text)
    captured.write("calls.jsonl", log)
    reports = ("--output", "json=report.json", "--output", "html=report.html")
    ended = [
        captured.run("import", "calls.jsonl"),
        captured.run("capture", SUITE, "--log", "calls.jsonl#A"),
        captured.run("failures", "suites/triage", *reports),
        captured.run("replay", "suites/triage", *reports),
        captured.run(
            "replay", "suites/triage", "--log", "calls.jsonl", "--output", "json=r.json", "--output", "html=r.html"
        ),
    ]
    assert all(item.code in (0, 1) for item in ended), [item.err for item in ended]
    assert not [item for item in secrets if any(item in part.out + part.err for part in ended)]
    (captured.root / "calls.jsonl").unlink()
    files = {path: path.read_bytes() for path in captured.root.rglob("*") if path.is_file()}
    assert any(b"999-99-" in content for content in files.values())
    assert [(path.name, item) for path, content in files.items() for item in secrets if item.encode() in content] == []


def test_default_values_are_not_written_again(project: ProjectFolder) -> None:
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [json]\ndefaults: {vars: {tone: dry}}")
    project.edit("suites/triage/triage.better.prompt", "Answer", "{{tone}}: answer")
    line = {"promptbench": "call/1", "id": "c1", "vars": {"message": "Lost"}, "answer": "No", "failed": "x"}
    project.write("calls.jsonl", json.dumps(line) + "\n")
    assert project.run("capture", "suites/triage", "--log", "calls.jsonl#c1").code == 0
    suite = (project.root / "suites/triage/suite.yaml").read_text(encoding="utf-8")
    assert "vars: {message: Lost}" in suite
    assert suite.count("tone") == 1
    project.write("again.jsonl", json.dumps({**line, "id": "c2"}) + "\n")
    assert "already has the same input" in project.run("capture", "suites/triage", "--log", "again.jsonl#c2").err

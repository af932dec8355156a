"""What each part of a prompt is worth, and a shorter prompt, against a real server on loopback."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.test_run import last_line
from tests.helpers.fake_openai import FakeOpenAI, answer
from tests.helpers.project import ProjectFolder, right

PROMPT = """\
---
config: {temperature: 0}
output: {schema: {team: string}}
---
{{role "system"}}
Be nice. Answer with JSON. Do not be rude.
{{role "user"}}
{{message}}
"""
SHORTER = PROMPT.replace("Be nice. ", "").replace(" Do not be rude.", "")
FILE, NEW = "suites/triage/triage.long.prompt", "suites/triage/triage.shorter.prompt"
ABLATE = ("ablate", FILE)


def answers(body: dict[str, Any]) -> str:
    """A model that needs one of the three sentences."""
    first, last = body["messages"][0]["content"], body["messages"][-1]["content"]
    return right(last) if "Answer with JSON." in first else "billing, I think"


@pytest.fixture
def long(project: ProjectFolder, server: FakeOpenAI) -> ProjectFolder:
    project.write(FILE, PROMPT)
    # One call of each case is enough.
    project.edit("suites/triage/suite.yaml", "[openai/fake]", "[{model: openai/fake, deterministic: true}]")
    server.script = answers
    return project


def test_what_is_not_needed_is_left_out(long: ProjectFolder, server: FakeOpenAI) -> None:
    ended = long.run(*ABLATE, "--json")
    assert ended.code == 0, ended.out + ended.err
    found = ended.data["ablation"]
    worths = [(row["text"], row["without_it"], row["gained"], row["lost"]) for row in found["parts"]]
    assert worths == [
        ("Be nice.", "not worse", 0, 0),
        ("Answer with JSON.", "worse", 3, 0),
        ("Do not be rude.", "not worse", 0, 0),
        ("sentence 1, sentence 3", "not worse", 0, 0),
    ]
    assert found["sentence"].startswith(
        "PASS: triage.long without sentence 1, sentence 3 is not worse than triage.long"
    )
    assert (found["file"], (long.root / NEW).read_text(encoding="utf-8")) == (NEW, SHORTER)
    # What the run compared promotes nothing.
    assert long.run("promote", "triage").code == 2

    long.write(NEW, "another prompt: {{message}}\n")
    ended = long.run(*ABLATE)
    assert "wrote suites/triage/triage.shorter-2.prompt" in ended.out
    assert (long.root / NEW).read_text(encoding="utf-8") == "another prompt: {{message}}\n"
    assert long.run(*ABLATE).code == 0
    assert not (long.root / "suites/triage/triage.shorter-3.prompt").exists()


def test_parts_that_only_together_are_needed(long: ProjectFolder, server: FakeOpenAI) -> None:
    """The verdict on the shorter prompt is about the whole of what was left out."""
    rule = ("Be nice.", "Answer with JSON.")
    server.script = lambda body: (
        right(body["messages"][-1]["content"]) if any(map(str(body).__contains__, rule)) else "?"
    )
    ended = long.run(*ABLATE)
    assert ended.code == 1
    assert last_line(ended.out).startswith("FAIL: triage.long without sentence 1, sentence 2 is worse")
    assert not (long.root / NEW).exists()


@pytest.mark.slow
def test_where_answers_vary_a_budget_stops_it_and_the_same_command_resumes(
    long: ProjectFolder, server: FakeOpenAI
) -> None:
    long.edit("suites/triage/suite.yaml", ", deterministic: true", "")
    assert long.run(*ABLATE).code == 0
    calls = len(server.received)
    (long.root / NEW).unlink()
    (long.root / ".promptbench" / "runs.sqlite").unlink()
    codes = []
    while not codes or (codes[-1] == 4 and len(codes) < 9):
        codes.append(long.run(*ABLATE, "--max-calls", "35").code)
    assert (codes[0], codes[-1]) == (4, 0)
    assert len(server.received) == 2 * calls
    assert (long.root / NEW).read_text(encoding="utf-8") == SHORTER


def test_the_dry_run_has_both_stages(long: ProjectFolder, server: FakeOpenAI) -> None:
    ended = long.run("ablate", "suites/triage", "--prompt", FILE, "--dry-run", "--json")
    stages = [(plan["candidate"], plan["expected"]["openai/fake"]["calls"]) for plan in ended.data["ablation"]]
    assert stages == [
        ("without sentence 1, sentence 2, sentence 3,", 13),
        ("without all that it does not need, at most,", 7),
    ]
    assert not server.received


def test_costs_and_tokens_are_those_of_the_part(long: ProjectFolder, server: FakeOpenAI) -> None:
    def script(body: dict[str, Any]) -> Any:
        tokens = len(str(body["messages"]))
        return answer(
            answers(body), usage={"prompt_tokens": tokens, "completion_tokens": 5, "total_tokens": tokens + 5}
        )

    server.script = script
    rows = long.run(*ABLATE, "--first", "1", "--json").data["ablation"]["parts"]
    assert [row["input_tokens"] for row in rows][:3] == [
        len("Be nice. "),
        len("Answer with JSON. "),
        len(" Do not be rude."),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("suites/triage", "--prompt", FILE, "--by", "example"), "has no example that can be left out"),
        (("suites/triage/none.prompt",), "not found"),
        (("suites/lone.prompt",), "no suite tests the prompt of suites/lone.prompt"),
        (("suites/triage", "--by", "word"), "Invalid value for '--by': 'word' is not one of 'example'"),
        (("suites",), "there are several suites for suites"),
        (ABLATE[1:], f"there are several suites for {FILE}"),
    ],
)
def test_what_cannot_be_ablated(long: ProjectFolder, arguments: tuple[str, ...], words: str) -> None:
    long.write(
        "suites/other/suite.yaml",
        (long.root / "suites/triage/suite.yaml").read_text().replace("suite: triage", "suite: o"),
    )
    for name in ("other/triage.better.prompt", "other/triage.long.prompt", "lone.prompt"):
        long.write(f"suites/{name}", PROMPT)
    ended = long.run("ablate", *arguments)
    assert ended.code == 2
    assert words in ended.err

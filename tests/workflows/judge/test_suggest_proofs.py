"""What `suggest` must find and must refuse, with the embedded model as the task and a scripted server as the writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from promptbench.project import Project, Selection
from promptbench.workflows.judge.suggest import split
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.local_model import need_model
from tests.helpers.project import ProjectFolder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.local_model,
    pytest.mark.xdist_group("local_model"),
    pytest.mark.timeout(1200),
]

CAPITALS = """
    France Paris Germany Berlin Italy Rome Spain Madrid Portugal Lisbon Austria Vienna Greece Athens Poland Warsaw
    Hungary Budapest Ireland Dublin Norway Oslo Sweden Stockholm Finland Helsinki Denmark Copenhagen Belgium Brussels
    Russia Moscow Ukraine Kyiv Japan Tokyo China Beijing India Delhi Egypt Cairo Kenya Nairobi Peru Lima Chile Santiago
    Cuba Havana Canada Ottawa Turkey Ankara Iran Tehran Iraq Baghdad Thailand Bangkok
"""
# Nobody can know which animal belongs to whom.
ANIMALS = """
    Anna tiger Bruno horse Clara eagle David shark Emma rabbit Felix donkey Greta lizard Henry camel Ida goose Jonas
    panda Karin zebra Louis otter Maria raven Nico snail Olga bison Paul crab Quentin hyena Rosa lemur Simon moose Tina
    parrot Ulrich badger Vera turtle Walter falcon Xenia spider Yuri beaver Zoe monkey Amir wolf Bella salmon
"""
SUGGEST = ("suggest", "suites/names", "--by", "openai/writer", "--json", "--proposals")


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    need_model()
    with FakeOpenAI() as running:
        yield running


@pytest.fixture
def project(
    tmp_path: Path, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    return ProjectFolder(tmp_path, server.base_url, capsys)


def set_up(project: ProjectFolder, words: str, prompt: str, tokens: int) -> dict[str, str]:
    """Write a suite with a case for each name, adopt its prompt, and return what belongs to each name."""
    pairs = words.split()
    known = dict(zip(pairs[::2], pairs[1::2], strict=True))
    cases = [
        f"  - case: {name}\n    vars: {{name: {name}}}\n"
        f"    was: somebody who knew it spoke of {name} and nothing else\n"
        f"    checks: [{{contains: {answer}}}]\n"
        for name, answer in known.items()
    ]
    head = "suite: names\nprompt: names.prompt\nmodels: [gguf/smollm2-135m]\ncases:\n"
    project.write("suites/names/suite.yaml", head + "".join(cases))
    config = f"config: {{temperature: 0, maxOutputTokens: {tokens}}}"
    project.write("suites/names/names.prompt", f"---\n{config}\n---\n{prompt}\n")
    ended = project.run("adopt", "suites/names/names.prompt", "--reason", "in use")
    assert ended.code == 0, ended.err
    return known


def proposed_from(project: ProjectFolder) -> list[str]:
    opened = Project.open(project.root)
    with opened.prompts() as store, opened.runs() as runs:
        [prepared], _ = opened.assemble(Selection((project.root / "suites/names",)), store=store, runs=runs)
    return split(prepared)[0]


def test_a_sentence_that_helps_is_found(project: ProjectFolder, server: FakeOpenAI) -> None:
    set_up(project, CAPITALS, "Write about {{name}}.", tokens=12)
    server.script = ["```\nWrite kindly about {{name}}.\n```", "```\nWhat is the capital of {{name}}?\n```"]
    ended = project.run(*SUGGEST, "2")
    assert ended.code == 0, ended.out + ended.err
    best = ended.data["suggestions"][0]
    assert best["source"].endswith("\nWhat is the capital of {{name}}?\n")
    assert best["p"] <= best["level"]
    assert best["gain"] > 0
    assert best["fixed"] > 5
    assert best["broken"] == 0
    assert ended.data["sentence"].endswith(": PASS")


def test_a_table_of_the_cases_is_refused(project: ProjectFolder, server: FakeOpenAI) -> None:
    known = set_up(project, ANIMALS, "Which animal belongs to {{name}}?", tokens=70)
    seen = proposed_from(project)
    table = "\n".join(f"If somebody who knew it spoke of {name}: {known[name]}" for name in seen)
    # No five words in a row are those of a case.
    smuggled = f"Repeat this list of words: {', '.join(known[name] for name in seen)}.\n\nIt is for {{{{name}}}}."
    server.script = [f"```\n{text}\n```" for text in (f"{table}\n{{{{name}}}}", smuggled)]
    ended = project.run(*SUGGEST, "2", "--growth", "50")
    assert ended.code == 1, ended.out + ended.err
    assert ended.data["discarded"] == {"with words of a case": 1}
    [row] = ended.data["suggestions"]
    assert row["gain"] >= 4
    assert row["fixed"] == 0
    assert row["gap"] > 0.2
    assert row["result"] == "FAIL"
    assert row["file"] is None
    assert not list((project.root / "suites/names").glob("*.suggested-*"))

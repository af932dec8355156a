"""`run --changed`: what a pull request changes is judged, and nothing else is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import SUITE, V2, ProjectFolder
from tests.helpers.repository import Repository


@pytest.fixture
def repository(project: ProjectFolder) -> Repository:
    """Two suites on main, and a branch that has changed nothing yet."""
    project.write(
        "suites/other/suite.yaml", SUITE.replace("suite: triage", "suite: other").replace("triage.", "other.")
    )
    project.write("suites/other/other.better.prompt", V2)
    project.write("src/app.py", "")
    project.adopt()
    made = Repository(project.root)
    made.branch()
    return made


def chosen(project: ProjectFolder, *words: str) -> list[str]:
    """The suites that would be judged."""
    ended = project.run("run", "--changed", "--dry-run", "--json", *words)
    assert ended.code == 0, ended.err
    return [plan["suite"] for plan in ended.data["suites"]]


def test_nothing_changed_is_code_7_and_asks_nothing(
    project: ProjectFolder, repository: Repository, server: FakeOpenAI
) -> None:
    project.write("src/app.py", "changed = True\n")
    repository.commit()
    ended = project.run("run", "--changed", "--output", "junit=out/junit.xml")
    assert (ended.code, ended.out) == (7, "")
    assert "no suite is affected by changes since" in ended.err
    assert "(main)" in ended.err
    assert server.connections == 0
    github = project.run("run", "--changed", "--format", "github")
    assert (github.code, github.out.startswith("::notice title=promptbench::no suite is affected")) == (7, True)


def test_only_the_suite_that_changed_is_chosen(project: ProjectFolder, repository: Repository) -> None:
    project.write("suites/other/other.better.prompt", V2.replace("Answer", "Please answer"))
    repository.commit()
    ended = project.run("run", "--changed", "-q")
    assert ended.code == 0
    assert "(main) changed: suites/other; 1 other suite is not judged" in ended.err
    assert chosen(project, "suites/triage", "suites/other") == ["other"]
    assert project.run("run", "--changed", "suites/triage").code == 7


def test_what_is_not_committed_counts_too(project: ProjectFolder, repository: Repository) -> None:
    project.write("suites/other/new.prompt", V2)
    assert chosen(project) == ["other"]
    project.edit("suites/triage/suite.yaml", "twice", "thrice")
    assert chosen(project) == ["other", "triage"]


def test_a_change_is_counted_from_where_the_branch_left(project: ProjectFolder, repository: Repository) -> None:
    project.edit("suites/triage/suite.yaml", "hello", "hello there")
    mine = repository.commit()
    repository.git("checkout", "--quiet", "main")
    project.edit("suites/other/suite.yaml", "hello", "good morning")
    repository.commit()
    repository.git("checkout", "--quiet", "work")
    assert chosen(project) == ["triage"]
    assert chosen(project, "--changed-since", "main") == ["triage"]
    assert project.run("run", "--changed-since", mine).code == 7


def test_ci_says_where_the_branch_goes(
    project: ProjectFolder, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.git("update-ref", "refs/remotes/origin/release", "HEAD")
    project.edit("suites/triage/suite.yaml", "hello", "hello there")
    repository.commit()
    repository.git("branch", "--force", "main", "HEAD")
    assert project.run("run", "--changed").code == 7
    monkeypatch.setenv("GITHUB_BASE_REF", "release")
    assert chosen(project) == ["triage"]
    monkeypatch.setenv("GITHUB_BASE_REF", "gone")
    ended = project.run("run", "--changed")
    assert (ended.code, "commit 'origin/gone' not found in this clone" in ended.err) == (2, True)
    assert "git fetch origin gone" in ended.err


def test_the_logged_answers_must_fail_first(project: ProjectFolder, repository: Repository, server: FakeOpenAI) -> None:
    was = '    was: \'{"team": "other"}\'\n'
    project.edit("suites/triage/suite.yaml", "expect: {team: other}\n", "expect: {team: other}\n" + was)
    ended = project.run("run", "--changed")
    assert (ended.code, "error[PB504]" in ended.err) == (2, True)
    assert server.connections == 0
    github = project.run("run", "--changed", "--format", "github").out.splitlines()
    assert github[0].startswith("::error file=suites/triage/suite.yaml,line=15,col=10,title=PB504::")
    assert github[1:] == ["::error title=promptbench::1 error"]


def test_settings_concern_all_suites_and_the_rest_of_a_pyproject_none(
    project: ProjectFolder, repository: Repository
) -> None:
    settings = (project.root / "promptbench.toml").read_text(encoding="utf-8")
    (project.root / "promptbench.toml").unlink()
    ours = settings.replace("[providers", "[tool.promptbench.providers")
    project.write("pyproject.toml", f"[project]\nname = 'app'\n{ours}")
    repository.commit()
    repository.git("branch", "--force", "main", "HEAD")
    project.edit("pyproject.toml", "'app'", "'application'")
    assert project.run("run", "--changed").code == 7
    project.write("pyproject.toml", f"[project]\nname = 'app'\n{ours}\n[tool.promptbench]\nretries = 1\n")
    assert chosen(project) == ["other", "triage"]


def test_where_git_knows_nothing_it_says_why(project: ProjectFolder, tmp_path: Path) -> None:
    ended = project.run("run", "--changed")
    assert (ended.code, "--changed needs git" in ended.err and "not a git repository" in ended.err) == (2, True)
    made = Repository(tmp_path)
    made.git("checkout", "--quiet", "--orphan", "fresh")
    assert "this git repository has no commit" in project.run("run", "--changed").err
    made.commit()
    ended = project.run("run", "--changed")
    assert (ended.code, "no common commit with 'main'" in ended.err) == (2, True)
    assert "fetch-depth: 0" in ended.err
    assert project.run("run", "--changed-since", "--output=x").code == 2
    made.git("branch", "--delete", "--force", "main")
    assert "cannot determine the branch" in project.run("run", "--changed").err

"""Where a command works, and what it is told to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import InputError, NothingSelected
from promptbench.engine.prepare.options import Selection
from promptbench.project import Project, version_of
from tests.helpers.project import SUITE, V1, V2


@pytest.fixture
def workspace(tmp_path: Path) -> Project:
    (tmp_path / "promptbench.toml").write_text("")
    for name in ("one", "two"):
        folder = tmp_path / "suites" / name
        folder.mkdir(parents=True)
        (folder / "suite.yaml").write_text(SUITE.replace("suite: triage", f"suite: {name}"))
        (folder / "triage.better.prompt").write_text(V2)
    return Project.open(tmp_path / "suites" / "one", {"OPENAI_API_KEY": "sk-test-0123456789"})


def test_the_root_is_found_from_below(workspace: Project, tmp_path: Path) -> None:
    assert workspace.settings.root == tmp_path.resolve()
    assert workspace.shown(tmp_path / "suites" / "one") == "suites/one"


def test_suites_by_folder_by_file_and_all_of_them(workspace: Project, tmp_path: Path) -> None:
    one, two = (tmp_path / "suites" / name / "suite.yaml" for name in ("one", "two"))
    assert workspace.suite_files([]) == [one, two]
    assert workspace.suite_files([tmp_path / "suites"]) == [one, two]
    assert workspace.suite_files([one, one.parent]) == [one]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError):
        workspace.suite_files([empty])


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("suite/one", "file not found", "did you mean 'suites/one'?"),
        ("suites/two/suite.yml", "file not found", "did you mean 'suites/two'?"),
        ("suites/one/empty", "no suite.yaml found in this folder", "did you mean 'suites/one'?"),
        ("x", "file not found", "suites here: suites/one, suites/two"),
    ],
)
def test_a_path_without_a_suite(
    workspace: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, message: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites" / "one" / "empty").mkdir()
    with pytest.raises(InputError) as error:
        workspace.suite_files([Path(written)])
    assert [(str(item.location.path), item.message, item.hint) for item in error.value.diagnostics] == [
        (written, message, hint)
    ]


def test_no_suite_at_all(tmp_path: Path) -> None:
    with pytest.raises(NothingSelected):
        Project.open(tmp_path, {}).suite_files([])


def test_two_suites_of_one_name_are_refused(workspace: Project, tmp_path: Path) -> None:
    (tmp_path / "suites" / "two" / "suite.yaml").write_text(SUITE.replace("suite: triage", "suite: one"))
    with workspace.prompts() as store, pytest.raises(InputError) as caught:
        workspace.assemble(Selection(), store=store, runs=None)
    assert [item.message for item in caught.value.diagnostics] == [
        "two suites are named 'one': suites/one/suite.yaml and suites/two/suite.yaml"
    ]


def test_cases_and_tags_select(workspace: Project) -> None:
    with workspace.prompts() as store:
        benches, _ = workspace.assemble(Selection(cases=("h*",)), store=store, runs=None)
        assert [[case.name for case in bench.cases] for bench in benches] == [["hello"], ["hello"]]
        assert all(bench.partial for bench in benches)
        with pytest.raises(NothingSelected):
            workspace.assemble(Selection(tags=("nothing",)), store=store, runs=None)


def test_a_version_is_what_the_text_says() -> None:
    tagged, content = version_of(V1)
    assert tagged == version_of(V1.replace("\n", "\r\n"))[0]
    assert content["messages"] == [{"role": "user", "content": "Which team is this for? {{message}}"}]
    assert version_of(V2)[0] != tagged
    with pytest.raises(InputError):
        version_of("{{#if a}}")

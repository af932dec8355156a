"""The guide on CI: its recipes are run in real repositories, its workflows checked by GitHub's own schema."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
import venv
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from jsonschema import Draft7Validator
from junitparser import JUnitXml

from tests.cli.conftest import project, server
from tests.docs.test_console import DOCS, ROOT, blocks
from tests.helpers.fake_http import FakeHttp
from tests.helpers.fake_openai import Received, Step, as_json
from tests.helpers.project import ProjectFolder
from tests.helpers.repository import Repository
from tests.report.golden import check

__all__ = ["project", "server"]

GUIDE = DOCS / "guides" / "ci.md"
ACTION = ROOT / ".github" / "actions" / "promptbench"
SHELL = shutil.which("bash")
needs_shell = pytest.mark.skipif(SHELL is None, reason="there is no bash here")


def schema(name: str) -> Draft7Validator:
    """A schema as the package `check-jsonschema` brings it."""
    file = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json"
    return Draft7Validator(json.loads(file.read_text(encoding="utf-8")))


def action() -> Any:
    return yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def repository(project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A project with recorded answers, a prompt in production, and a branch; `promptbench` is on the path."""
    project.adopt()
    # A shard makes all tries that the whole may need, so its recordings are enough for both.
    assert project.run("run", "-q", "--shard", "1/1").code == 0
    project.edit("suites/triage/suite.yaml", "openai/fake", "recorded/openai/fake")
    made = Repository(project.root)
    made.branch()
    command = tmp_path.with_name(f"{tmp_path.name}-bin") / "promptbench"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m promptbench "$@"\n', encoding="utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return made


def shell(root: Path, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A script as GitHub's runner and most others start it."""
    assert SHELL
    return subprocess.run(
        [SHELL, "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=root,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def empty_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment whose Python comes first, and its packages. It sees the libraries here, for lack of an index."""
    venv.create(folder, with_pip=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    # 0 is pip's way to say yes here.
    for name, value in (("BUILD_ISOLATION", "0"), ("DEPS", "1"), ("INDEX", "1")):
        monkeypatch.setenv(f"PIP_NO_{name}", value)
    return packages


@pytest.mark.slow
@needs_shell
def test_the_recipe_judges_and_the_other_promotes(repository: Repository, project: ProjectFolder) -> None:
    judge, promote = blocks(GUIDE, "sh")
    done = shell(repository.root, judge)
    assert (done.returncode, "no suite is affected by changes" in done.stderr) == (0, True)
    project.edit("suites/triage/suite.yaml", "case: hello\n", "case: hello\n    note: said first\n")
    repository.commit()
    done = shell(repository.root, judge)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("PASS: ")
    found = {
        path.relative_to(repository.root / "reports").as_posix() for path in (repository.root / "reports").rglob("*.*")
    }
    assert found == {"junit.xml", "report.html", "summary.md", "evidence/triage.json"}
    assert JUnitXml.fromfile(str(repository.root / "reports/junit.xml")).failures == 0

    upstream = repository.root.with_name(f"{repository.root.name}-upstream")
    repository.git("clone", "--quiet", "--bare", ".", str(upstream))
    repository.git("remote", "add", "origin", str(upstream))
    repository.git("push", "--quiet", "--set-upstream", "origin", "work")
    who = {f"GIT_{role}_{what}": "ci@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = shell(repository.root, promote, GITHUB_ACTOR="ada", **who)
    assert done.returncode == 0, done.stderr
    assert "triage@2 is now production (was triage@1)" in done.stdout
    assert "prompt_store/text/triage/versions/2-" in repository.git("show", "--name-only", "origin/work")
    assert "@1 → @2  by ada" in project.run("prompts", "history", "triage").out
    shutil.rmtree(repository.root / "reports")
    assert shell(repository.root, promote, **who).returncode == 0
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [jsn]")
    done = shell(repository.root, judge)
    assert (done.returncode, "error[PB501]" in done.stderr) == (2, True)


def run_step(
    root: Path, name: str, environ: dict[str, str], action: Path = ACTION, **inputs: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """A step of the action as the runner takes it: how it ended, its outputs and its summary."""
    data = yaml.safe_load((action / "action.yml").read_text(encoding="utf-8"))
    given = {name: str(item["default"]) for name, item in data["inputs"].items()} | inputs
    [step] = [step for step in data["runs"]["steps"] if name in (step.get("id"), step.get("name"))]
    context = {f"inputs.{name}": value for name, value in given.items()}
    context |= {"github.event_name": "pull_request", "github.event.pull_request.number": "7"}

    def filled(text: str) -> str:
        """`${{ a || (b == 'text' && c) || '' }}`: of such an expression the first part that is not empty."""
        parts = re.fullmatch(r"\$\{\{ (.*) \}\}", text)
        assert parts, text
        return next(filter(None, (context.get(part.strip(), "") for part in parts[1].split("||"))), "")

    files = {name: root / "out" / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    files["GITHUB_OUTPUT"].parent.mkdir(exist_ok=True)
    for file in files.values():
        file.write_text("", encoding="utf-8")
    # The token of the runner stands in the default of an input.
    filled_in = {
        name: filled(value).replace("${{ github.token }}", "t0ken") for name, value in step.get("env", {}).items()
    }
    known = {"GITHUB_WORKSPACE": str(root), "GITHUB_ACTION_PATH": str(action)}
    done = shell(
        root / filled(step.get("working-directory", "${{ inputs.working-directory }}")),
        step["run"],
        **{**known, **environ, **filled_in, **{name: str(file) for name, file in files.items()}},
    )
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines())
    return done, outputs, files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")


@needs_shell
def test_the_action_annotates_leaves_reports_and_fails_as_the_command_does(
    repository: Repository, project: ProjectFolder
) -> None:
    done, outputs, summary = run_step(repository.root, "run", {})
    assert (done.returncode, outputs, summary) == (0, {"exit-code": "7"}, ""), done.stderr
    assert done.stdout.startswith("::notice title=promptbench::no suite is affected")

    project.edit("suites/triage/suite.yaml", "case: hello\n", "case: hello\n    note: said first\n")
    inputs = {"suites": "suites/triage\nsuites/triage/suite.yaml", "options": "--max-cost 2 -q", "reports": "out"}
    inputs |= {"changed-since": "0" * 40, "allow-no-keys": "true"}
    done, outputs, summary = run_step(repository.root, "run", {}, **inputs)
    assert (done.returncode, outputs) == (0, {"exit-code": "0"}), done.stderr
    assert done.stdout.startswith("::notice file=suites/triage/suite.yaml,title=triage::PASS")
    assert summary.startswith("## ✅ triage: PASS")
    reports = {path.name for path in (repository.root / "out").rglob("*.*")}
    assert reports == {"junit.xml", "report.html", "report.json", "summary.md", "triage.json"}

    project.edit("suites/triage/suite.yaml", "recorded/openai/fake", "openai/gpt-4.1-mini")
    project.write("promptbench.toml", "")
    done, outputs, _ = run_step(repository.root, "run", {})
    assert (done.returncode, outputs) == (4, {"exit-code": "4"})
    assert "::error file=suites/triage/suite.yaml,line=3,col=10,title=PB403::" in done.stdout


class Comments:
    """The comments of pull request 7, as GitHub keeps them: a page of a hundred by others before those written here."""

    def __init__(self) -> None:
        user = {"type": "User"}
        # A person who copied the mark is not the action.
        texts = ["hello"] * 99 + ["<!-- promptbench: prompts / judge -->\nmine"]
        self.kept = [{"id": number, "user": user, "body": text} for number, text in enumerate(texts)]
        self.refused = False

    def answer(self, received: Received) -> Step:
        root, _, query = received.path.partition("?")
        if self.refused or received.authorization != "Bearer t0ken":
            return as_json({"message": "Resource not accessible by integration"}, status=403)
        issues = "/repos/acme/desk/issues"
        if received.method == "GET" and root == f"{issues}/7/comments":
            page = int(parse_qs(query)["page"][0])
            return as_json(self.kept[page * 100 - 100 : page * 100])
        if received.method == "POST" and root == f"{issues}/7/comments":
            self.kept.append({"id": len(self.kept), "user": {"type": "Bot"}, **received.body})
            return as_json(self.kept[-1], status=201)
        assert (received.method, root.rpartition("/")[0]) == ("PATCH", f"{issues}/comments")
        self.kept[int(root.rpartition("/")[2])].update(received.body)
        return as_json({})


@pytest.mark.slow
@needs_shell
def test_a_clean_clone_installs_itself_judges_and_keeps_one_comment(
    repository: Repository, project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step that the action has, out of a clone of this project; only the upload of the artifact is GitHub's."""
    clone = tmp_path.with_name(f"{tmp_path.name}-action")
    subprocess.run(["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), str(clone)], check=True, timeout=60)
    path = clone / ".github/actions/promptbench"
    shutil.copytree(ACTION, path, dirs_exist_ok=True)
    packages = empty_environment(clone / "venv", monkeypatch)
    done, _, _ = run_step(repository.root, "install", {}, path)
    assert done.returncode == 0, done.stderr
    assert (packages / "promptbench/__main__.py").is_file()

    project.edit("suites/triage/suite.yaml", "case: hello\n", "case: hello\n    note: said first\n")
    github = Comments()
    with FakeHttp(lambda _: github.answer(server.received[-1])) as server:
        environ = {
            **{"GITHUB_API_URL": server.base_url, "GITHUB_SERVER_URL": "https://github.example"},
            **{"GITHUB_REPOSITORY": "acme/desk", "GITHUB_WORKFLOW": "prompts", "GITHUB_JOB": "judge"},
        }

        def comment(run: str) -> str:
            done, _, _ = run_step(repository.root, "comment", {**environ, "GITHUB_RUN_ID": run}, path)
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        assert comment("1") == "there is nothing to report, so no comment was written"
        done, outputs, _ = run_step(repository.root, "run", {}, path)
        assert (done.returncode, outputs) == (0, {"exit-code": "0"}), done.stderr
        assert comment("2") == "wrote the comment"
        [made] = github.kept[100:]
        check("comment.md", re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", made["body"]))
        assert comment("3") == "updated the comment"
        assert "[run 3](https://github.example/acme/desk/actions/runs/3)" in github.kept[-1]["body"]
        shutil.rmtree(repository.root / "promptbench-reports")
        assert comment("4") == "updated the comment"
        assert "had nothing to judge" in github.kept[-1]["body"]
        assert len(github.kept) == 101
        github.refused = True
        assert comment("5").startswith("::warning title=promptbench::the comment could not be written (HTTP Error 403")


def test_the_action_is_one() -> None:
    schema("github-actions").validate(action())
    given = set(re.findall(r"(?:\$\{\{|&&) *inputs\.([a-z-]+)", (ACTION / "action.yml").read_text(encoding="utf-8")))
    assert given == set(action()["inputs"])
    # An input in a script would be run by the shell as a part of it.
    steps = action()["runs"]["steps"]
    assert not any("${{" in step.get("run", "") for step in steps)
    # A tag can be moved by whoever owns the action; a commit cannot.
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)


def test_the_workflows_in_the_guide_are_some_and_name_what_the_action_has() -> None:
    workflows = [yaml.load(block, yaml.BaseLoader) for block in blocks(GUIDE, "yaml")]
    assert [workflow["name"] for workflow in workflows] == ["prompts", "promote", "nightly"]
    for block in blocks(GUIDE, "yaml"):
        data = yaml.safe_load(block)
        # YAML 1.1 reads the key `on` as true.
        schema("github-workflows").validate({("on" if key is True else key): value for key, value in data.items()})
    steps = [step for flow in workflows for job in flow["jobs"].values() for step in job["steps"]]
    used = [step for step in steps if step.get("uses") == "OWNER/REPO/.github/actions/promptbench@TAG"]
    assert used
    assert all(set(step.get("with", {})) <= set(action()["inputs"]) for step in used)
    scripts = [step["run"] for step in steps if "run" in step]
    assert blocks(GUIDE, "sh")[1] in scripts


def test_the_other_recipes_fit_their_schemas() -> None:
    gitlab, hooks = (yaml.safe_load(block) for block in blocks(GUIDE, "yml"))
    schema("gitlab-ci").validate(gitlab)
    # 7 stands for nothing to judge: yellow in GitLab, and not red.
    assert gitlab["prompts"]["allow_failure"] == {"exit_codes": [7]}
    [offered] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks["repos"][0]["hooks"]] == [offered["id"]]


@pytest.mark.slow
@needs_shell
def test_the_commands_that_gitlab_runs(repository: Repository, project: ProjectFolder) -> None:
    """The last command of its script, on a branch that changes nothing, and on one that does."""
    command = yaml.safe_load(blocks(GUIDE, "yml")[0])["prompts"]["script"][-1]
    base = repository.git("rev-parse", "main")
    assert shell(repository.root, command, CI_MERGE_REQUEST_DIFF_BASE_SHA=base).returncode == 7
    project.edit("suites/triage/suite.yaml", "case: hello\n", "case: hello\n    note: said first\n")
    repository.commit()
    done = shell(repository.root, command, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert (done.returncode, done.stdout.splitlines()[-1][:6]) == (0, "PASS: "), done.stderr
    assert JUnitXml.fromfile(str(repository.root / "reports/junit.xml")).failures == 0


def test_the_hook_validates_and_is_asked_where_a_suite_changes(project: ProjectFolder) -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    asked = re.compile(hook["files"]).search
    assert all(
        map(asked, ("suites/triage/suite.yaml", "app/suites/triage/logs.jsonl", "promptbench.toml", "a/b.prompt"))
    )
    assert not any(map(asked, ("README.md", "src/app.py")))
    words = shlex.split(hook["entry"])[1:]
    assert project.run(*words).code == 0
    project.edit("suites/triage/suite.yaml", "checks: [json]", "checks: [jsn]")
    assert project.run(*words).code == 2


@pytest.mark.slow
@needs_shell
def test_the_container_file_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands in order, with folders here for the machine's paths; not apt-get, which needs root and a network."""
    lines = [
        line.split(maxsplit=1)
        for line in (ROOT / ".github/Containerfile").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert [line[0] for line in lines] == ["FROM", "RUN", "COPY", "RUN", "RUN", "WORKDIR", "ENTRYPOINT"]
    empty_environment(tmp_path / "venv", monkeypatch)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "gitconfig"))
    assert lines[2][1] == ". /src"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), str(tmp_path / "src")], check=True, timeout=60
    )
    for _, command in (lines[3], lines[4]):
        done = shell(tmp_path, command.replace("/src", str(tmp_path / "src")))
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "src").exists()
    assert "directory = /project" in (tmp_path / "gitconfig").read_text(encoding="utf-8")
    (tmp_path / "project").mkdir()
    [command] = json.loads(lines[6][1])
    done = shell(tmp_path / "project", f"{command} --version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "promptbench"), done.stderr
    done = shell(tmp_path / "project", f"{command} init && {command} validate")
    assert done.returncode == 0, done.stderr


def test_the_shards_of_the_guide_are_merged(repository: Repository, project: ProjectFolder) -> None:
    """The commands of the workflow, one after the other on this machine."""
    nightly = yaml.load(blocks(GUIDE, "yaml")[2], yaml.BaseLoader)["jobs"]
    [ask] = [step["run"] for step in nightly["ask"]["steps"] if "--shard" in step.get("run", "")]
    [merge] = [step["run"] for step in nightly["judge"]["steps"] if "merge" in step.get("run", "")]
    state = repository.root / ".promptbench"
    for shard in nightly["ask"]["strategy"]["matrix"]["shard"]:
        kept = shutil.copytree(state, repository.root / "kept")
        ended = project.run(*shlex.split(ask.replace("${{ matrix.shard }}", shard))[1:])
        assert (ended.code, f"SHARD {shard}/4" in ended.out) == (0, True)
        shutil.copytree(state, repository.root / "shards" / f"shard-{shard}")
        shutil.rmtree(state)
        kept.rename(state)
    words = [word for part in shlex.split(merge)[1:] for word in (sorted(map(str, Path().glob(part))) or [part])]
    ended = project.run(*words)
    assert (ended.code, "::notice file=suites/triage/suite.yaml,title=triage::PASS" in ended.out) == (0, True)
    assert (repository.root / "evidence" / "triage.json").is_file()

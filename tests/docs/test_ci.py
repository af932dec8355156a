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
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from junitparser import JUnitXml

from tests.cli.conftest import project, server
from tests.docs.test_console import DOCS, ROOT, blocks
from tests.helpers.project import ProjectFolder
from tests.helpers.repository import Repository

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


def run_action(repository: Repository, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """The action's step as the runner takes it: how it ended, its outputs and its summary."""
    given = {name: str(item["default"]) for name, item in action()["inputs"].items()} | inputs
    [step] = action()["runs"]["steps"]
    context = {**{f"inputs.{name}": value for name, value in given.items()}, "github.event_name": "pull_request"}

    def filled(text: str) -> str:
        """`${{ a || (b == 'text' && c) || '' }}`: of such an expression the first part that is not empty."""
        parts = re.fullmatch(r"\$\{\{ (.*) \}\}", text)
        assert parts, text
        return next(filter(None, (context.get(part.strip(), "") for part in parts[1].split("||"))), "")

    environ = {name: filled(value) for name, value in step["env"].items()}
    files = {name: repository.root / "out" / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    files["GITHUB_OUTPUT"].parent.mkdir(exist_ok=True)
    for file in files.values():
        file.write_text("", encoding="utf-8")
    paths = {name: str(file) for name, file in files.items()}
    done = shell(
        repository.root / filled(step["working-directory"]),
        step["run"],
        **environ,
        **paths,
        GITHUB_WORKSPACE=str(repository.root),
    )
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines())
    return done, outputs, files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")


@needs_shell
def test_the_action_annotates_leaves_reports_and_fails_as_the_command_does(
    repository: Repository, project: ProjectFolder
) -> None:
    done, outputs, summary = run_action(repository)
    assert (done.returncode, outputs, summary) == (0, {"exit-code": "7"}, ""), done.stderr
    assert done.stdout.startswith("::notice title=promptbench::no suite is affected")

    project.edit("suites/triage/suite.yaml", "case: hello\n", "case: hello\n    note: said first\n")
    inputs = {"suites": "suites/triage\nsuites/triage/suite.yaml", "options": "--max-cost 2 -q", "reports": "out"}
    done, outputs, summary = run_action(repository, **inputs, **{"changed-since": "0" * 40, "allow-no-keys": "true"})
    assert (done.returncode, outputs) == (0, {"exit-code": "0"}), done.stderr
    assert done.stdout.startswith("::notice file=suites/triage/suite.yaml,title=triage::PASS")
    assert summary.startswith("## ✅ triage: PASS")
    reports = {path.name for path in (repository.root / "out").rglob("*.*")}
    assert reports == {"junit.xml", "report.html", "report.json", "triage.json"}

    project.edit("suites/triage/suite.yaml", "recorded/openai/fake", "openai/gpt-4.1-mini")
    project.write("promptbench.toml", "")
    done, outputs, _ = run_action(repository)
    assert (done.returncode, outputs) == (4, {"exit-code": "4"})
    assert "::error file=suites/triage/suite.yaml,line=3,col=10,title=PB403::" in done.stdout


def test_the_action_is_one() -> None:
    schema("github-actions").validate(action())
    given = set(re.findall(r"\$\{\{ *inputs\.([a-z-]+)", (ACTION / "action.yml").read_text(encoding="utf-8")))
    assert given == set(action()["inputs"])
    # An input in a script would be run by the shell as a part of it.
    assert not any("${{" in step["run"] for step in action()["runs"]["steps"])


def test_the_workflows_in_the_guide_are_some_and_name_what_the_action_has() -> None:
    workflows = [yaml.load(block, yaml.BaseLoader) for block in blocks(GUIDE, "yaml")]
    assert [workflow["name"] for workflow in workflows] == ["prompts", "promote", "nightly"]
    for block in blocks(GUIDE, "yaml"):
        data = yaml.safe_load(block)
        # YAML 1.1 reads the key `on` as true.
        schema("github-workflows").validate({("on" if key is True else key): value for key, value in data.items()})
    steps = [step for flow in workflows for job in flow["jobs"].values() for step in job["steps"]]
    used = [step for step in steps if step.get("uses") == "./.github/actions/promptbench"]
    assert used
    assert all(set(step.get("with", {})) <= set(action()["inputs"]) for step in used)
    scripts = [step["run"] for step in steps if "run" in step]
    assert blocks(GUIDE, "sh")[1] in scripts


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

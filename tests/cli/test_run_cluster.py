"""Models on the workers of a real cluster of processes on this machine."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from threading import Thread
from typing import Any

import pytest

from promptbench.core.errors import EnvironmentFailure
from promptbench.core.types import Attempt, ModelRef, Request
from promptbench.project import Project
from promptbench.workflows.judge import cluster
from tests.helpers.project import Ended, ProjectFolder

_FUNCTION = """\
import os, pathlib, time
log = pathlib.Path(LOG)
def extract(case):
    with log.open("a") as file:
        file.write(f"{os.getppid()} {case['n']}\\n")
    time.sleep(0.2)
    return str(case["n"])
"""
_CASES = 12
MODEL = ModelRef("python", "extract.py:extract")


@pytest.fixture
def extractor(project: ProjectFolder) -> ProjectFolder:
    project.write("promptbench.toml", 'python = ["suites/*/*.py"]\n')
    project.write("suites/triage/extract.py", _FUNCTION.replace("LOG", repr(str(project.root / "calls.log"))))
    cases = "".join(f"  - case: c{number}\n    vars: {{n: {number}}}\n" for number in range(_CASES))
    models = "models: [{model: 'python/extract.py:extract', judged: true}]"
    project.write("suites/triage/suite.yaml", f"suite: triage\n{models}\nchecks: [{{regex: '.'}}]\ncases:\n{cases}")
    return project


def calls(extractor: ProjectFolder) -> list[tuple[int, str]]:
    file = extractor.root / "calls.log"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [(int(pid), case) for pid, case in (line.split() for line in lines)]


def recorded(extractor: ProjectFolder) -> list[Attempt]:
    with Project.open(extractor.root).runs() as runs:
        return sorted(runs.attempts(runs.run("latest").id), key=lambda attempt: repr(attempt.key))


def facts(ended: Ended) -> object:
    """Return the verdict and each case's result, without times."""
    assert ended.code == 0, ended.err
    [run] = ended.data["runs"]
    return run["sentence"], [(row["attempts"], row["passed"], row["errored"]) for row in run["rows"]]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_run_on_workers_is_the_same_also_if_one_is_killed(extractor: ProjectFolder) -> None:
    alone = facts(extractor.run("run", "--json"))
    before = [(it.key, it.outcome, it.answer and it.answer.text) for it in recorded(extractor)]
    (extractor.root / "calls.log").unlink()
    # Other checks, so that it is another run.
    extractor.edit("suites/triage/suite.yaml", "regex: '.'", "regex: '[0-9]'")

    def kill() -> None:
        while len(calls(extractor)) < 3:
            time.sleep(0.02)
        os.kill(calls(extractor)[0][0], signal.SIGKILL)

    killer = Thread(target=kill, daemon=True)
    killer.start()
    assert facts(extractor.run("run", "--json", "--cluster", "local")) == alone
    killer.join()
    made = calls(extractor)
    assert {case for _, case in made} == {str(number) for number in range(_CASES)}
    assert len({pid for pid, _ in made}) >= 2
    attempts = recorded(extractor)
    assert [(it.key, it.outcome, it.answer and it.answer.text) for it in attempts] == before
    # What was made again counts as a try.
    again = sum(attempt.tries - 1 for attempt in attempts)
    assert again >= 1
    assert len(made) <= len(attempts) + again


def test_a_worker_with_another_suite_is_refused_by_name(extractor: ProjectFolder, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("worker") / "project"
    shutil.copytree(extractor.root, other)
    text = (other / "suites/triage/extract.py").read_text(encoding="utf-8")
    (other / "suites/triage/extract.py").write_text(text.replace("0.2", "0.1"), encoding="utf-8")
    here = cluster._Place("s", extractor.root, "suites/triage/suite.yaml", MODEL)
    there = cluster._Place("s", other, "suites/triage/suite.yaml", MODEL)
    cluster._model_there(here, here.open()[0])
    for key in ("promptbench", "suites/triage/suite.yaml", "files of python/extract.py:extract", "kind of CPU"):
        with pytest.raises(EnvironmentFailure, match=key):
            cluster._model_there(there, {key: "another"})
    with pytest.raises(EnvironmentFailure, match=r"files of python/extract\.py:extract"):
        cluster._model_there(there, here.open()[0])


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", "http://cluster", "8786"])
def test_a_cluster_without_encryption_is_refused(extractor: ProjectFolder, address: str) -> None:
    ended = extractor.run("run", "--cluster", address)
    assert (ended.code, address in ended.err) == (2, True)
    assert not calls(extractor)


def test_a_project_cannot_choose_the_cluster(extractor: ProjectFolder) -> None:
    extractor.write("promptbench.toml", 'cluster = "local"\n')
    ended = extractor.run("run")
    assert (ended.code, "'cluster' is not a setting of a project" in ended.err) == (2, True)


def test_nothing_of_the_environment_is_sent(extractor: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    place = cluster._Place("s", extractor.root, "suites/triage/suite.yaml", MODEL)
    request = Request(MODEL, (), {}, None, {"n": 1}, 0)
    assert b"very-secret" not in pickle.dumps((place, place.open()[0], request))
    assert cluster._complete_there.__module__ in pickle.dumps(cluster._complete_there).decode("latin1")


@pytest.mark.slow
def test_without_a_cluster_nothing_of_dask_is_imported(extractor: ProjectFolder) -> None:
    code = "import sys; from promptbench.cli.app import run; run(['run', '-q']); print('distributed' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=extractor.root, capture_output=True, text=True, check=True)
    assert ended.stdout.split()[-1] == "False"

"""Models on the workers of a real cluster of processes on this machine."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from threading import Thread
from typing import Any

import pytest

from promptbench.core.errors import EnvironmentFailure
from promptbench.core.types import Attempt, ModelRef, Request
from promptbench.project import Project
from promptbench.workflows.judge import cluster, rejudge, workers
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


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def evidence(extractor: ProjectFolder, name: str) -> object:
    """Return a file of evidence without the name and the time of the run."""
    found = json.loads((extractor.root / f"{name}.json").read_text(encoding="utf-8"))
    del found["made"], found["suites"][0]["run"]
    return found


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, bytes]]:
    """The time and the bytes of everything that is sent to workers."""
    executors: Any = import_module("distributed.cfexecutor")
    submit, sent = executors.ClientExecutor.submit, list[tuple[float, bytes]]()

    def spied(executor: Any, function: Any, *given: Any) -> Any:
        sent.append((time.monotonic(), pickle.dumps((function, given))))
        return submit(executor, function, *given)

    monkeypatch.setattr(executors.ClientExecutor, "submit", spied)
    return sent


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_run_on_workers_is_the_same_also_if_one_is_killed(
    extractor: ProjectFolder, submitted: list[tuple[float, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    alone = facts(extractor.run("run", "--json", "--output", "evidence=alone.json"))
    before = [(it.key, it.outcome, it.answer and it.answer.text) for it in recorded(extractor)]
    (extractor.root / "calls.log").unlink()
    shutil.rmtree(extractor.root / ".promptbench")

    def kill() -> None:
        while len(calls(extractor)) < 3:
            time.sleep(0.02)
        # The call that began last is in flight.
        os.kill(calls(extractor)[-1][0], signal.SIGKILL)

    # 600 calls a minute are 10 a second, also those that are made again.
    extractor.edit("promptbench.toml", "python", f"limits = {{'{MODEL}' = {{requests-per-minute = 600}}}}\npython")
    killer = Thread(target=kill, daemon=True)
    killer.start()
    ended = extractor.run("run", "--json", "--cluster", "local", "--output", "evidence=workers.json")
    assert facts(ended) == alone
    assert evidence(extractor, "workers") == evidence(extractor, "alone")
    killer.join()
    times = [at for at, _ in submitted]
    assert max(sum(start <= at < start + 1 for at in times) for start in times) <= 10
    assert b"_complete_there" in submitted[0][1]
    assert not [sent for _, sent in submitted if b"very-secret" in sent]
    made = calls(extractor)
    assert {case for _, case in made} == {str(number) for number in range(_CASES)}
    assert len({pid for pid, _ in made}) >= 2
    attempts = recorded(extractor)
    assert [(it.key, it.outcome, it.answer and it.answer.text) for it in attempts] == before
    # What was made again counts as a try.
    again = sum(attempt.tries - 1 for attempt in attempts)
    assert again >= 1
    assert len(made) <= len(attempts) + again


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_budget_is_kept_and_answers_are_scored_by_workers(
    extractor: ProjectFolder, submitted: list[tuple[float, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = extractor.run("run", "--cluster", "local", "--max-calls", "5")
    assert (ended.code, "5 of 5 calls are made" in ended.out, len(calls(extractor))) == (4, True, 5)
    assert extractor.run("run", "-q").code == 0
    assert len(calls(extractor)) == len(recorded(extractor)), "what was answered on a worker is not called again"
    extractor.edit("suites/triage/suite.yaml", "regex: '.'", "regex: '[0-5]'")
    [run] = extractor.run("runs", "list", "--json", "--limit", "1").data["runs"]

    def table(*options: str) -> str:
        found = extractor.run("runs", "rescore", run["run"], "--format", "csv", *options).out
        return re.sub(r"\d\d-\d{6}-\w{4}", "", found)

    alone, share = table(), workers.Workers.share

    def killing(own: workers.Workers, there: Any, here: Any, batches: Any) -> Any:
        client = own.executor._client  # type: ignore[attr-defined]
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        return share(own, there, lambda batch: pytest.fail("scored here"), batches)

    monkeypatch.setattr(workers.Workers, "share", killing)
    monkeypatch.setattr(rejudge, "_MANY", 1)
    monkeypatch.setattr(workers, "_IN_HAND", _CASES)
    monkeypatch.setattr(rejudge, "_BATCH", 1)
    before = len(submitted)
    assert table("--cluster", "local") == alone
    assert len(submitted) - before >= _CASES


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["killed", "interrupted twice", "too expensive"])
def test_a_run_on_workers_that_ends_early_is_resumed(extractor: ProjectFolder, how: str) -> None:
    # A second costs ten dollars, and a call takes at least 0.2 seconds.
    extractor.write("promptbench.toml", 'python = ["suites/*/*.py"]\nmachine-price-per-hour = 36000\n')
    limit = ("--max-cost", "$9") if how == "too expensive" else ()
    with extractor.start("run", "--cluster", "local", *limit) as process:
        while not limit and len(calls(extractor)) < min(workers.core_count() + 2, _CASES):
            time.sleep(0.02)
        if how == "killed":
            process.kill()
        elif how == "interrupted twice":
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert any("press ^C again to abort" in line for line in process.stderr)
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == {"killed": -signal.SIGKILL, "interrupted twice": 130, "too expensive": 4}[how]
    # Calls that have begun end, and so do workers that nobody needs.
    while any(is_running(pid) for pid, _ in calls(extractor)):
        time.sleep(0.02)
    made, done = len(calls(extractor)), len(recorded(extractor))
    if limit:
        assert made == done <= max(4, workers.core_count())
    else:
        assert 1 <= done <= made <= done + workers.core_count()
    assert extractor.run("run", "-q").code == 0
    assert len(calls(extractor)) - made == len(recorded(extractor)) - done, "no recorded call is made again"


@pytest.mark.slow
def test_no_certificate_and_another_one_are_refused(extractor: ProjectFolder) -> None:
    dask: Any = import_module("dask")
    distributed: Any = import_module("distributed")
    temporary = distributed.Security.temporary
    other = temporary().get_tls_config_for_role("client")
    names = {"ca-file": "ca_file", "client.cert": "cert", "client.key": "key"}
    options: dict[str, Any] = {"n_workers": 0, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(security=temporary(), protocol="tls://", **options) as there:
        for certificates in ({}, {f"distributed.comm.tls.{key}": other[name] for key, name in names.items()}):
            with dask.config.set(certificates):
                ended = extractor.run("run", "--cluster", there.scheduler_address)
            assert (ended.code, f"the cluster {there.scheduler_address} cannot be used: TLS" in ended.err) == (4, True)
    assert not calls(extractor)


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
def test_without_a_cluster_nothing_of_it_is_imported(extractor: ProjectFolder) -> None:
    code = """
import sys
from promptbench.cli.app import run
for command in (["--help"], ["run", "--help"], ["run", "-q"]):
    run(command)
    print(*sorted({"dask", "distributed", "promptbench.workflows.judge.cluster"} & sys.modules.keys()), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=extractor.root, capture_output=True, text=True, check=True)
    assert ended.stderr.split() == ["promptbench.workflows.judge.cluster"]

"""The suite that ships with a small model of its own: trained, run in process and behind HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.helpers.project import ProjectFolder
from tests.helpers.shipped import ROOT

pytestmark = pytest.mark.skipif(util.find_spec("sklearn") is None, reason="the extra `lm` is not installed")
FOLDER = ROOT / "suites" / "nlu"
MODEL = "python/model.py:predict"


def summaries(project: ProjectFolder, *arguments: str) -> list[dict[str, Any]]:
    ended = project.run("run", "suites/nlu", *arguments, "--format", "json")
    [report] = ended.data["runs"]
    found: list[dict[str, Any]] = report["nlu"]["summaries"]
    assert [row["errored"] for row in report["rows"]] == [0] * len(found)
    return found


def loaded(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A file of the suite as Python runs it there: `model` is the file beside it."""
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "model", raising=False)
    spec = util.spec_from_file_location(f"nlu_{name}", folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    project = ProjectFolder(tmp_path, "http://127.0.0.1:9/v1", capsys)
    project.write("promptbench.toml", 'python = ["suites/*/*.py"]\n')
    shutil.copytree(FOLDER, tmp_path / "suites" / "nlu", ignore=shutil.ignore_patterns("__pycache__"))
    return project


@pytest.fixture
def endpoint(shipped: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = loaded("serve", shipped.root / "suites" / "nlu", monkeypatch).serve(0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/predict"
    server.shutdown()
    server.server_close()


def test_the_model_finds_most_intents_and_slots(shipped: ProjectFolder) -> None:
    [found] = summaries(shipped, "--model", MODEL)
    assert found["in_scope"]["of"] == 65
    assert found["in_scope"]["right"] >= 57
    assert found["out_of_scope"]["of"] == 16
    assert found["out_of_scope"]["right"] >= 11
    assert found["slots"]["f1"] > 0.75
    assert (found["outside_count"], found["unread"]) == (0, 0)


@pytest.mark.slow
def test_behind_http_it_says_the_same(shipped: ProjectFolder, endpoint: str) -> None:
    settings = (
        f'[providers.http.endpoints.nlu]\nurl = "{endpoint}"\nbody = {{ text = "{{{{vars.text}}}}" }}\nlocal = true\n'
    )
    shipped.write("promptbench.toml", f'python = ["suites/*/*.py"]\n{settings}')
    here, there = summaries(shipped, "--model", MODEL, "--model", "http/nlu")
    assert there["model"] == "http/nlu"
    assert {**there, "model": MODEL} == here


@pytest.mark.slow
def test_training_again_makes_the_weights_that_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded("train", FOLDER, monkeypatch).main(FOLDER / "data", tmp_path)
    model = loaded("model", FOLDER, monkeypatch)
    again, kept = model.Model(tmp_path), model.Model(FOLDER / "trained")
    assert again.labels == kept.labels
    for line in (FOLDER / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["vars"]["text"]
        label, sure = again.intent(text)
        # Releases of scikit-learn may differ in the last digits.
        assert sure == pytest.approx(kept.intent(text)[1], abs=0.02)
        assert (label, again.slots(text, label)) == (kept.intent(text)[0], kept.slots(text, label))


def test_weights_with_code_in_them_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    model = loaded("model", FOLDER, monkeypatch)
    shutil.copy(FOLDER / "trained" / "model.json", tmp_path)
    np.savez(tmp_path / "weights.npz", intent=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        model.Model(tmp_path)


@pytest.mark.parametrize("text", ["", " ", "???", "请求退款", "a" * 5000, "x\0y"])
def test_any_text_has_an_answer(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = loaded("model", FOLDER, monkeypatch).predict({"text": text})
    assert set(answer) == {"intent", "confidence", "slots"}
    assert 0 <= answer["confidence"] <= 1


def test_no_sentence_is_in_the_training_data_and_in_the_cases() -> None:
    known = {
        json.loads(line)["vars"]["text"] for line in (FOLDER / "data" / "train.jsonl").read_text("utf-8").splitlines()
    }
    cases = {json.loads(line)["vars"]["text"] for line in (FOLDER / "cases.jsonl").read_text("utf-8").splitlines()}
    assert len(known) > 200
    assert len(cases) > 60
    assert not known & cases


def test_a_wrong_question_to_the_server_is_refused(endpoint: str) -> None:
    import urllib.error
    import urllib.request

    for body in (b"", b"{}", b"[1]", b"not JSON"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(endpoint, data=body, method="POST"))
        assert refused.value.code == 400
        assert "error" in json.load(refused.value)
        refused.value.close()


@pytest.mark.slow
def test_the_documented_command_trains(tmp_path: Path) -> None:
    lines = (FOLDER / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "train.jsonl").write_text("\n".join(lines[:80]), encoding="utf-8")
    subprocess.run(
        [sys.executable, "suites/nlu/train.py", tmp_path, tmp_path / "out"], cwd=ROOT, check=True, timeout=120
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.json", "weights.npz"}

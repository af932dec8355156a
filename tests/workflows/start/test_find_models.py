"""What is found on this machine, whatever listens on the usual ports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptbench.project import Project
from promptbench.workflows.start import find_models
from promptbench.workflows.start.find_models import available_models
from tests.helpers.fake_http import FakeHttp
from tests.helpers.fake_openai import Step, html


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ({"data": [{"id": "qwen3"}, {"id": "bge-m3"}, {"id": ""}, {"id": 7}]}, ["qwen3"]),
        ({"data": None}, []),
        ({"data": [{}]}, []),
        ([], []),
        (html(), []),
        (Step(b"", 302, {"Location": "http://192.0.2.1/v1/models"}), []),
        (Step(cut=-1), []),
        (Step(stall=True), []),
    ],
    ids=["models", "null", "no id", "a list", "a page", "a redirect", "hangs up", "stalls"],
)
def test_only_a_list_of_models_counts(
    reply: object, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeHttp(lambda body: reply if isinstance(reply, Step) else json.dumps(reply)) as server:
        monkeypatch.setattr(find_models, "LOCAL_SERVERS", {"vllm": server.port})
        monkeypatch.setattr(find_models, "_SECONDS", 0.2)
        names = [item.name for item in available_models(Project.open(tmp_path, {})) if item.server]
    assert names == [f"openai_compatible/vllm/{name}" for name in found]

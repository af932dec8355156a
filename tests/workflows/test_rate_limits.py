"""The setting `limits`, from the file to the pace of each model."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import InputError
from promptbench.core.types import Usage
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.gateway import RateLimiter
from promptbench.project import Project
from promptbench.workflows.judge.execute import limiters_of
from tests.helpers.project import SUITE, V2

MODELS = "models: [openai/fake, openai/other, openai_compatible/here/m]"
SETTINGS = """\
[providers.openai]
base_url = "http://127.0.0.1:9/v1"

[providers.openai_compatible.servers.here]
base_url = "http://127.0.0.1:9/v1"
local = true

[limits.openai]
requests-per-minute = 60

[limits."openai/other"]
tokens-per-minute = 6000
"""


def opened(folder: Path, settings: str) -> tuple[Project, PreparedSuite]:
    (folder / "promptbench.toml").write_text(settings)
    (folder / "suites/triage").mkdir(parents=True)
    (folder / "suites/triage/suite.yaml").write_text(SUITE.replace("models: [openai/fake]", MODELS))
    (folder / "suites/triage/triage.better.prompt").write_text(V2)
    workspace = Project.open(folder, {})
    with workspace.prompts() as store:
        benches, _ = workspace.assemble(Selection(), store=store, runs=None)
    return workspace, benches[0]


def wait_for_the_second(limiter: RateLimiter, usage: Usage) -> float:
    limiter.reserve(usage, 0.0)
    return limiter.reserve(usage, 0.0)


def test_a_limit_by_model_wins_over_one_by_provider(tmp_path: Path) -> None:
    limiters = limiters_of(*opened(tmp_path, SETTINGS), None)
    assert set(limiters) == {"openai/fake", "openai/other"}, "a model on this machine has no limits"
    usage = Usage(50, 50)
    assert wait_for_the_second(limiters["openai/fake"], usage) == pytest.approx(1.0, abs=0.1), "60 requests a minute"
    assert wait_for_the_second(limiters["openai/other"], usage) == pytest.approx(1.0, abs=0.1), "6,000 tokens a minute"
    assert not limiters["openai/other"].limits_requests


def test_without_a_limit_it_is_learnt(tmp_path: Path) -> None:
    limiters = limiters_of(*opened(tmp_path, SETTINGS.partition("[limits")[0]), None)
    assert wait_for_the_second(limiters["openai/fake"], Usage(50, 50)) == 0.0


def test_what_was_learnt_stays_known_in_the_next_suite(tmp_path: Path) -> None:
    workspace, bench = opened(tmp_path, SETTINGS)
    first = limiters_of(workspace, bench, {})
    assert limiters_of(workspace, bench, first)["openai/fake"] is first["openai/fake"]


@pytest.mark.parametrize("line", ["requests-per-minute = 0", "requests-per-minute = 'many'", "per-hour = 5"])
def test_what_is_no_limit_is_told(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(tmp_path, SETTINGS.partition("[limits")[0] + f"[limits.openai]\n{line}\n")
    assert "limits.openai" in caught.value.diagnostics[0].message

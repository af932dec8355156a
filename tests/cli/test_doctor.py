"""`promptbench doctor` on providers, keys and shutdown dates, and the warning about dates at the end of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promptbench.project import Project
from promptbench.workflows.judge.shutdowns import shutdown_warning
from promptbench.workflows.upkeep.doctor import HealthCheck, doctor
from tests.helpers.fake_anthropic import FakeAnthropic
from tests.helpers.fake_openai import FakeOpenAI, error
from tests.helpers.project import ProjectFolder

SOON = (datetime.now(UTC) + timedelta(days=13)).date().isoformat()


def checks(project: ProjectFolder, **options: Any) -> dict[str, HealthCheck]:
    return {item.what.strip(): item for item in doctor(Project.open(project.root), **options)}


def test_what_is_known_of_each_provider(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1234567890")
    project.write(".env", "TEAM_KEY=sk-team-1234567890\n")
    project.write(
        "promptbench.toml",
        "[providers.openai]\nbase_ulr = 'x'\n[providers.opnai]\n"
        "[providers.openai_compatible.servers.team]\nbase_url = 'https://a.example'\napi_key_env = 'TEAM_KEY'\n"
        "[providers.openai_compatible.servers.b]\nbase_url = 'https://b.example'\napi_key_env = 'ANTHROPIC_API_KEY'\n",
    )
    found = checks(project)
    assert found["anthropic"].value == "ANTHROPIC_API_KEY is set (environment); https://api.anthropic.com (default)"
    assert found["openai"].value == "OPENAI_API_KEY is not set; https://api.openai.com/v1 (default)"
    assert found["openai_compatible/team"].value.startswith("TEAM_KEY is set (.env); https://a.example (")
    assert found[".env"].value == "sets TEAM_KEY"
    bad = {name: item.hint for name, item in found.items() if not item.good}
    assert bad == {
        "openai_compatible/b": "`promptbench explain PB406`: only the project names this host",
        "providers.openai.base_ulr": "did you mean 'base_url'?",
        "providers.opnai": "did you mean 'openai'?",
    }
    ended = project.run("doctor")
    assert ended.code == 4
    assert "sk-ant" not in ended.out + ended.err
    assert "sk-team" not in ended.out + ended.err
    assert "{'" not in ended.out


def test_online_it_asks_for_the_models_and_their_dates(
    project: ProjectFolder, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.models = [{"id": "fake", "shutdown_date": SOON}, {"id": "other"}]
    assert "openai/fake" not in checks(project)
    found = checks(project, online=True)
    assert found["openai"].value.endswith("and lists 2 models")
    assert not found["openai/fake"].good
    assert found["openai/fake"].value.startswith(f"openai/fake is shut down on {SOON}, in 1")
    server.models = [{"id": "other"}]
    assert checks(project, online=True)["openai/fake"].value == "is not in the list of its server"
    with FakeAnthropic(lambda body: error(401, "bad key")) as other:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.base_url)
        other.models = [{"id": "m", "retires_at": f"{SOON}T00:00:00Z"}]
        assert checks(project, online=True)["anthropic"].value.endswith("and lists 1 model")
        other.lists_models = False
        failed = checks(project, online=True)["anthropic"]
    assert (failed.good, "(404)" in failed.value) == (False, True)
    # Nothing listens there any more.
    assert "the connection to 127.0.0.1" in checks(project, online=True)["anthropic"].value


def test_a_run_warns_of_a_shutdown(project: ProjectFolder, server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    server.models = [{"id": "fake", "shutdown_date": SOON}]
    assert "shut down" not in project.run("run").err
    assert server.listings == []  # a server on this machine is no provider
    # A server elsewhere, reached by a proxy.
    monkeypatch.setenv("http_proxy", server.base_url.removesuffix("/v1"))
    project.write("promptbench.toml", "[providers.openai]\nbase_url = 'http://models.example/v1'\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert "PB406" in project.run("run").err
    monkeypatch.setenv("PROMPTBENCH_TRUSTED_HOSTS", "models.example")
    for _ in range(2):
        assert f"openai/fake is shut down on {SOON}, in 1" in project.run("run").err
    assert len(server.listings) == 1  # once a day


@pytest.mark.parametrize(
    ("when", "said"), [(None, None), ("soon", None), ("2999-01-01", None), ("2020-01-01", "was to be shut down")]
)
def test_only_a_near_date_is_warned_of(when: str | None, said: str | None) -> None:
    warning = shutdown_warning("openai/m", when)
    assert (warning is None) == (said is None)
    assert said is None or said in str(warning)

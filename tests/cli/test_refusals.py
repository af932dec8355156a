"""What a provider refuses because of the candidate's prompt is the candidate's failure, in every form it comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import fake_anthropic, fake_openai
from tests.helpers.fake_anthropic import FakeAnthropic
from tests.helpers.fake_http import FakeHttp
from tests.helpers.fake_openai import Body, FakeOpenAI, Step
from tests.helpers.project import ProjectFolder

# Every answer passes, an empty one too: only the refusal itself can fail.
SUITE = """\
suite: triage
prompt: triage.better.prompt
models: [MODEL]
checks: [{not contains: zebra}]
cases:
  - case: refused
    vars: {message: I was charged twice}
  - case: answered
    vars: {message: My parcel is late}
"""
OPENAI, AZURE = '[providers.openai]\nbase_url = "URL"\n', '[providers.azure_openai]\nendpoint = "URL"\n'
SERVERS = '[providers.openai_compatible.servers.box]\nbase_url = "URL"\n'
ANTHROPIC = '[providers.anthropic]\nbase_url = "URL"\n'
HTTP = (
    '[providers.http.endpoints.box]\nurl = "URL/ask"\nsees_prompt = true\nbody = { text = "{{prompt}}" }\n'
    "local = true\n"
)

FORMS: dict[str, tuple[type[FakeOpenAI], str, str, Step | str]] = {
    "content filter before": (FakeOpenAI, OPENAI, "openai/fake", fake_openai.error(400, code="content_filter")),
    "context length": (FakeOpenAI, OPENAI, "openai/fake", fake_openai.error(400, code="context_length_exceeded")),
    "content filter after": (
        FakeOpenAI, OPENAI, "openai/fake", fake_openai.answer(None, choice={"finish_reason": "content_filter"}),
    ),
    "refused in words": (FakeOpenAI, OPENAI, "openai/fake", fake_openai.answer(None, message={"refusal": ""})),
    "compatible server": (FakeOpenAI, SERVERS, "openai_compatible/box/fake", fake_openai.error(422)),
    "prompt too long": (
        FakeAnthropic, ANTHROPIC, "anthropic/fake", fake_anthropic.error(400, kind="invalid_request_error"),
    ),
    "response withheld": (
        FakeOpenAI,
        OPENAI.replace("base_url", 'api = "responses"\nbase_url'),
        "openai/fake",
        fake_openai.as_json(
            fake_openai.response(None, status="incomplete", incomplete_details={"reason": "content_filter"})
        ),
    ),
    "Azure": (FakeOpenAI, AZURE, "azure_openai/fake", fake_openai.error(400, code="content_filter")),
    "safety stop": (FakeAnthropic, ANTHROPIC, "anthropic/fake", fake_anthropic.answer(None, stop_reason="refusal")),
    "endpoint": (FakeHttp, HTTP, "http/box", fake_openai.error(413)),
}  # fmt: skip


@pytest.fixture
def refusing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str, bool], ProjectFolder]]:
    """Make a project whose provider refuses one of the two prompts at one case, in one of the forms."""
    monkeypatch.chdir(tmp_path)
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.setenv(key, "k")
    running: list[FakeOpenAI] = []

    def make(form: str, production: bool) -> ProjectFolder:
        server_class, settings, model, refusal = FORMS[form]

        def script(body: Body) -> Step | str:
            text = str(body)
            mine = ("Answer with JSON" in text) is not production
            return refusal if mine and "charged" in text else "fine"

        server = server_class(script)
        server.__enter__()
        running.append(server)
        project = ProjectFolder(tmp_path, server.base_url, capsys)
        project.write("promptbench.toml", settings.replace("URL", server.base_url))
        uses = f"{{model: {model}, uses prompt: true}}" if model.startswith("http/") else model
        project.write("suites/triage/suite.yaml", SUITE.replace("MODEL", uses))
        project.write("suites/triage/triage.better.prompt", "Answer with JSON: {{message}}\n")
        project.adopt()
        return project

    yield make
    for server in running:
        server.__exit__(None, None, None)


@pytest.mark.parametrize("form", FORMS)
def test_what_only_the_candidate_is_refused_is_broken(
    refusing: Callable[[str, bool], ProjectFolder], form: str
) -> None:
    project = refusing(form, False)
    ended = project.run("run", "--promote")
    assert ended.code == 1, ended.out + ended.err
    assert "FAIL: 1 case broken: 'refused'" in ended.out
    assert project.run("get", "triage@production", "--json").data["number"] == 1


@pytest.mark.parametrize("form", ["content filter before", "safety stop"])
def test_what_only_production_is_refused_is_fixed(refusing: Callable[[str, bool], ProjectFolder], form: str) -> None:
    ended = refusing(form, True).run("run")
    assert ended.code == 0, ended.out + ended.err
    assert "PASS: fixed 1 of 1 failing case" in ended.out


MANY = "".join(f"  - case: c{n}\n    vars: {{message: number {n}}}\n" for n in range(14))


@pytest.fixture
def many(project: ProjectFolder) -> ProjectFolder:
    project.write("suites/triage/suite.yaml", SUITE.partition("  - case")[0].replace("MODEL", "openai/fake") + MANY)
    project.write("suites/triage/triage.better.prompt", "Answer with JSON: {{message}}\n")
    project.adopt()
    return project


def errors(project: ProjectFolder) -> list[str]:
    [run] = project.run("runs", "report", "--json").data["runs"]
    return list(run["errors"])


def test_a_model_that_rejects_everything_is_not_called_for_every_case(many: ProjectFolder, server: FakeOpenAI) -> None:
    server.script = lambda body: fake_openai.error(400, f"unknown field, request {len(server.received)}")
    ended = many.run("run", "--concurrency", "4")
    assert ended.code == 4
    # Ten cases, each three times with both prompts, and what was in flight.
    assert len(server.received) <= 10 * 6 + 4
    why = "openai/fake rejected 10 cases alike with every prompt and answered none, so it is not called again in this"
    assert why in ended.err
    assert why in " ".join(ended.out.split())
    # When it is resumed, the report does not mix the errors of both times.
    server.script = lambda body: fake_openai.error(401)
    again = many.run("run", "--concurrency", "4")
    assert again.code == 4
    assert "attempts without an answer will be made again" in again.err
    assert all("unknown field" not in error for error in errors(many))
    server.script = lambda body: "fine"
    server.received.clear()
    assert many.run("run").code == 0
    assert len(server.received) == 14 * 6
    assert errors(many) == []


@pytest.mark.slow  # It tries every case again, over a thousand calls.
def test_many_rejections_before_the_first_answer_of_production_are_the_candidates(
    many: ProjectFolder, server: FakeOpenAI
) -> None:
    def script(body: Body) -> Step | str:
        if "Answer with JSON" in str(body):
            return fake_openai.error(400, code="content_filter")
        return fake_openai.answer("fine", delay=0.1)

    server.script = script
    ended = many.run("run", "--concurrency", "50")
    assert ended.code == 1
    assert "FAIL: 14 cases broken" in ended.out

"""Runs whose tools have results: the real SDK over loopback, real SQLite, and a run that is killed."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_run_otlp import spans
from tests.helpers import fake_anthropic, fake_openai as fake
from tests.helpers.project import ProjectFolder

PROMPT = """\
---
tools:
  - {name: find_city, description: finds a city, inputSchema: {name: string}}
  - {name: get_weather, inputSchema: {id: integer, "days?": integer}}
---
{{question}}
"""
SUITE = """\
suite: trips
prompt: trip.prompt
models: [openai/fake]
gate: {repeats: 1}
cases:
  - case: paris
    vars: {question: How is it in Paris?}
    tool results:
      - {tool: find_city, arguments: {name: Paris}, result: {id: 7}}
      - {tool: get_weather, result: not yet}
      - {tool: get_weather, result: 21 degrees}
    checks:
      - contains: 21
      - steps: [find_city, get_weather, {name: get_weather, arguments: {id: 7}}]
"""


def called(*calls: tuple[str, str], said: str | None = None) -> fake.Step:
    made = [
        {"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate(calls)
    ]
    return fake.answer(said, message={"tool_calls": made}, choice={"finish_reason": "tool_calls"})


def turns(body: dict[str, Any]) -> list[str]:
    """The results that a request has, in order."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


def weather(body: dict[str, Any]) -> fake.Step | str:
    """A model that finds the city, then asks for the weather until it has it."""
    results = turns(body)
    if not results:
        return called(("find_city", '{"name": "Paris"}'), said="One moment.")
    if results[-1] in ('{"id": 7}', "not yet"):
        return called(("get_weather", '{"id": 7}'))
    return f"It is {results[-1]}."


@pytest.fixture
def server() -> Iterator[fake.FakeOpenAI]:
    with fake.FakeOpenAI(weather) as running:
        yield running


@pytest.fixture
def project(
    tmp_path: Path, server: fake.FakeOpenAI, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> ProjectFolder:
    monkeypatch.chdir(tmp_path)
    folder = ProjectFolder(tmp_path, server.base_url, capsys)
    folder.write("suites/trips/trip.prompt", PROMPT)
    folder.write("suites/trips/suite.yaml", SUITE)
    return folder


def rows(project: ProjectFolder, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(project.root / ".promptbench/runs.sqlite") as connection:
        return connection.execute(sql).fetchall()


def test_the_model_continues_with_the_results_of_its_tools(project: ProjectFolder, server: fake.FakeOpenAI) -> None:
    assert project.run("run", "suites/trips", "--output", "otlp=t.jsonl").code == 0
    whole, *parts = spans("t.jsonl")
    weather = ["chat fake", "execute_tool get_weather"]
    names = ["chat fake", "execute_tool find_city", *weather, *weather, "chat fake"]
    assert (whole["name"], [span["name"] for span in parts]) == ("invoke_agent trip", names)
    assert (parts[1]["attributes"]["gen_ai.tool.call.result"], parts[1]["kind"]) == ('{"id": 7}', 1)
    assert len(server.received) == 4
    last = server.received[-1].body["messages"]
    assert [message["role"] for message in last] == ["user", *("assistant", "tool") * 3]
    assert (last[1]["content"], last[1]["tool_calls"][0]["id"], last[2]["tool_call_id"]) == ("One moment.", "c0", "c0")
    # Every step is on record, and the attempt is their sum.
    sums = "count(*), sum(tries), json_group_array(json(results)), count(DISTINCT request_hash), min(tool_ms) >= 0"
    [step] = rows(project, f"SELECT {sums} FROM step ORDER BY step")
    assert step == (4, 4, '[["{\\"id\\": 7}"],["not yet"],["21 degrees"],[]]', 4, 1)
    assert rows(project, "SELECT steps, tries, input_tokens, output_tokens, calls, outcome FROM attempt") == [
        (4, 4, 44, 28, None, "passed")
    ]
    [(attempt, steps)] = rows(
        project, "SELECT provider_ms, (SELECT sum(json_extract(answer, '$.provider_ms')) FROM step) FROM attempt"
    )
    assert attempt == pytest.approx(steps, abs=0.01)  # JSON has microseconds.
    # A replay needs no server: each answer is a recording of its own request.
    project.edit("suites/trips/suite.yaml", "[openai/fake]", "[recorded/openai/fake]")
    assert project.run("run", "suites/trips").code == 0
    assert len(server.received) == 4


def test_scoring_again_sees_the_recorded_steps(project: ProjectFolder, server: fake.FakeOpenAI) -> None:
    project.run("run", "suites/trips")
    project.edit("suites/trips/suite.yaml", "      - contains: 21\n", "      - steps: {never: [get_weather]}\n")
    ended = project.run("runs", "rescore", "latest")
    assert ended.code == 1
    assert "steps: get_weather must not be called" in ended.out
    project.edit("suites/trips/suite.yaml", "{never: [get_weather]}", "{count: {get_weather: 2}, steps: 4}")
    assert project.run("runs", "rescore", "latest").code == 0
    # With other results the model would have answered otherwise.
    project.edit("suites/trips/suite.yaml", "not yet", "wait")
    assert "needs answers that this run does not have" in project.run("runs", "rescore", "latest").out
    assert len(server.received) == 4


def test_the_last_step_must_be_an_answer(project: ProjectFolder, server: fake.FakeOpenAI) -> None:
    project.edit("suites/trips/suite.yaml", "gate:", "max steps: 3\ngate:")
    ended = project.run(
        "run", "suites/trips", "--output", "json=run.json", "--output", "junit=run.xml", "--output", "csv=run.csv"
    )
    assert ended.code == 1
    assert len(server.received) == 3
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert "answer: no final answer after 3 steps ('max steps'): the model still calls" in " ".join(lines)
    assert 'step 1: find_city {"name": "Paris"} → {"id": 7}' in lines
    assert 'step 2: get_weather {"id": 7} → not yet' in lines
    assert 'step 3: get_weather {"id": 7} without result' in lines
    [run] = json.loads((project.root / "run.json").read_text(encoding="utf-8"))["runs"]
    assert (
        run["flips"][0]["candidate"]["called"][1:]
        == run["results"][0]["called"][1:]
        == [
            {"step": 2, "name": "get_weather", "arguments": '{"id": 7}', "result": "not yet"},
            {"step": 3, "name": "get_weather", "arguments": '{"id": 7}', "result": None},
        ]
    )
    for name in ("run.xml", "run.csv"):
        assert "step 2: get_weather" in (project.root / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("calls", "results"),
    [
        ((("get_weather", '{"id": 7}'), ("find_city", '{"name": "Paris"}')), ["not yet", '{"id": 7}']),
        ((("get_wether", "{}"),), ["error: unknown tool 'get_wether', known are find_city, get_weather"]),
        ((("find_city", '{"name": "Par'),), ["error: the arguments are not a JSON object"]),
        ((("find_city", "[1]"),), ["error: the arguments are not a JSON object"]),
        ((("find_city", '{"name": "Rome"}'),), ["error: there is no result of 'find_city' for these arguments"]),
        (tuple(("get_weather", "{}") for _ in range(3)), ["not yet", "21 degrees", "21 degrees"]),
    ],
    ids=["parallel", "unknown", "cut", "no-object", "unexpected", "several"],
)
def test_every_call_of_a_step_gets_a_result(
    project: ProjectFolder, server: fake.FakeOpenAI, calls: tuple[tuple[str, str], ...], results: list[str]
) -> None:
    server.script = [called(*calls), "It is 21."]
    ended = project.run("run", "suites/trips", "--format", "json")
    sent = server.received[1].body["messages"]
    assert [message["content"] for message in sent[2:]] == results
    assert [message["tool_call_id"] for message in sent[2:]] == [call["id"] for call in sent[1]["tool_calls"]]
    [run] = ended.data["runs"]
    assert [item["result"] for item in run["results"][0]["called"]] == results


@pytest.mark.parametrize("api", ["responses", "anthropic"])
def test_the_other_apis_continue_too(project: ProjectFolder, api: str) -> None:
    project.edit("suites/trips/suite.yaml", "      - steps: [", "      - steps: [find_city, get_weather] #")
    call = {"name": "find_city", "arguments": '{"name": "Paris"}'}, {"name": "get_weather", "arguments": '{"id": 7}'}
    if api == "anthropic":
        steps = [
            fake_anthropic.answer(
                None,
                stop_reason="tool_use",
                content=[{"type": "tool_use", "id": "t", "name": item["name"], "input": json.loads(item["arguments"])}],
            )
            for item in call
        ]
        running: fake.FakeOpenAI = fake_anthropic.FakeAnthropic([*steps, fake_anthropic.answer("21 degrees")])
    else:
        output = [{"type": "function_call", "id": "f", "call_id": "c", "status": "completed", **item} for item in call]
        steps = [fake.as_json(fake.response(None, output=[item])) for item in output]
        running = fake.FakeOpenAI([*steps, fake.as_json(fake.response("21 degrees"))])
    with running:
        provider = "anthropic" if api == "anthropic" else "openai"
        options = 'api = "responses"\n' if api == "responses" else ""
        project.write("promptbench.toml", f'[providers.{provider}]\nbase_url = "{running.base_url}"\n{options}')
        project.edit("suites/trips/suite.yaml", "openai/fake", f"{provider}/fake")
        ended = project.run("run", "suites/trips")
        assert ended.code == 0, ended.out + ended.err
        assert len(running.received) == 3


TOOLS = """\
def run(name, arguments):
    if name == "find_city":
        return {"id": 7, "name": arguments["name"]}
    return f"21 degrees at {arguments['id']}"
"""


def test_a_function_returns_results(project: ProjectFolder, server: fake.FakeOpenAI) -> None:
    settings = (project.root / "promptbench.toml").read_text(encoding="utf-8")
    project.write("promptbench.toml", f'python = ["suites/trips/*.py"]\n{settings}')
    project.write("suites/trips/tools.py", TOOLS)
    written = SUITE[SUITE.index("    tool results") : SUITE.index("    checks")]
    project.edit("suites/trips/suite.yaml", written, "")
    project.edit("suites/trips/suite.yaml", "gate:", "tool results: python/tools.py:run\ngate:")
    server.script = lambda body: (
        ["21", called(("get_weather", '{"id": 7}')), called(("find_city", '{"name": "P"}'))][-1 - len(turns(body))]
        if len(turns(body)) < 3
        else "21"
    )
    project.edit("suites/trips/suite.yaml", "get_weather, {name", "{name")
    assert project.run("run", "suites/trips").code == 0
    assert turns(server.received[-1].body) == ['{"id": 7, "name": "P"}', "21 degrees at 7"]
    # What is wrong with the function is no fault of the prompt.
    project.edit("suites/trips/tools.py", "['id']", "['di']")
    ended = project.run("run", "suites/trips")
    assert ended.code == 4
    assert "tool results: KeyError: 'di' (suites/trips/tools.py:4)" in ended.out + ended.err


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("{tool: find_city,", "{tool: find_citty,", "9:16", "no prompt of the suite has a tool 'find_citty'"),
        ("result: {id: 7}", "results: {id: 7}", "9:7", "expected results by the names of tools, or a list of"),
        ("gate:", "tool results: {weather: 1}\ngate:", "4:16", "no prompt of the suite has a tool 'weather'"),
        ("gate:", "tool results: python/tools.py:run\ngate:", "4:15", "file not found next to the suite: tools.py"),
        ("gate:", "max steps: 0\ngate:", "4:12", "'max steps': "),
        ("prompt: trip", "prompt: plain", "8:5", "no prompt of the suite has tools, so nothing asks for their results"),
        ("[find_city, get", "[{nam: x}, get", "14:16", '\'steps\': {"nam":"x"} is not a call'),
    ],
)
def test_what_is_wrong_has_a_place(project: ProjectFolder, old: str, new: str, place: str, message: str) -> None:
    project.write("suites/trips/plain.prompt", "{{question}}\n")
    project.edit("suites/trips/suite.yaml", old, new)
    ended = project.run("validate", "suites/trips")
    assert ended.code == 2
    assert f"suites/trips/suite.yaml:{place}: error" in ended.out
    assert message in ended.out


def test_no_step_keeps_a_secret(
    project: ProjectFolder, server: fake.FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "s3cret-of-the-shop")
    project.edit("suites/trips/suite.yaml", "result: {id: 7}", "result: the key is s3cret-of-the-shop")
    asked = called(("find_city", '{"name": "Paris", "key": "s3cret-of-the-shop"}'), said="I use s3cret-of-the-shop")
    server.script = [asked, "It is 21."]
    ended = project.run("run", "suites/trips")
    assert ended.code == 1, ended.out + ended.err
    # The model sees what the tool returned; the record does not.
    assert turns(server.received[1].body) == ["the key is s3cret-of-the-shop"]
    [(kept,)] = rows(
        project, "SELECT group_concat(answer || results) || (SELECT group_concat(answer) FROM recording) FROM step"
    )
    assert "s3cret" not in kept
    assert kept.count("<SHOP_API_KEY>") > 2


@pytest.mark.slow
def test_a_killed_run_repeats_no_finished_step(project: ProjectFolder, server: fake.FakeOpenAI) -> None:
    held = threading.Event()

    def stop_at_the_third(body: dict[str, Any]) -> fake.Step | str:
        if len(turns(body)) == 2 and not held.is_set():
            held.set()
            return fake.stall()
        return weather(body)

    server.script = stop_at_the_third
    running = project.start("run", "suites/trips")
    assert held.wait(60)
    running.kill()
    running.communicate()
    assert rows(project, "SELECT count(*) FROM step") == [(2,)]
    ended = project.run("run", "suites/trips")
    assert ended.code == 0, ended.out + ended.err
    asked = [len(turns(item.body)) for item in server.received]
    assert asked == [0, 1, 2, 2, 3]
    assert rows(project, "SELECT steps, tries, input_tokens FROM attempt") == [(4, 4, 44)]

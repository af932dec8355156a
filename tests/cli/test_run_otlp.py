"""The traces of a run: what OpenTelemetry's own types and the importer make of them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from promptbench.ingest.otlp import read_attributes
from tests.helpers.fake_openai import Body, FakeOpenAI, Step, error
from tests.helpers.logs import calls, log
from tests.helpers.project import V1, ProjectFolder, better

PLAIN = "suites/triage/triage.plain.prompt"
SUITE = "suites/triage/suite.yaml"


def spans(path: str) -> Iterator[dict[str, Any]]:
    """The spans of a file with their attributes as data. Each line is what OpenTelemetry's types take."""
    for line in Path(path).read_text(encoding="utf-8").split("\n")[:-1]:
        export = json.loads(line)
        [scope] = export["resourceSpans"][0]["scopeSpans"]
        yield from ({**span, "attributes": read_attributes(span["attributes"])} for span in scope["spans"])
        for span in scope["spans"]:
            ids = ("traceId", "spanId", "parentSpanId")
            span |= {key: b64encode(bytes.fromhex(span[key])).decode() for key in ids if key in span}
        ParseDict(export, TracesData())


def test_import_reads_what_the_log_of_the_run_has(project: ProjectFolder, server: FakeOpenAI) -> None:
    project.edit(SUITE, "[json]", "[json, {not contains: team, weight: 0}, {contains: due, weight: 2}]")
    project.edit(SUITE, "repeats: 3", "repeats: 1")
    project.edit(SUITE, "    expect: {team: delivery}", "    tags: [late]\n    expect: {team: delivery}")
    project.write(PLAIN, f"---\nconfig: {{temperature: 0, reasoningEffort: low}}\n---\n{V1}")
    ended = project.run(
        "run", "suites/triage", "--prompt", PLAIN, "--output", "otlp=t.jsonl", "--output", "log=l.jsonl"
    )
    assert ended.code == 1, ended.out
    logged, traced = calls(log(Path("l.jsonl").read_bytes())), calls(log(Path("t.jsonl").read_bytes()), "otlp")
    assert len(logged) == len([call for call in traced if call.failed]) > 2
    names = ["answer", "time", "variables", "messages", "prompt", "prompt_version", "finish_reason", "usage", "failed"]
    names += ["tags", "tier"]
    for name in names:
        assert [getattr(call, name) for call in traced if call.failed] == [getattr(call, name) for call in logged], name
    assert [call.latency_ms for call in traced if call.failed] == pytest.approx([call.latency_ms for call in logged])
    assert {call.model for call in traced} == {"fake-1"}
    assert traced[0].extra["params"] == {"reasoning_effort": "low", "temperature": 0}
    # A later command makes the same traces of the record.
    again = project.run("runs", "report", "latest", "--format", "otlp").out
    assert again == Path("t.jsonl").read_text(encoding="utf-8")
    span = next(spans("t.jsonl"))
    assert (span["name"], span["kind"], "parentSpanId" in span) == ("chat fake", 3, False)
    found = span["attributes"]
    assert (found["gen_ai.provider.name"], found["promptbench.repeat"]) == ("openai", 0)


def test_a_call_without_an_answer_is_an_error(project: ProjectFolder, server: FakeOpenAI) -> None:
    def script(body: Body) -> str | Step:
        return error(400, "no") if "parcel" in str(body) else better(body)

    server.script = script
    assert project.run("run", "suites/triage", "--output", "otlp=t.jsonl").code == 4
    [failed] = {call.error for call in calls(log(Path("t.jsonl").read_bytes()), "otlp") if call.error}
    assert failed.startswith("rejected: ")
    assert {span.get("status", {}).get("code") for span in spans("t.jsonl")} == {None, 2}


@pytest.mark.parametrize("format_", ["otlp", "log", "evidence"])
def test_only_runs_have_calls_which_is_refused_first(project: ProjectFolder, server: FakeOpenAI, format_: str) -> None:
    project.adopt()
    better = "suites/triage/triage.better.prompt"
    ended = project.run("compare", "triage@1", better, "suites/triage", "--output", f"{format_}=x")
    assert (ended.code, ended.out, server.received) == (2, "", [])
    assert f"cannot write {format_}: only a run has it" in ended.err

"""A prompt out of the store, in every form that a program may want."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from promptbench.client import PromptClient
from tests.helpers.fake_anthropic import FakeAnthropic
from tests.helpers.fake_openai import FakeOpenAI
from tests.helpers.project import V2, ProjectFolder

MESSAGES = [
    {"role": "system", "content": "Answer with JSON."},
    {"role": "user", "content": "My parcel\nis late"},
]
LATE = ("--var", "message=My parcel\nis late")


@pytest.fixture
def promoted(project: ProjectFolder) -> ProjectFolder:
    project.adopt()
    assert project.run("run", "--promote").code == 0
    return project


def test_text_is_the_source_until_values_are_given(promoted: ProjectFolder) -> None:
    assert promoted.run("get", "triage").out == V2
    ended = promoted.run("get", "triage", *LATE)
    assert ended.out == "system:\nAnswer with JSON.\n\nuser:\nMy parcel\nis late\n"
    assert promoted.run("get", "triage@1", "--var", "message=Hi").out == "Which team is this for? Hi\n"


def test_messages_and_what_the_client_makes_of_it_are_the_same(promoted: ProjectFolder) -> None:
    promoted.write("mail.txt", "My parcel\nis late")
    ended = promoted.run("get", "triage", "--format", "messages", "--var", "message=@mail.txt")
    assert ended.data == MESSAGES
    prompt = PromptClient(promoted.root / "prompt_store").get("triage@production")
    assert prompt.render(message="My parcel\nis late") == MESSAGES
    told = promoted.run("get", "triage", "--json").data
    assert [{"model": item.model, "returned": list(item.returned)} for item in prompt.models] == told["models"]


def test_json_is_all_of_it(promoted: ProjectFolder) -> None:
    ended = promoted.run("get", "triage", "--format", "json")
    assert ended.out == promoted.run("get", "triage", "--json").out
    data = ended.data
    assert (data["schema_version"], data["number"], data["label"], data["source"]) == (1, 2, "production", V2)
    assert data["models"] == [{"model": "openai/fake", "returned": ["fake-1"]}]
    assert "messages" not in data
    assert promoted.run("get", "triage", "--json", *LATE).data["messages"] == MESSAGES
    adopted = promoted.run("get", "triage@1", "--json").data
    assert (adopted["label"], adopted["models"]) == (None, [])


def test_the_openai_body_is_what_the_run_asked_and_its_sdk_sends_it(
    promoted: ProjectFolder, server: FakeOpenAI
) -> None:
    # The gate calls both prompts in random order; this is the last call with the promoted one.
    asked = next(call.body for call in reversed(server.received) if call.body["messages"][0]["role"] == "system")
    message = asked["messages"][-1]["content"]
    body = promoted.run("get", "triage", "--format", "openai", "--model", "fake", "--var", f"message={message}").data
    schema = body.pop("response_format")
    assert body == asked
    assert schema["json_schema"]["schema"]["required"] == ["team"]
    whole = {**body, "response_format": schema}

    async def send() -> Any:
        from openai import AsyncOpenAI

        async with AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
            return await client.chat.completions.create(**whole)

    assert asyncio.run(send()).choices[0].message.content
    assert server.received[-1].body == whole
    assert "model" not in promoted.run("get", "triage", "--format", "openai", *LATE).data


def test_the_anthropic_body_is_sent_by_its_sdk(project: ProjectFolder) -> None:
    project.write("suites/triage/triage.plain.prompt", V2.replace("temperature: 0", "maxOutputTokens: 50"))
    project.adopt()
    body = project.run("get", "triage", "--format", "anthropic", "--model", "claude-haiku-4-5", *LATE).data
    assert body["output_config"]["format"]["schema"]["required"] == ["team"]
    assert {name: body[name] for name in ("model", "system", "messages", "max_tokens")} == {
        "model": "claude-haiku-4-5",
        "system": "Answer with JSON.",
        "messages": MESSAGES[1:],
        "max_tokens": 50,
    }
    with FakeAnthropic() as server:

        async def send() -> Any:
            from anthropic import AsyncAnthropic

            async with AsyncAnthropic(base_url=server.base_url, api_key="k") as client:
                return await client.messages.create(**body)

        assert asyncio.run(send()).content[0].text == "ok"
        assert server.received[-1].body == body


PROMPT = """\
---
config: {temperature: 0}
input:
  schema: {text: string, tone: string, n: integer}
  default: {tone: kind, n: 3}
output:
  schema: {team: string}
tools:
  - {name: look_up, description: Look up, inputSchema: {id: string}}
---
{{role "system"}}
Be {{tone}}. Answer with JSON like {"team": {}} or \\{{x}}.
{{history}}
{{role "user"}}
{ {{n}} } {{text}}
"""


def part(*path: str, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", *path], "kwargs": kwargs}


def test_langchain_reads_the_template_or_the_messages(project: ProjectFolder) -> None:
    def template(kind: str, text: str) -> dict[str, Any]:
        inner = part("prompts", "prompt", "PromptTemplate", template=text, template_format="f-string")
        return part("prompts", "chat", f"{kind}MessagePromptTemplate", prompt=inner)

    # `langchain_core.load.load` of langchain-core 1.8 reads these forms, and `dumps` writes them.
    project.write("suites/triage/triage.plain.prompt", PROMPT)
    project.adopt()
    found = project.run("get", "triage", "--format", "langchain").data
    about = found["kwargs"].pop("metadata")
    assert found == part(
        "prompts",
        "chat",
        "ChatPromptTemplate",
        partial_variables={"tone": "kind", "n": "3"},
        messages=[
            template("System", 'Be {tone}. Answer with JSON like {{"team": {{}}}} or {{{{x}}}}.'),
            part("prompts", "chat", "MessagesPlaceholder", variable_name="history", optional=True),
            template("Human", "{{ {n} }} {text}"),
        ],
    )
    assert (about["version"], about["config"], about["tools"][0]["name"]) == (1, {"temperature": 0}, "look_up")
    assert (about["tools"][0]["parameters"]["type"], about["output_schema"]["title"]) == ("object", "triage")
    filled = project.run("get", "triage", "--format", "langchain", "--var", "text={a} <b>").data["kwargs"]
    assert filled["messages"] == [
        part("schema", "messages", "SystemMessage", content='Be kind. Answer with JSON like {"team": {}} or {{x}}.'),
        part("schema", "messages", "HumanMessage", content="{ 3 } {a} <b>"),
    ]


@pytest.mark.parametrize("text", ["{{#if message}}a{{/if}} b", "{{message.text}}", "{{media url=message}}"])
def test_what_langchain_has_no_template_for_is_refused(project: ProjectFolder, text: str) -> None:
    project.write("suites/triage/triage.plain.prompt", text)
    project.adopt()
    ended = project.run("get", "triage", "--format", "langchain")
    assert (ended.code, ended.out) == (2, "")
    assert "triage@1 cannot be a template of LangChain, which has no blocks, files or names with dots" in ended.err


def test_an_api_that_would_not_take_a_parameter_is_told_before_it_is_asked(promoted: ProjectFolder) -> None:
    ended = promoted.run("get", "triage", "--format", "anthropic", *LATE)
    assert ended.code == 2
    assert ended.err == (
        "error: anthropic does not take 'temperature' from the config: it takes maxOutputTokens, stopSequences, "
        "reasoningEffort, thinkingBudget; fields of the server's own belong under 'extra'\n"
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--format", "messages"], "triage@2: no value for 'message'; it takes 'message'"),
        (["--var", "mesage=x"], "triage@2: no value for 'message'; no placeholder for 'mesage'; it takes 'message'"),
        (["--var", "message"], "'message' is not a valid variable"),
        (["--var", "=x"], "'=x' is not a valid variable"),
        (["--var", "message=a", "--var", "message=b"], "--var message is given twice"),
        (["--var", "message=@nowhere.txt"], "cannot read nowhere.txt: No such file"),
        (["--var", "message=@latin.txt"], "latin.txt is not UTF-8 text"),
        (["--model", "gpt-5-mini"], "--model is for a request's body"),
        (["--format", "yaml"], "is not one of"),
    ],
)
def test_a_mistake_is_named(project: ProjectFolder, flags: list[str], said: str) -> None:
    (project.root / "latin.txt").write_bytes(b"\xe4")
    project.adopt()
    project.write("suites/triage/triage.plain.prompt", V2)
    assert project.run("promote", "triage").code != 0
    ended = project.run("get", "triage", *flags)
    assert ended.code == 2
    assert said.replace("triage@2", "triage@1") in ended.err
    assert json.dumps(ended.out) == '""'

"""Images and PDFs in the form of each API: the real SDKs over loopback, and their own types of a request's parts."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from anthropic.types import DocumentBlockParam, ImageBlockParam, TextBlockParam
from openai.types.chat import ChatCompletionContentPartParam
from openai.types.responses import ResponseInputContentParam
from pydantic import TypeAdapter

from promptbench.core.files import FileValue
from promptbench.core.types import FailureKind, Message, ProviderFailure, Request
from promptbench.plugins import ProviderContext, ProviderSpec
from promptbench.providers import anthropic, azure_openai, http, openai, openai_compatible, python
from promptbench.text import tokens
from tests.helpers import fake_anthropic, fake_openai as fake
from tests.helpers.asking import ask_for, context
from tests.helpers.fake_http import FakeHttp
from tests.helpers.media import PDF, PNG
from tests.providers.test_tool_calls import AzureServer, ask

PNG_64, PDF_64 = (base64.b64encode(content).decode() for content in (PNG, PDF))
PNG_URL, PDF_URL = f"data:image/png;base64,{PNG_64}", f"data:application/pdf;base64,{PDF_64}"
IN_CHAT = [
    {"type": "text", "text": "Look at"},
    {"type": "image_url", "image_url": {"url": PNG_URL}},
    {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF_URL}},
]
IN_RESPONSES = [
    {"type": "input_text", "text": "Look at"},
    {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
    {"type": "input_file", "filename": "a.pdf", "file_data": PDF_URL},
]
IN_MESSAGES = [
    {"type": "text", "text": "Look at"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG_64}},
    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF_64}},
]


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    (tmp_path / "red.png").write_bytes(PNG)
    (tmp_path / "a.pdf").write_bytes(PDF)
    photo = FileValue.of(tmp_path / "red.png", "img/red.png")
    pages = FileValue.of(tmp_path / "a.pdf", "docs/a.pdf")
    assert photo is not None
    assert pages is not None
    message = Message.of_parts("user", ["Look ", "at\n", photo, "\n", pages, " "])
    return replace(ask_for("openai/m", variables={"photo": photo, "n": 1}), messages=(message,))


@pytest.mark.parametrize(
    ("module", "server", "options", "expected", "kind"),
    [
        (openai, fake.FakeOpenAI, {}, IN_CHAT, ChatCompletionContentPartParam),
        (openai, fake.FakeOpenAI, {"api": "responses"}, IN_RESPONSES, ResponseInputContentParam),
        (azure_openai, AzureServer, {}, IN_CHAT, ChatCompletionContentPartParam),
        (
            anthropic,
            fake_anthropic.FakeAnthropic,
            {},
            IN_MESSAGES,
            TextBlockParam | ImageBlockParam | DocumentBlockParam,
        ),
    ],
    ids=["chat", "responses", "azure", "messages"],
)
def test_each_api_gets_its_own_form(
    module: ModuleType, server: Any, options: dict[str, Any], expected: Any, kind: Any, request_: Request
) -> None:
    step = fake_anthropic.answer("red") if module is anthropic else fake.answer("red")
    with server([fake.as_json(fake.response("red")) if options else step]) as running:
        assert ask(module, running, request_, **options).text == "red"
    body = running.received[0].body
    (sent,) = body["input"] if options else body["messages"]
    assert sent == {"role": "user", "content": expected}
    parts = TypeAdapter(list[kind])
    assert parts.dump_python(parts.validate_python(expected, extra="forbid")) == expected


def complete(spec: ProviderSpec, name: str, where: ProviderContext, request: Request) -> str:
    async def main() -> str:
        provider = spec.connect(name, where)
        try:
            return (await provider.complete(request)).text
        finally:
            await provider.close()

    return asyncio.run(main())


def test_a_compatible_server_gets_the_form_of_chat(request_: Request) -> None:
    with fake.FakeOpenAI() as server:
        options = {"servers": {"here": {"base_url": server.base_url}}}
        complete(openai_compatible.SPEC, "here/m", context(options=options), request_)
    assert server.received[0].body["messages"][0]["content"] == IN_CHAT


def test_an_endpoint_gets_the_bytes_only_if_its_settings_say_so(request_: Request) -> None:
    facts = dict(request_.variables["photo"])
    body = {"image": "{{vars.photo}}", "messages": "{{messages}}"}
    with FakeHttp(lambda body: fake.as_json("ok")) as server:
        for more in ({}, {"files": True, "body": {**body, "bytes": "{{vars.photo.data}}"}}):
            options = {"url": server.base_url, "body": body, "sees_prompt": True, **more}
            complete(http.SPEC, "e", context(options={"endpoints": {"e": options}}), request_)
    plain, full = (received.body for received in server.received)
    assert plain["image"] == plain["messages"][0]["content"][1] == facts
    assert full["image"] == full["messages"][0]["content"][1] == {**facts, "data": PNG_64}
    assert full["bytes"] == PNG_64


def test_a_function_gets_the_path(tmp_path: Path, request_: Request) -> None:
    code = "from pathlib import Path\ndef f(vars): return Path(vars['photo']['path']).read_bytes()[1:4].decode()\n"
    (tmp_path / "m.py").write_text(code, encoding="utf-8")
    assert complete(python.SPEC, "m.py:f", context(tmp_path, allowed=["*.py"]), request_) == "PNG"


def test_a_file_that_has_changed_since_is_not_sent(request_: Request) -> None:
    path = request_.variables["photo"].path
    for change, expected in ((lambda: path.write_bytes(PDF), "has changed since"), (path.unlink, "cannot be read")):
        change()
        with fake.FakeOpenAI() as server, pytest.raises(ProviderFailure, match=f"img/red.png {expected}") as caught:
            ask(openai, server, request_)
        assert (caught.value.kind, server.received) == (FailureKind.REJECTED, [])


def test_what_people_and_logs_read_names_the_files(request_: Request) -> None:
    (message,) = request_.messages
    named = (f"[img/red.png, PNG image, {len(PNG)} bytes]", f"[docs/a.pdf, PDF, {len(PDF)} bytes]")
    assert message.content == "\n".join(("Look at", *named))
    assert message.as_dict() == {"role": "user", "content": message.content}
    assert PNG_64 not in str(request_.as_dict())


def test_each_file_counts_in_estimates(request_: Request) -> None:
    text = len(request_.messages[0].content)
    assert tokens.estimate(request_.messages, {}).input_tokens == -(-text // 4) + 2 * tokens.ASSUMED_FILE

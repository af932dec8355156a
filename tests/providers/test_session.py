"""Where the time of a call goes, and by which way it goes: real SDKs against a server that is slow at each stage."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from promptbench.core.types import Answer, Request
from promptbench.providers import _session, azure_openai, http, openai, python
from tests.helpers.asking import ask_for, context
from tests.helpers.staged import CERTIFICATE, StagedServer


async def _ask(base_url: str, requests: Sequence[Request], *, at_once: bool = False) -> list[Answer]:
    model = openai.SPEC.connect("m-1", context(environ={"OPENAI_API_KEY": "k"}, options={"base_url": base_url}))
    try:
        if at_once:
            return list(await asyncio.gather(*map(model.complete, requests)))
        return [await model.complete(request) for request in requests]
    finally:
        await model.close()


@pytest.mark.slow
def test_connecting_the_first_byte_and_the_rest_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with StagedServer(handshake=0.2, head=0.3, body=0.5, tls=True) as server:
        first, second = asyncio.run(_ask(server.address, [ask_for("openai/m-1")] * 2))
    for answer, connect in ((first, 200), (second, 0)):
        assert answer.connect_ms is not None
        assert answer.first_byte_ms is not None
        assert answer.connect_ms >= connect * 0.98
        assert answer.first_byte_ms >= 300 * 0.98
        # The head may be read late, and the body has come a bit further by then.
        assert answer.provider_ms - answer.connect_ms - answer.first_byte_ms >= 100
    assert second.connect_ms == 0


def test_each_of_many_calls_has_its_own_clock() -> None:
    def head(body: bytes) -> float:
        return 0.5 if b"slowly" in body else 0.0

    requests = [ask_for("openai/m-1", text) for text in ("slowly", "fast", "fast")]
    with StagedServer(head=head) as server:
        slow, *fast = asyncio.run(_ask(server.address, requests, at_once=True))
    assert slow.first_byte_ms is not None
    assert slow.first_byte_ms >= 490
    for answer in fast:
        assert answer.first_byte_ms is not None
        assert answer.first_byte_ms < slow.first_byte_ms
        assert answer.connect_ms is not None
        assert 0 < answer.connect_ms < answer.provider_ms


@pytest.mark.parametrize("module", [azure_openai, http], ids=["azure_openai", "http"])
def test_other_providers_tell_the_same_times(module: Any) -> None:
    async def ask(address: str) -> Answer:
        endpoint = {"url": address, "body": {"text": "{{vars.a}}"}}
        model = module.SPEC.connect("m", context(options={"endpoint": address, "endpoints": {"m": endpoint}}))
        try:
            return await model.complete(ask_for("x/m", variables={"a": 1}))
        finally:
            await model.close()

    with StagedServer(head=0.05) as server:
        answer = asyncio.run(ask(server.address))
    assert answer.connect_ms is not None
    assert answer.connect_ms > 0
    assert answer.first_byte_ms is not None
    assert 49 <= answer.first_byte_ms < answer.provider_ms


def test_a_model_in_this_process_has_no_connection(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def answer(case):\n    return 'yes'\n")

    async def ask() -> Answer:
        model = python.SPEC.connect("own.py:answer", context(tmp_path, allowed=["own.py"]))
        try:
            return await model.complete(ask_for("python/own.py:answer", variables={"a": 1}))
        finally:
            await model.close()

    answer = asyncio.run(ask())
    assert answer.text == "yes"
    assert (answer.connect_ms, answer.first_byte_ms) == (None, None)


PROXY = {"HTTPS_PROXY": "http://proxy.example:3128", "HTTP_PROXY": "proxy.example:8080", "NO_PROXY": ".inside.example"}


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://api.openai.com/v1", {}, None),
        ("https://api.openai.com/v1", PROXY, "http://proxy.example:3128"),
        ("http://models.example:8000/v1", PROXY, "http://proxy.example:8080"),
        ("https://gpu.inside.example/v1", PROXY, None),
        ("https://api.openai.com/v1", {"ALL_PROXY": "http://all.example:1"}, "http://all.example:1"),
        ("http://127.0.0.1:11434/v1", PROXY, None),
        ("http://localhost:11434/v1", {"ALL_PROXY": "http://all.example:1"}, None),
    ],
)
def test_the_proxy_of_an_address(
    monkeypatch: pytest.MonkeyPatch, url: str, environ: Mapping[str, str], proxy: str | None
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert _session.proxy_for(url) == proxy


def test_a_server_elsewhere_is_called_by_the_proxy_and_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with StagedServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.address.replace("//", "//user:secret@"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        (answer,) = asyncio.run(_ask("http://models.example/v1", [ask_for("openai/m-1")]))
    assert answer.text == "hello"
    (head,) = proxy.heads
    assert head.startswith("POST http://models.example/v1/chat/completions HTTP/1.1")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'user:secret').decode()}" in head

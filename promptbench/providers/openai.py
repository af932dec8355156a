"""OpenAI's Chat Completions, at api.openai.com or at any server that speaks the same.

The key is in OPENAI_API_KEY, or in the variable that the setting `api_key_env` names; a server on this machine needs
none. The address is the setting `base_url` or OPENAI_BASE_URL, never a suite's. Other settings: `timeout` in seconds
(120), `concurrency` (50), `structured` (send the prompt's output schema).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from promptbench.core.protocols import Problem, ProviderContext
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request
from promptbench.providers import _chat, _credentials, _failures, _options

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_HOME = "https://api.openai.com/v1"
_CONNECT_SECONDS = 10.0
_TIMEOUT_SECONDS = 120.0
_CONCURRENCY = 50

sees_prompt = True
local = False


def connect(name: str, context: ProviderContext) -> OpenAI:
    base_url = _base_url(context)
    variable = _key_variable(context)
    key = _credentials.read_key(context.environ, variable) or _credentials.PLACEHOLDER_KEY
    target = _failures.Target(f"openai/{name}", _credentials.host(base_url), variable, key)
    found = problems(name, context)
    return OpenAI(name, target, base_url, context.options, blocked=found[0].message if found else None)


def problems(name: str, context: ProviderContext) -> list[Problem]:
    base_url = _base_url(context)
    found = _options.number_problems(context.options, "openai", ("timeout", "concurrency"))
    wrong_address = _credentials.address_problem(_address_source(context), base_url)
    if wrong_address:
        return [*found, wrong_address]
    if not _credentials.is_loopback(base_url):
        wrong_key = _credentials.key_problem(f"openai/{name}", context.environ, _key_variable(context))
        found += [wrong_key] if wrong_key else []
    return found


def _base_url(context: ProviderContext) -> str:
    return str(context.options.get("base_url") or context.environ.get("OPENAI_BASE_URL", "").strip() or _HOME)


def _address_source(context: ProviderContext) -> str:
    return "the setting 'base_url' of openai" if context.options.get("base_url") else "OPENAI_BASE_URL"


def _key_variable(context: ProviderContext) -> str:
    return str(context.options.get("api_key_env") or "OPENAI_API_KEY")


class OpenAI:
    """One model behind a Chat Completions address."""

    def __init__(
        self,
        name: str,
        target: _failures.Target,
        base_url: str,
        options: Mapping[str, Json],
        *,
        blocked: str | None,
    ) -> None:
        self.concurrency = _options.positive_integer(options, "concurrency", _CONCURRENCY)
        self._name = name
        self._target = target
        self._base_url = base_url
        self._timeout = _options.positive_number(options, "timeout", _TIMEOUT_SECONDS)
        self._structured = options.get("structured") is True
        self._blocked = blocked
        own = target.host.partition(":")[0].endswith("api.openai.com")
        self._dialect = _chat.OPENAI if own else _chat.COMPATIBLE
        self._client: AsyncOpenAI | None = None

    def deterministic(self, params: Mapping[str, Json]) -> bool:
        """Never: OpenAI promises a best effort even with a seed, and other servers batch requests together."""
        return False

    async def ask(self, request: Request) -> Answer:
        if self._blocked is not None:
            raise ProviderFailure(FailureKind.FATAL, self._blocked)
        _chat.require_messages(request)
        params = self._dialect.params(request.params, self._target.model)
        schema = request.output_schema if self._structured else None
        if schema is not None:
            params["response_format"] = _chat.schema_format(schema)
        body = {
            "model": self._name,
            "messages": [message.as_dict() for message in request.messages],
            **params,
        }
        seconds = _options.positive_number(request.params, _chat.TIMEOUT_WORD, self._timeout)
        data, provider_ms = await self._post(body, seconds)
        try:
            return _chat.read_completion(data, params=params, provider_ms=provider_ms, structured=schema is not None)
        except _chat.NotACompletion as error:
            raise _failures.not_an_answer(self._target, str(error)) from None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _post(self, body: Mapping[str, Json], seconds: float) -> tuple[Json, float]:
        """The decoded reply and the milliseconds that the call took. Raises ProviderFailure."""
        import aiohttp
        import httpx2
        import openai

        content = _chat.encode(body)
        client = self._client = self._client or _client(self._base_url, self._target.key)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(seconds):
                # The plain response: the SDK's typed models cost half of the call's CPU time, and hide the body
                # of a server that does not answer as it should.
                response = await client.post("/chat/completions", cast_to=httpx2.Response, content=content)
        except TimeoutError:
            raise _failures.timed_out(self._target, seconds) from None
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except (openai.APIConnectionError, httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _failures.broken_connection(self._target, error) from None
        provider_ms = (time.perf_counter() - began) * 1000
        return self._decoded(response), provider_ms

    def _decoded(self, response: Any) -> Json:
        kind = response.headers.get("content-type", "").partition(";")[0]
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError):
            what = "broken JSON" if kind.endswith("json") else f"'{kind}' instead of JSON" if kind else "no JSON"
            raise _failures.not_an_answer(self._target, what, response.status_code) from None

    def _refused(self, error: Any) -> ProviderFailure:
        """`error` is the SDK's APIStatusError; its `body` is the server's error object, or text."""
        said = error.body.get("message") if isinstance(error.body, dict) else None
        return _failures.from_status(
            self._target,
            error.status_code,
            error.response.headers,
            code=error.code,
            message=said if isinstance(said, str) else None,
        )


def _client(base_url: str, key: str) -> AsyncOpenAI:
    """The SDK's client on its aiohttp transport, without its retries, redirects and ten-minute timeouts.

    The proxy variables are for the way out of this machine, so a server on it is called past them.
    """
    import httpx2
    from openai import AsyncOpenAI, DefaultAioHttpClient

    timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)
    transport = DefaultAioHttpClient(
        timeout=timeout, follow_redirects=False, trust_env=not _credentials.is_loopback(base_url)
    )
    return AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=timeout, http_client=transport)

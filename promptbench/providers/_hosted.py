"""A model that is reached through an official SDK: one request, one answer, whatever dialect its server speaks.

The SDKs of OpenAI and Anthropic are made alike: the same clients, transports and base classes of errors.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from promptbench.core.protocols import Problem
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request
from promptbench.providers import _chat, _credentials, _events, _failures, _options, _windows

if TYPE_CHECKING:
    from promptbench.providers import _session

_TIMEOUT_SECONDS = 120.0
_CONCURRENCY = 50
_CONTENT = frozenset({"model", "messages", "input", "system"})
"""The fields of a body that are the question, and no parameters."""


class Api(Protocol):
    """A way of asking: where to post what, and how to read the reply."""

    @property
    def dialect(self) -> _chat.Dialect: ...

    @property
    def path(self) -> str: ...

    @property
    def streamed(self) -> Mapping[str, Json]:
        """What a body has besides when the answer is wanted in pieces."""

    def body(self, name: str, request: Request, schema: Mapping[str, Json] | None) -> dict[str, Json]:
        """What is posted. Raises ProviderFailure for what this server would not honour."""

    def read(self, data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
        """The answer in a decoded reply, without its times. Raises NotACompletion."""

    def joined(self, events: Sequence[_events.Event]) -> _events.Whole:
        """The reply that came in pieces. Raises BrokenStream."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model is, and where its address and key were written. `model` is as a suite names it."""

    model: str
    url: str
    source: str
    key_variable: str
    keyless: bool = False

    @property
    def wants_key(self) -> bool:
        return not (self.keyless or _credentials.is_loopback(self.url))

    def key(self, environ: Mapping[str, str]) -> str:
        found = None if self.keyless else _credentials.read_key(environ, self.key_variable)
        return found or _credentials.PLACEHOLDER_KEY

    def target(self, environ: Mapping[str, str]) -> _failures.Target:
        secrets = (self.key(environ),)
        variable = self.key_variable or "api_key_env"
        return _failures.Target(self.model, _credentials.host(self.url), variable, secrets)

    def shape(self, options: Mapping[str, Json]) -> dict[str, Json]:
        """What of the place shapes an answer: not who asks, nor how long may be waited."""
        return {"address": _credentials.without_user(self.url), "structured": options.get("structured") is True}

    def problems(self, environ: Mapping[str, str], options: Mapping[str, Json]) -> list[Problem]:
        """What is wrong with the numbers, the address and the key."""
        provider = self.model.partition("/")[0]
        found = [
            *_options.number_problems(options, provider, ("timeout", "concurrency", _windows.SETTING)),
            *_options.boolean_problems(options, provider, ("structured",)),
        ]
        wrong_address = _credentials.address_problem(self.source, self.url)
        if wrong_address:
            return [*found, wrong_address]
        wrong_key = _credentials.key_problem(self.model, environ, self.key_variable) if self.wants_key else None
        return [*found, wrong_key] if wrong_key else found


@dataclass(frozen=True, slots=True)
class _Reply:
    """A decoded reply with its times, and what it told of rate limits."""

    data: Json
    times: _session.Times
    limits: Mapping[str, str] | None
    first_token_ms: float | None = None


class Hosted:
    """One model at one place. `sdk` is the package to import, `client` makes its asynchronous client."""

    def __init__(
        self,
        name: str,
        target: _failures.Target,
        api: Api,
        options: Mapping[str, Json],
        *,
        sdk: str,
        client: Callable[[], Any],
        blocked: str | None,
        facts: Mapping[str, Json] | None = None,
    ) -> None:
        self.concurrency = _options.positive_integer(options, "concurrency", _CONCURRENCY)
        self._name = name
        self._target = target
        self._api = api
        self._timeout = _options.positive_number(options, "timeout", _TIMEOUT_SECONDS)
        self._structured = options.get("structured") is True
        self._sdk = sdk
        self._open = client
        self._blocked = blocked
        self._facts = facts or {}
        self._client: Any = None

    def deterministic(self, params: Mapping[str, Json]) -> bool:
        """Never: a seed is a best effort where there is one, and servers batch requests together."""
        return False

    async def ask(self, request: Request) -> Answer:
        if self._blocked is not None:
            raise ProviderFailure(FailureKind.FATAL, self._blocked)
        _chat.require_messages(request)
        schema = request.output_schema if self._structured else None
        body = self._api.body(self._name, request, schema)
        params = {**{word: value for word, value in body.items() if word not in _CONTENT}, **self._facts}
        seconds = _options.positive_number(request.params, _chat.TIMEOUT_WORD, self._timeout)
        sent = {**body, **self._api.streamed} if request.stream else body
        reply = await self._post(sent, seconds, watching=request.stream)
        try:
            answer = self._api.read(reply.data, params=params, structured=schema is not None)
        except _chat.NotACompletion as error:
            raise _failures.not_an_answer(self._target, str(error)) from None
        return replace(answer, limits=reply.limits, first_token_ms=reply.first_token_ms, **reply.times)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _post(self, body: Mapping[str, Json], seconds: float, *, watching: bool) -> _Reply:
        """The reply. Raises ProviderFailure."""
        import aiohttp
        import httpx2

        from promptbench.providers import _session

        sdk = importlib.import_module(self._sdk)
        content = _chat.encode(body)
        client = self._client = self._client or self._open()
        clock = _session.Clock.start(watching=watching)
        try:
            async with asyncio.timeout(seconds):
                # The plain response: the SDK's typed models cost half of the call's CPU time, and hide the body
                # of a server that does not answer as it should.
                response = await client.post(self._api.path, cast_to=httpx2.Response, content=content)
        except TimeoutError:
            raise _failures.timed_out(self._target, seconds) from None
        except sdk.APIStatusError as error:
            raise self._refused(error) from None
        except (sdk.APIConnectionError, httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _failures.broken_connection(self._target, error) from None
        times = clock.times()
        limits = _failures.rate_limits(response.headers)
        if watching and _content_type(response) == _events.KIND:
            whole = self._joined(response)
            # Offsets in the body are those on the way only where it is not compressed.
            timed = whole.first is not None and "content-encoding" not in response.headers
            return _Reply(whole.data, times, limits, clock.when(whole.first or 0) if timed else None)
        return _Reply(self._decoded(response), times, limits)

    def _joined(self, response: Any) -> _events.Whole:
        try:
            return self._api.joined(_events.read(response.content))
        except _events.BrokenStream as error:
            raise _failures.not_an_answer(self._target, str(error), response.status_code) from None

    def _decoded(self, response: Any) -> Json:
        kind = _content_type(response)
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError):
            what = "broken JSON" if kind.endswith("json") else f"'{kind}' instead of JSON" if kind else "no JSON"
            raise _failures.not_an_answer(self._target, what, response.status_code) from None

    def _refused(self, error: Any) -> ProviderFailure:
        """`error` is the SDK's APIStatusError; its `body` is decoded, or the text of what is no JSON."""
        code, message = _failures.said(error.body) if _content_type(error.response).endswith("json") else (None, None)
        return _failures.from_status(
            self._target, error.status_code, error.response.headers, code=code, message=message
        )


def _content_type(response: Any) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0]


def client_options(url: str) -> dict[str, Any]:
    """An SDK client on our transport, without its retries, redirects and ten-minute timeouts."""
    import httpx2

    from promptbench.providers import _transport

    client = httpx2.AsyncClient(transport=_transport.Transport(url), timeout=None, follow_redirects=False)
    return {"max_retries": 0, "timeout": None, "http_client": client}


def openai_client(url: str, key: str) -> Any:
    """OpenAI's own client, for all servers that speak its dialect."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key=key, base_url=url, **client_options(url))

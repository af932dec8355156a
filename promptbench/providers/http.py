"""Any HTTP endpoint as a model: `http/<endpoint>`, described in the settings.

    [tool.promptbench.providers.http.endpoints.intents]
    url = "http://127.0.0.1:5005/model/parse"
    headers = { Authorization = "Bearer ${NLU_TOKEN}" }
    body = { text = "{{vars.message}}" }
    answer = "intent.name"

It is called by `method` (POST) with `body` as JSON and `query` in its address. In both, `{{vars.NAME}}` is a value of
the case and `{{vars}}` all of them; with `sees_prompt = true` also `{{messages}}` and `{{prompt}}`, their text. Values
are put in as data. `answer` leads to the answer in the reply, as in `data.0.text`; without it the whole reply is the
answer. Secrets come from the environment only, as `${NAME}` in a header. Other settings: `local` (it runs on this
machine, at the machine's price), `timeout` in seconds (120), `concurrency` (50), `context_window` in tokens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptbench.core.protocols import Problem, ProviderContext
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request
from promptbench.providers import _chat, _credentials, _endpoint, _failures, _options, _windows
from promptbench.text import templates

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from promptbench.providers import _session

_TIMEOUT_SECONDS = 120.0
_CONCURRENCY = 50
_EXAMPLE = 'url = "http://127.0.0.1:5005/…"'
_DIALECT = _chat.Dialect({})

sees_prompt = False
local = False


def connect(name: str, context: ProviderContext) -> HttpEndpoint:
    found = problems(name, context)
    endpoint = _find(name, context) or _endpoint.Endpoint(name, {})
    return HttpEndpoint(endpoint, context.environ, blocked=found[0].message if found else None)


def problems(name: str, context: ProviderContext) -> list[Problem]:
    endpoint = _find(name, context)
    if endpoint is None:
        return [_options.unknown_name("http", context.options, "endpoints", name, _EXAMPLE)]
    return endpoint.problems(context.environ)


def shaped_by(name: str, context: ProviderContext) -> Json:
    """What shapes an answer besides the request."""
    endpoint = _find(name, context)
    return None if endpoint is None else endpoint.shape()


def unsupported(name: str, context: ProviderContext, params: Mapping[str, Json]) -> list[Problem]:
    """What of a prompt's config this model would not honour: all, as its parameters are in the settings' body."""
    return _DIALECT.problems(params, f"http/{name}")


def reads_prompt(name: str, context: ProviderContext) -> bool:
    """Whether this endpoint gets messages; `sees_prompt` is what holds for most."""
    endpoint = _find(name, context)
    return endpoint is not None and endpoint.sees_prompt


def runs_here(name: str, context: ProviderContext) -> bool:
    """Whether this endpoint's model runs on this machine, which its address does not tell."""
    endpoint = _find(name, context)
    return endpoint is not None and endpoint.options.get("local") is True


def context_window(name: str, context: ProviderContext) -> int | None:
    """How many tokens this model takes with its answer, where that is known."""
    endpoint = _find(name, context)
    return None if endpoint is None else _windows.declared(endpoint.options)


def _find(name: str, context: ProviderContext) -> _endpoint.Endpoint | None:
    options = _options.named(context.options, "endpoints", name)
    return None if options is None else _endpoint.Endpoint(name, options)


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply's content type and bytes, its times, and what it told of rate limits."""

    kind: str
    body: bytes
    times: _session.Times
    limits: Mapping[str, str] | None


class HttpEndpoint:
    """One endpoint."""

    def __init__(self, endpoint: _endpoint.Endpoint, environ: Mapping[str, str], *, blocked: str | None) -> None:
        self.concurrency = _options.positive_integer(endpoint.options, "concurrency", _CONCURRENCY)
        self._endpoint = endpoint
        self._timeout = _options.positive_number(endpoint.options, "timeout", _TIMEOUT_SECONDS)
        self._blocked = blocked
        self._headers = {} if blocked else endpoint.headers(environ)
        self._target = _failures.Target(
            f"http/{endpoint.name}",
            _credentials.host(endpoint.url),
            ", ".join(endpoint.variables()) or "'headers' in the settings",
            endpoint.secrets(environ),
        )
        self._session: ClientSession | None = None

    def deterministic(self, params: Mapping[str, Json]) -> bool:
        """Never: nothing is known of what answers there."""
        return False

    async def ask(self, request: Request) -> Answer:
        if self._blocked is not None:
            raise ProviderFailure(FailureKind.FATAL, self._blocked)
        if self._endpoint.sees_prompt:
            _chat.require_messages(request)
        _DIALECT.params(request.params, self._target.model)
        content, query = self._question(request)
        seconds = _options.positive_number(request.params, _chat.TIMEOUT_WORD, self._timeout)
        reply = await self._call(content, query, seconds)
        text = self._answer(reply.kind, reply.body)
        return Answer(text=text, model=self._target.model, limits=reply.limits, **reply.times)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _question(self, request: Request) -> tuple[bytes | None, dict[str, str]]:
        """The body, if there is one, and the query. Raises ProviderFailure."""
        try:
            body, query = self._endpoint.filled("body", request), self._endpoint.filled("query", request)
        except KeyError as error:
            name = str(error.args[0]).removeprefix("vars.")
            why = f"{self._target.model} needs the variable '{name}', and this case has none"
            raise ProviderFailure(FailureKind.REJECTED, why) from None
        texts = {name: templates.render_value(value) for name, value in (query or {}).items()}
        _chat.encode(texts)  # refuses half of a character, which no address can carry
        return None if body is None else _chat.encode(body), texts

    async def _call(self, content: bytes | None, query: Mapping[str, str], seconds: float) -> _Reply:
        """Raises ProviderFailure."""
        import aiohttp

        from promptbench.providers import _session

        session = self._session = self._session or _session.open_session(self._endpoint.url, self._headers)
        typed = {"Content-Type": "application/json"} if content is not None else None
        clock = _session.Clock.start()
        try:
            async with (
                asyncio.timeout(seconds),
                session.request(
                    self._endpoint.method,
                    self._endpoint.url,
                    params=query or None,
                    data=content,
                    headers=typed,
                    allow_redirects=False,
                ) as response,
            ):
                clock.answering()
                whole = await response.read()
        except TimeoutError:
            raise _failures.timed_out(self._target, seconds) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _failures.broken_connection(self._target, error) from None
        times = clock.times()
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if not 200 <= response.status < 300:
            raise self._refused(response.status, response.headers, kind, whole)
        return _Reply(kind, whole, times, _failures.rate_limits(response.headers))

    def _refused(self, status: int, headers: Mapping[str, str], kind: str, whole: bytes) -> ProviderFailure:
        try:
            code, message = _failures.said(json.loads(whole)) if kind.endswith("json") else (None, None)
        except (ValueError, RecursionError):
            code = message = None
        return _failures.from_status(self._target, status, headers, code=code, message=message)

    def _answer(self, kind: str, whole: bytes) -> str:
        if not self._endpoint.answer:
            return whole.decode("utf-8", "replace")
        try:
            data = json.loads(whole)
        except (ValueError, RecursionError):
            what = "broken JSON" if kind.endswith("json") else f"'{kind}' instead of JSON" if kind else "no JSON"
            raise _failures.not_an_answer(self._target, what) from None
        try:
            return _endpoint.find(data, self._endpoint.answer)
        except KeyError as error:
            there = f"; it has {', '.join(map(str, data))}" if isinstance(data, dict) and data else ""
            why = f"the reply of {self._target.model} has no '{error.args[0]}' for the answer {self._endpoint.answer}"
            raise ProviderFailure(FailureKind.REJECTED, self._target.clean(why + there)) from None
        except (ValueError, RecursionError) as error:
            raise _failures.not_an_answer(self._target, f"an answer that is no JSON: {error}") from None

"""Any HTTP endpoint as a model: `http/<endpoint>`, described in the settings.

    [tool.promptbench.providers.http.endpoints.intents]
    url = "http://127.0.0.1:5005/model/parse"
    headers = { Authorization = "Bearer ${NLU_TOKEN}" }
    body = { text = "{{vars.message}}" }
    answer = "intent.name"

It is called by `method` (POST) with `body` as JSON and `query` in its address. In both, `{{vars.NAME}}` is a value of
the case and `{{vars}}` all of them; with `sees_prompt = true` also `{{messages}}` and `{{prompt}}`, their text. Values
are inserted as data. `answer` is the path of the answer in the reply, such as `data.0.text`; by default the whole reply
is the answer. Secrets come from the environment only, as `${NAME}` in a header. Other settings: `local` (it runs on
this machine, at the machine's price), `timeout` in seconds (120), `concurrency` (at most this many calls at once),
`context_window` in tokens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request
from promptbench.plugins import Problem, Provider, ProviderContext, ProviderSpec
from promptbench.providers import _chat, _credentials, _endpoint, _failures, _options, _windows
from promptbench.text import templates

if TYPE_CHECKING:
    from aiohttp import ClientSession

_TIMEOUT_SECONDS = 120.0
_EXAMPLE = 'url = "http://127.0.0.1:5005/…"'
_DIALECT = _chat.Dialect({})


def _connect(name: str, context: ProviderContext) -> HttpEndpoint:
    found = _problems(name, context)
    return HttpEndpoint(
        _find(name, context) or _endpoint.Endpoint(name, {}),
        context.environ,
        blocked=found[0].message if found else None,
    )


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    endpoint = _find(name, context)
    if endpoint is None:
        return [_options.unknown_name("http", context.options, "endpoints", name, _EXAMPLE)]
    return endpoint.problems(context.environ)


def _shaped_by(name: str, context: ProviderContext) -> Json:
    endpoint = _find(name, context)
    return None if endpoint is None else endpoint.shape()


def _reads_prompt(name: str, context: ProviderContext) -> bool:
    endpoint = _find(name, context)
    return endpoint is not None and endpoint.sees_prompt


def _option(name: str, context: ProviderContext) -> Mapping[str, Json]:
    endpoint = _find(name, context)
    return {} if endpoint is None else endpoint.options


def _find(name: str, context: ProviderContext) -> _endpoint.Endpoint | None:
    options = _options.named(context.options, "endpoints", name)
    return None if options is None else _endpoint.Endpoint(name, options)


class HttpEndpoint(Provider):
    """One endpoint."""

    def __init__(self, endpoint: _endpoint.Endpoint, environ: Mapping[str, str], *, blocked: str | None) -> None:
        self.concurrency, self.max_concurrency = _options.concurrency(endpoint.options)
        self._endpoint = endpoint
        self._timeout = _options.positive_number(endpoint.options, "timeout", _TIMEOUT_SECONDS)
        self._blocked = blocked
        self._headers = {} if blocked else endpoint.headers(environ)
        self._target = _failures.CallTarget(
            f"http/{endpoint.name}",
            _credentials.host(endpoint.url),
            ", ".join(endpoint.variables()) or "'headers' in the settings",
            endpoint.secrets(environ),
        )
        self._session: ClientSession | None = None

    async def complete(self, request: Request) -> Answer:
        import aiohttp

        from promptbench.providers import _session

        if self._blocked is not None:
            raise ProviderFailure(FailureKind.FATAL, self._blocked)
        if self._endpoint.sees_prompt:
            _chat.require_messages(request)
        _DIALECT.params(request.params, self._target.model)
        content, query = self._filled(request)
        seconds = _options.positive_number(request.params, _chat.TIMEOUT_WORD, self._timeout)
        session = self._session = self._session or _session.open_session(self._endpoint.url, self._headers)
        clock = _session.Clock.start()
        try:
            async with (
                asyncio.timeout(seconds),
                session.request(
                    self._endpoint.method,
                    self._endpoint.url,
                    params=query or None,
                    data=content,
                    headers={"Content-Type": "application/json"} if content is not None else None,
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
            raise _failures.from_status(self._target, response.status, response.headers, _error_body(kind, whole))
        limits = _failures.rate_limits(response.headers)
        return Answer(text=self._answer(kind, whole), model=self._target.model, limits=limits, **times)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _filled(self, request: Request) -> tuple[bytes | None, dict[str, str]]:
        """Return the body, None if the endpoint has none, and the query. Raises ProviderFailure."""
        try:
            body, query = self._endpoint.filled("body", request), self._endpoint.filled("query", request)
        except KeyError as error:
            name = str(error.args[0]).removeprefix("vars.")
            raise ProviderFailure(
                FailureKind.REJECTED, f"{self._target.model} needs the variable '{name}', and this case has none"
            ) from None
        texts = {name: templates.render_value(value) for name, value in (query or {}).items()}
        _chat.encode(texts)  # refuses a lone surrogate, which an address cannot carry
        return None if body is None else _chat.encode(body), texts

    def _answer(self, kind: str, whole: bytes) -> str:
        if not self._endpoint.answer:
            return whole.decode("utf-8", "replace")
        data = _failures.decoded(self._target, whole, kind)
        try:
            return _endpoint.find(data, self._endpoint.answer)
        except KeyError as error:
            there = f"; it has {', '.join(map(str, data))}" if isinstance(data, dict) and data else ""
            why = f"the reply of {self._target.model} has no '{error.args[0]}' for the answer {self._endpoint.answer}"
            raise ProviderFailure(FailureKind.REJECTED, self._target.clean(why + there)) from None
        except (ValueError, RecursionError) as error:
            raise _failures.not_an_answer(self._target, f"an answer that is not valid JSON: {error}") from None


def _error_body(kind: str, whole: bytes) -> Json:
    try:
        return json.loads(whole) if kind.endswith("json") else None
    except (ValueError, RecursionError):
        return None


SPEC = ProviderSpec(
    connect=_connect,
    problems=_problems,
    # The parameters of an endpoint are in the body that the settings describe, so it takes none from a prompt.
    unsupported=lambda name, context, config: _DIALECT.problems(config, f"http/{name}"),
    reads_prompt=_reads_prompt,
    # The address does not tell: a server on this machine may be a proxy.
    runs_here=lambda name, context: _option(name, context).get("local") is True,
    shaped_by=_shaped_by,
    context_window=lambda name, context: _windows.declared(_option(name, context)),
)

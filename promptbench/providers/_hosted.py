"""A model that is called through an official SDK: one request, one answer, whatever API its server offers.

The SDKs of OpenAI and Anthropic are built alike: the same clients, transports and base classes of errors.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from promptbench.core import addresses
from promptbench.core.errors import Code
from promptbench.core.protocols import BatchApi
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request, Usage
from promptbench.plugins import (
    Billing,
    Problem,
    Provider,
    ProviderContext,
    ProviderOption,
    ProviderSpec,
    ServiceAddress,
)
from promptbench.providers import _chat, _credentials, _events, _failures, _options

if TYPE_CHECKING:
    from promptbench.providers import _session


_TIMEOUT_SECONDS = 120.0
_LIST_SECONDS = 5.0
_CONTENT = frozenset({"model", "messages", "input", "system", "tools"})  # fields of a body that are not parameters


class Api(Protocol):
    """One HTTP API: the path, the body for a request, the answer in a reply."""

    @property
    def dialect(self) -> _chat.Dialect: ...

    @property
    def path(self) -> str: ...

    @property
    def streamed(self) -> Mapping[str, Json]:
        """The fields that a body has in addition when the answer is streamed."""

    def unenforced(self, schema: Mapping[str, Json]) -> str | None:
        """Return what of an output schema the server is known not to enforce, in a sentence; None if nothing."""

    def body(self, name: str, request: Request, schema: Mapping[str, Json] | None) -> dict[str, Json]:
        """Return what is posted. Raises ProviderFailure for what this API would not accept."""

    def read(self, data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
        """Return the answer in a decoded reply, without its times. Raises NotACompletion."""

    def joined(self, events: Sequence[_events.StreamEvent]) -> _events.Whole:
        """Return a streamed reply as if it had not been streamed. Raises BrokenStream."""


@dataclass(frozen=True, slots=True)
class HostedServer:
    """Where a model is, and where its address and key were configured. `model` is as a suite names it."""

    model: str
    url: str
    source: str
    key_variable: str
    keyless: bool = False
    home: str = ""  # the provider's own address, where its list prices apply

    @property
    def wants_key(self) -> bool:
        return not (self.keyless or addresses.is_loopback(self.url))

    def key(self, environ: Mapping[str, str]) -> str:
        found = None if self.keyless else _credentials.read_key(environ, self.key_variable)
        return found or _credentials.PLACEHOLDER_KEY

    def as_address(self, name: str) -> ServiceAddress:
        """Return the server as `doctor` shows it, under a name of the settings."""
        return ServiceAddress(name, self.url, self.source, (self.key_variable,) if self.wants_key else ())

    def target(self, environ: Mapping[str, str]) -> _failures.CallTarget:
        return _failures.CallTarget(
            self.model, addresses.host(self.url), self.key_variable or "api_key_env", (self.key(environ),)
        )

    def problems(self, context: ProviderContext, options: Mapping[str, Json]) -> list[Problem]:
        """Return what is wrong with the numbers, the address and the key."""
        provider = self.model.partition("/")[0]
        found = [
            *_options.number_problems(options, provider, ("timeout", "concurrency", _options.WINDOW)),
            *_options.boolean_problems(options, provider, ("structured",)),
        ]
        if options.get("token_limit", "max_tokens") not in _chat.TOKEN_LIMITS:
            message = f"the setting 'token_limit' of {provider} must be one of {', '.join(_chat.TOKEN_LIMITS)}"
            found.append(Problem(Code.SETTINGS.name, message, 'write it as token_limit = "max_completion_tokens"'))
        wrong_address = _credentials.address_problem(self.source, self.url)
        if wrong_address:
            return [*found, wrong_address]
        wrong_key = (
            _credentials.key_problem(self.model, context, self.url, self.key_variable) if self.wants_key else None
        )
        return [*found, wrong_key] if wrong_key else found


def server_of(
    provider: str, name: str, context: ProviderContext, *, home: str = "", setting: str = "base_url"
) -> HostedServer:
    """Return the server of a provider that has one address: a setting, else an environment variable, else `home`."""
    prefix = provider.upper()
    variable = f"{prefix}_{setting.upper()}"
    written, listed = _options.text(context.options, setting), context.environ.get(variable, "").strip()
    return HostedServer(
        f"{provider}/{name}",
        written or listed or home,
        f"the setting '{setting}' of {provider}" if written else variable if listed else "default",
        _options.text(context.options, "api_key_env") or f"{prefix}_API_KEY",
        home=home,
    )


@dataclass(frozen=True, slots=True)
class Setup:
    """How to call one model. `client` makes the SDK's asynchronous client; `facts` are recorded with each answer."""

    name: str
    server: HostedServer
    api: Api
    options: Mapping[str, Json]
    client: Callable[[], Any]
    sdk: str = "openai"
    facts: Mapping[str, Json] = field(default_factory=dict)
    models_path: str = "/models"  # where the server lists its models; empty if it has no such list
    listed_as: str = ""  # the model's name in price lists, if it is not `name`
    shape: Mapping[str, Json] = field(default_factory=dict)  # what shapes answers besides the address
    batch: Callable[[Hosted], BatchApi] | None = None  # the API for many requests at half price


def hosted_spec(
    setup: Callable[[str, ProviderContext], Setup],
    problems: Callable[[str, ProviderContext], list[Problem]],
    *,
    runs_here: Callable[[str, ProviderContext], bool] = lambda name, context: False,
    addresses: Callable[[ProviderContext], Sequence[ServiceAddress]],
    request_body: Callable[[Request], dict[str, Json]] | None = None,
    unsupported_file: Callable[[str, ProviderContext, str], str | None] = lambda name, context, media: None,
    options: Mapping[str, ProviderOption],
    starter_model: str = "",
    starter_config: Mapping[str, Json] | None = None,
    embeds: bool = False,
) -> ProviderSpec:
    """Return the spec of a provider that is called through an SDK."""

    def connect(name: str, context: ProviderContext) -> Hosted:
        found = problems(name, context)
        made = setup(name, context)
        return Hosted(made, made.server.target(context.environ), blocked=found[0].message if found else None)

    def unsupported(name: str, context: ProviderContext, config: Mapping[str, Json]) -> list[Problem]:
        made = setup(name, context)
        return made.api.dialect.problems(config, made.server.model)

    def unenforced(name: str, context: ProviderContext, schema: Mapping[str, Json]) -> str | None:
        made = setup(name, context)
        if made.options.get("structured") is not True:
            return None
        if (known := made.api.dialect.known).takes("schema") is False:
            return f"{made.server.model} takes no output schema, so none is sent ({known.sources['schema']})"
        return made.api.unenforced(schema)

    def without_tools(name: str, context: ProviderContext) -> str | None:
        known = setup(name, context).api.dialect.known
        return f"the model takes none ({known.sources['tools']})" if known.takes("tools") is False else None

    def shaped_by(name: str, context: ProviderContext) -> Json:
        made = setup(name, context)
        # Neither the caller nor a timeout shapes an answer.
        address, structured = _credentials.without_user(made.server.url), made.options.get("structured") is True
        return {"address": address, "structured": structured, **made.shape}

    def context_window(name: str, context: ProviderContext) -> int | None:
        made = setup(name, context)
        return _options.context_window(made.listed_as or made.name, made.server.url, made.options)

    def billing(name: str, context: ProviderContext) -> Billing:
        made = setup(name, context)
        elsewhere = bool(made.server.home) and made.server.url != made.server.home
        return Billing(made.server.url if elsewhere else None, made.listed_as or None)

    return ProviderSpec(
        connect=connect,
        problems=problems,
        unsupported=unsupported,
        unenforced=unenforced,
        without_tools=without_tools,
        unsupported_file=unsupported_file,
        runs_here=runs_here,
        shaped_by=shaped_by,
        context_window=context_window,
        billing=billing,
        request_body=request_body,
        options={**_options.SDK_OPTIONS, **options},
        addresses=addresses,
        starter_model=starter_model,
        starter_config=starter_config or {},
        embeds=embeds,
    )


class Hosted(Provider):
    """One model at one server."""

    def __init__(self, setup: Setup, target: _failures.CallTarget, *, blocked: str | None) -> None:
        self.concurrency, self.max_concurrency = _options.concurrency(setup.options)
        self.setup = setup
        self.api = setup.api
        self.target = target
        self._timeout = _options.positive_number(setup.options, "timeout", _TIMEOUT_SECONDS)
        self._structured = setup.options.get("structured") is True
        self._blocked = blocked
        self._client: Any = None
        self._made: dict[str, list[Any]] = {}  # by path: up to two responses of the SDK, to requests made alike

    def prepare(self, request: Request) -> tuple[Api, dict[str, Json], dict[str, Any]]:
        """Return the API, the body for a request, and the keywords of `Api.read` for its reply.

        Raises ProviderFailure for a request that the API would not accept.
        """
        _chat.require_messages(request)
        api = EMBEDDINGS if request.embeds else self.api
        takes_schema = self._structured and api.dialect.known.takes("schema") is not False
        schema = request.output_schema if takes_schema else None
        body = api.body(self.setup.name, request, schema)
        params = {**{word: value for word, value in body.items() if word not in _CONTENT}, **self.setup.facts}
        return api, body, {"params": params, "structured": schema is not None and api.unenforced(schema) is None}

    def batch(self) -> BatchApi | None:
        return self.setup.batch(self) if self.setup.batch else None

    async def complete(self, request: Request) -> Answer:
        from promptbench.providers import _session

        api, body, reading = self.prepare(request)
        seconds = _options.positive_number(request.params, _chat.TIMEOUT_WORD, self._timeout)
        content = _chat.encode({**body, **api.streamed} if request.stream else body)
        client = self.open()
        clock = _session.Clock.start(watching=request.stream)
        try:
            response = await self.reply(self._post(client, api.path, content), seconds)
        except ProviderFailure as failure:
            field, is_refusal = failure.refused or "", failure.kind is FailureKind.REJECTED
            failure.refused = api.dialect.blamed(request.params, field, str(failure)) if is_refusal else None
            raise
        return self._answer(api, response, clock, reading)

    async def listed(self) -> Mapping[str, str | None] | None:
        import httpx2

        if not self.setup.models_path:
            return None
        response = await self.reply(self.open().get(self.setup.models_path, cast_to=httpx2.Response), _LIST_SECONDS)
        data = _failures.decoded(self.target, response.content, _content_type(response), response.status_code)
        items = data.get("data") if isinstance(data, dict) else None
        if not isinstance(items, list):
            raise _failures.not_an_answer(self.target, "JSON that is not a list of models", response.status_code)
        # OpenAI's name for the date, and Anthropic's.
        return {
            str(item.get("id")): str(item.get("shutdown_date") or item.get("retires_at") or "")[:10] or None
            for item in items
            if isinstance(item, dict)
        }

    def open(self) -> Any:
        """Return the SDK's client. Raises ProviderFailure if the model must not be called."""
        if self._blocked is not None:
            raise ProviderFailure(FailureKind.FATAL, self._blocked)
        self._client = self._client or self.setup.client()
        return self._client

    async def reply(self, call: Awaitable[Any], seconds: float) -> Any:
        """Return the response to a call of the SDK, whose errors become ProviderFailure."""
        import asyncio

        import aiohttp
        import httpx2

        sdk = importlib.import_module(self.setup.sdk)
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError:
            raise _failures.timed_out(self.target, seconds) from None
        except (sdk.APIStatusError, httpx2.HTTPStatusError) as error:
            raise self._refused(error.response) from None
        except (sdk.APIConnectionError, httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _failures.broken_connection(self.target, error) from None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _post(self, client: Any, path: str, content: bytes) -> Any:
        """Return the response to a request as the SDK makes it.

        The SDK takes twice as long to make a request as to send it. So when two in a row are alike but for their
        content, those after them are copies: nothing in them, such as an idempotency key, is for one call only.
        """
        import httpx2

        made = self._made.get(path, [])
        if len(made) == 2:
            return (await made[1].extensions["transport"].send(made[1].request, content)).raise_for_status()
        # The plain response: the SDK's typed models take as long as the rest of the call, and hide the body of a
        # server that does not answer as it should.
        response = await client.post(path, cast_to=httpx2.Response, content=content)
        del response.request.headers["content-length"]
        heads = {(str(it.request.url), *it.request.headers.multi_items()) for it in (*made, response)}
        self._made[path] = [*made, response] if len(heads) == 1 else [response]
        return response

    def _answer(self, api: Api, response: Any, clock: _session.Clock, reading: Mapping[str, Any]) -> Answer:
        times, kind, first_token_ms = clock.times(), _content_type(response), None
        try:
            if clock.watching and kind == _events.KIND:
                whole = api.joined(_events.read(response.content))
                data = whole.data
                # Offsets in the body are offsets on the wire only if it is not compressed.
                if whole.first is not None and "content-encoding" not in response.headers:
                    first_token_ms = clock.when(whole.first)
            else:
                data = _failures.decoded(self.target, response.content, kind, response.status_code)
            answer = api.read(data, **reading)
        except (_events.BrokenStream, _chat.NotACompletion) as error:
            raise _failures.not_an_answer(self.target, str(error), response.status_code) from None
        return replace(answer, limits=_failures.rate_limits(response.headers), first_token_ms=first_token_ms, **times)

    def _refused(self, response: Any) -> ProviderFailure:
        body = _failures.error_body(_content_type(response), response.content)
        return _failures.from_status(self.target, response.status_code, response.headers, body)


def _content_type(response: Any) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0]


def client_options(url: str) -> dict[str, Any]:
    """Return the options of an SDK client on our transport, without its retries, redirects and long timeouts."""
    import httpx2

    from promptbench.providers import _transport

    client = httpx2.AsyncClient(transport=_transport.Transport(url), timeout=None, follow_redirects=False)
    return {"max_retries": 0, "timeout": None, "http_client": client}


def openai_client(url: str, key: str) -> Any:
    """Return OpenAI's own client, for all servers that offer the same API."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key=key, base_url=url, **client_options(url))


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The API Embeddings. The answer's text is the embedding as a JSON list."""

    dialect: _chat.Dialect = field(default_factory=lambda: _chat.Dialect({}))
    path: str = "/embeddings"
    streamed: Mapping[str, Json] = field(default_factory=dict)

    def unenforced(self, schema: Mapping[str, Json]) -> str | None:
        return None

    def body(self, name: str, request: Request, schema: Mapping[str, Json] | None) -> dict[str, Json]:
        return {"model": name, "input": request.messages[0].content, "encoding_format": "float"}

    def read(self, data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
        items = data.get("data") if isinstance(data, dict) else None
        first = items[0] if isinstance(items, list) and items else None
        vector = first.get("embedding") if isinstance(first, dict) else None
        if not isinstance(vector, list):
            raise _chat.NotACompletion("JSON that is not an embedding")
        usage = data.get("usage")
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        return Answer(
            text=json.dumps(vector, separators=(",", ":")),
            model=str(data.get("model") or ""),
            params=params,
            usage=Usage(tokens, 0) if isinstance(tokens, int) else None,
        )

    def joined(self, events: Sequence[_events.StreamEvent]) -> _events.Whole:
        raise _events.BrokenStream("a stream instead of an embedding")


EMBEDDINGS = Embeddings()

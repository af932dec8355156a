"""Any HTTP endpoint as a model: `http/<endpoint>`, described in the settings.

    [tool.promptbench.providers.http.endpoints.intents]
    url = "http://127.0.0.1:5005/model/parse"
    headers = { Authorization = "Bearer ${NLU_TOKEN}" }
    body = { text = "{{vars.message}}" }
    answer = "intent.name"

It is called by `method` (POST) with `body` as JSON and `query` in its address. In both, `{{vars.NAME}}` is a value of
the case and `{{vars}}` all of them; with `sees_prompt = true` also `{{messages}}` and `{{prompt}}`, their text. Values
are inserted as data. `answer` is the path of the answer in the reply, such as `data.0.text`; by default the whole reply
is the answer. An image or PDF is an object with `file`, `type`, `size` and `sha256`, and with `files = true` also its
base64: `{{vars.NAME.data}}`. Secrets come from the environment only, as `${NAME}` in a header. Other settings: `local`
(it runs on this machine, at the machine's price), `timeout` in seconds (120), `concurrency` (at most this many calls at
once), `context_window` in tokens, and `version`: the path in the reply of the version that the service reports about
itself, or `header NAME`. A suite that judges a version of the service gets an answer of that version, or none.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptbench.core import addresses
from promptbench.core.canonical import canonical, texts_in
from promptbench.core.errors import Code
from promptbench.core.files import map_files
from promptbench.core.secrets import without_secrets
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request
from promptbench.plugins import Problem, Provider, ProviderContext, ProviderOption, ProviderSpec, ServiceAddress
from promptbench.providers import _chat, _credentials, _failures, _options
from promptbench.text import templates

if TYPE_CHECKING:
    from aiohttp import ClientSession


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"})
_METHODS = ("GET", "POST", "PUT", "PATCH")
_PROMPT_ROOTS = frozenset({"messages", "prompt"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One table of `endpoints`; `options` are that table merged over the provider's."""

    name: str
    options: Mapping[str, Json]

    @property
    def url(self) -> str:
        return _options.text(self.options, "url")

    @property
    def method(self) -> str:
        return _options.text(self.options, "method").upper() or "POST"

    @property
    def sees_prompt(self) -> bool:
        return self.options.get("sees_prompt") is True

    @property
    def answer(self) -> str:
        return _options.text(self.options, "answer")

    def variables(self) -> list[str]:
        """Return the environment variables in the headers' values, each once."""
        texts = [value for value in self._table("headers").values() if isinstance(value, str)]
        return list(dict.fromkeys(name for text in texts for name in _VARIABLE.findall(text)))

    def secrets(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Return what no message may contain; longest first, because one may contain another."""
        found = (_credentials.read_key(environ, name) for name in self.variables())
        return tuple(sorted((value for value in found if value), key=len, reverse=True))

    def headers(self, environ: Mapping[str, str]) -> dict[str, str]:
        def value_of(match: re.Match[str]) -> str:
            return _credentials.read_key(environ, match[1]) or ""

        return {name: _VARIABLE.sub(value_of, str(value)) for name, value in self._table("headers").items()}

    def filled(self, part: str, request: Request) -> Json:
        """Return the `body` or the `query` with the request's data, None if not configured. Raises KeyError."""
        data: dict[str, Json] = {"vars": dict(request.variables)}
        if self.sees_prompt:
            data["messages"] = [message.as_data() for message in request.messages]
            data["prompt"] = "\n\n".join(message.content for message in request.messages)
        if self.options.get("files") is True:
            data = map_files(data, lambda file: {**file, "data": _chat.base64(file)})
        return templates.fill_data(self.options.get(part), data)

    def shape(self) -> dict[str, Json]:
        """Return the settings that shape an answer. Variables in headers appear by name, never by value."""
        return {
            "address": _credentials.without_user(self.url),
            "method": self.method,
            "sees_prompt": self.sees_prompt,
            "answer": self.answer,
            "files": self.options.get("files"),
            "headers": without_secrets(self._table("headers")),
            **{part: self.options.get(part) for part in ("body", "query")},
        }

    def problems(self, context: ProviderContext) -> list[Problem]:
        model = f"http/{self.name}"
        found = [
            *_options.number_problems(self.options, model, ("timeout", "concurrency", _options.WINDOW)),
            *_options.boolean_problems(self.options, model, ("sees_prompt", "local", "files")),
        ]
        if not self.url:
            found.append(_wrong(f"the settings have no url for {model}", 'write url = "http://127.0.0.1:5005/…"'))
        else:
            wrong_address = _credentials.address_problem(f"the setting 'url' of {model}", self.url)
            found += [wrong_address] if wrong_address else []
        if self.method not in _METHODS:
            found.append(
                _wrong(
                    f"the setting 'method' of {model}: expected {', '.join(_METHODS)}, got {self.method!r}",
                    'write method = "POST"',
                )
            )
        if not isinstance(self.options.get("answer", ""), str):
            found.append(_wrong(f"the setting 'answer' of {model} must be text", 'write it as answer = "data.0.text"'))
        if not isinstance(self.options.get("version", ""), str):
            found.append(_wrong(f"the setting 'version' of {model} must be text", 'write version = "meta.version"'))
        return [*found, *self._header_problems(context), *self._template_problems()]

    def _table(self, name: str) -> Mapping[str, Json]:
        table = self.options.get(name)
        return table if isinstance(table, dict) else {}

    def _header_problems(self, context: ProviderContext) -> Iterator[Problem]:
        model = f"http/{self.name}"
        headers = self.options.get("headers", {})
        if not isinstance(headers, dict):
            yield _wrong(f"the setting 'headers' of {model} must be a table", 'write headers = { X-Team = "support" }')
            return
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                yield _wrong(f"{name!r} is not a valid header name for {model}", "use letters, digits and dashes")
            elif not (isinstance(value, str) and value.isascii() and value.isprintable()):
                yield _wrong(f"the header {name} of {model} must be plain text", f'write {name} = "text"')
            elif name.lower() in _SECRET_HEADERS and not _VARIABLE.search(value):
                yield _wrong(
                    f"the header {name} of {model} is a secret, and secrets come from the environment",
                    f'write {name} = "${{NAME}}", where the environment variable NAME holds it',
                )
        for variable in self.variables():
            problem = _credentials.key_problem(model, context, self.url, variable)
            if problem:
                yield problem

    def _template_problems(self) -> Iterator[Problem]:
        model = f"http/{self.name}"
        known = {"vars", *(_PROMPT_ROOTS if self.sees_prompt else ())}
        used = set()
        if not isinstance(self.options.get("query", {}), dict):
            yield _wrong(f"the setting 'query' of {model} must be a table", 'write query = { q = "{{vars.message}}" }')
        for text in texts_in([self.options.get("body"), self.options.get("query")]):
            try:
                tags = [part.body for part in templates.split(text) if isinstance(part, templates.Tag)]
            except templates.TemplateError as error:
                yield _wrong(f"in the settings of {model}, {error.message}", error.hint)
                continue
            for tag in tags:
                root = tag.partition(".")[0]
                used.add(root)
                if not templates.is_name(tag) or root not in known:
                    yield _wrong(f"'{{{{{tag}}}}}' in the settings of {model} is unknown", _advice(root, known))
        if self.sees_prompt and not used & _PROMPT_ROOTS:
            yield _wrong(
                f"{model} has sees_prompt = true, but its body has no placeholder for the prompt",
                'put "{{messages}}" or "{{prompt}}" into its body',
            )


def _wrong(message: str, hint: str) -> Problem:
    return Problem(Code.SETTINGS.name, message, hint)


def _advice(root: str, known: set[str]) -> str:
    if root in _PROMPT_ROOTS:
        return "write sees_prompt = true for an endpoint that gets the prompt"
    return f"known are {', '.join(f'{{{{{name}}}}}' for name in sorted(known))} and {{{{vars.NAME}}}}"


def find(data: Json, path: str) -> str:
    """Return the answer at `path` as text, all of `data` for an empty path. Raises KeyError with the missing step."""
    value = data
    for step in path.split(".") if path else ():
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise KeyError(step)
    return value if isinstance(value, str) else canonical(value)


_TIMEOUT_SECONDS = 120.0
_DIALECT = _chat.Dialect({})


def _connect(name: str, context: ProviderContext) -> HttpEndpoint:
    found = _problems(name, context)
    return HttpEndpoint(_endpoint(name, context), context.environ, blocked=found[0].message if found else None)


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    if _options.named(context.options, "endpoints", name) is None:
        return [_options.unknown_name("http", context, "endpoints", name, 'url = "http://127.0.0.1:5005/…"')]
    return _endpoint(name, context).problems(context)


def _endpoint(name: str, context: ProviderContext) -> Endpoint:
    return Endpoint(name, _options.named(context.options, "endpoints", name) or {})


class HttpEndpoint(Provider):
    """One endpoint."""

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str], *, blocked: str | None) -> None:
        self.concurrency, self.max_concurrency = _options.concurrency(endpoint.options)
        self._endpoint = endpoint
        self._timeout = _options.positive_number(endpoint.options, "timeout", _TIMEOUT_SECONDS)
        self._blocked = blocked
        self._headers = {} if blocked else endpoint.headers(environ)
        self._target = _failures.CallTarget(
            f"http/{endpoint.name}",
            addresses.host(endpoint.url),
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
            raise _failures.from_status(
                self._target, response.status, response.headers, _failures.error_body(kind, whole)
            )
        if request.pinned and request.pinned.version:
            self._check_version(request.pinned.version, response.headers, kind, whole)
        limits = _failures.rate_limits(response.headers)
        return Answer(text=self._answer(kind, whole), model=self._target.model, limits=limits, **times)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _filled(self, request: Request) -> tuple[bytes | None, dict[str, str]]:
        # Return the body, None if the endpoint has none, and the query. Raises ProviderFailure.
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

    def _check_version(self, wanted: str, headers: Mapping[str, str], kind: str, whole: bytes) -> None:
        # Raises ProviderFailure, which ends the model: a service that changes during a run is not one version.
        place = str(self._endpoint.options.get("version", ""))
        try:
            of_header = headers.get(place.removeprefix("header "), "none")
            reported = of_header if place.startswith("header ") else find(json.loads(whole), place)
        except (KeyError, ValueError, RecursionError):
            reported = "none"
        if reported != wanted:
            message = f"{self._target.model} reports version {reported}, and {wanted} is judged"
            raise ProviderFailure(FailureKind.FATAL, self._target.clean(message))

    def _answer(self, kind: str, whole: bytes) -> str:
        if not self._endpoint.answer:
            return whole.decode("utf-8", "replace")
        data = _failures.decoded(self._target, whole, kind)
        try:
            return find(data, self._endpoint.answer)
        except KeyError as error:
            there = f"; it has {', '.join(map(str, data))}" if isinstance(data, dict) and data else ""
            why = f"the reply of {self._target.model} has no '{error.args[0]}' for the answer {self._endpoint.answer}"
            raise ProviderFailure(FailureKind.REJECTED, self._target.clean(why + there)) from None
        except (ValueError, RecursionError) as error:
            raise _failures.not_an_answer(self._target, f"an answer that is not valid JSON: {error}") from None


SPEC = ProviderSpec(
    connect=_connect,
    problems=_problems,
    # The parameters of an endpoint are in the body that the settings describe, so it takes none from a prompt.
    unsupported=lambda name, context, config: _DIALECT.problems(config, f"http/{name}"),
    reads_prompt=lambda name, context: _endpoint(name, context).sees_prompt,
    options={
        "endpoints": ProviderOption("table", "a table for each endpoint, with `url` and the keys of this table"),
        "url": ProviderOption("text", "the address, in the table of an endpoint"),
        "method": ProviderOption("text", "`GET`, `POST`, `PUT` or `PATCH`", "POST"),
        "headers": ProviderOption("table", "`${NAME}` in a value is the environment variable NAME"),
        "body": ProviderOption("table", "what is sent as JSON"),
        "query": ProviderOption("table", "the query string of the address"),
        "answer": ProviderOption("text", "the path of the answer in the response", "the whole response"),
        "version": ProviderOption("text", "the path of the service's version in the response, or `header NAME`"),
        "sees_prompt": ProviderOption("true or false", "the endpoint gets the prompt", "false"),
        "files": ProviderOption("true or false", "`{{vars.NAME.data}}` is the base64 of an image or PDF", "false"),
        "local": ProviderOption("true or false", "the endpoint runs on this machine, at the machine's price", "false"),
        **_options.HTTP_OPTIONS,
    },
    addresses=lambda context: [
        ServiceAddress(f"http/{name}", at.url, f"the setting 'url' of http/{name}", tuple(at.variables()))
        for name in _options.names(context.options, "endpoints")
        for at in [_endpoint(name, context)]
    ],
    reports_version=lambda name, context: bool(_endpoint(name, context).options.get("version")),
    # The address does not tell: a server on this machine may be a proxy.
    runs_here=lambda name, context: _endpoint(name, context).options.get("local") is True,
    shaped_by=lambda name, context: _endpoint(name, context).shape(),
    context_window=lambda name, context: _options.declared_window(_endpoint(name, context).options),
)

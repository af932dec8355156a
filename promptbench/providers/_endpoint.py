"""An HTTP endpoint as configured in the settings: fill its placeholders, find the answer in its reply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from promptbench.core.canonical import canonical
from promptbench.core.diagnostics import Code
from promptbench.core.protocols import Problem
from promptbench.core.secrets import without_secrets
from promptbench.core.types import Json, Request
from promptbench.providers import _credentials, _options, _windows
from promptbench.text import templates

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
            data["messages"] = [message.as_dict() for message in request.messages]
            data["prompt"] = "\n\n".join(message.content for message in request.messages)
        return fill(self.options.get(part), data)

    def shape(self) -> dict[str, Json]:
        """Return the settings that shape an answer. Variables in headers appear by name, never by value."""
        return {
            "address": _credentials.without_user(self.url),
            "method": self.method,
            "sees_prompt": self.sees_prompt,
            "answer": self.answer,
            "headers": without_secrets(self._table("headers")),
            **{part: self.options.get(part) for part in ("body", "query")},
        }

    def problems(self, environ: Mapping[str, str]) -> list[Problem]:
        model = f"http/{self.name}"
        found = [
            *_options.number_problems(self.options, model, ("timeout", "concurrency", _windows.SETTING)),
            *_options.boolean_problems(self.options, model, ("sees_prompt", "local")),
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
        return [*found, *self._header_problems(environ), *self._template_problems()]

    def _table(self, name: str) -> Mapping[str, Json]:
        table = self.options.get(name)
        return table if isinstance(table, dict) else {}

    def _header_problems(self, environ: Mapping[str, str]) -> Iterator[Problem]:
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
            problem = _credentials.key_problem(model, environ, variable)
            if problem:
                yield problem

    def _template_problems(self) -> Iterator[Problem]:
        model = f"http/{self.name}"
        known = {"vars", *(_PROMPT_ROOTS if self.sees_prompt else ())}
        used = set()
        if not isinstance(self.options.get("query", {}), dict):
            yield _wrong(f"the setting 'query' of {model} must be a table", 'write query = { q = "{{vars.message}}" }')
        for text in (*_texts(self.options.get("body")), *_texts(self.options.get("query"))):
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


def _texts(template: Json) -> Iterator[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, dict):
        for value in template.values():
            yield from _texts(value)
    elif isinstance(template, list):
        for value in template:
            yield from _texts(value)


def fill(template: Json, data: Mapping[str, Json]) -> Json:
    """Return plain data like `template` with its placeholders filled. Raises KeyError for missing data.

    A text that is only one placeholder becomes the value itself, whatever its type; within a longer text the value is
    rendered as in a prompt.
    """
    if isinstance(template, dict):
        return {key: fill(value, data) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, data) for value in template]
    if not isinstance(template, str):
        return template
    values = [
        templates.lookup(part.body, data) if isinstance(part, templates.Tag) else part
        for part in templates.split(template)
    ]
    return values[0] if len(values) == 1 else "".join(templates.render_value(value) for value in values)


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

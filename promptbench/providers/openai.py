"""OpenAI's Chat Completions or Responses, at api.openai.com or at any server that offers the same API.

The key is in OPENAI_API_KEY, or in the variable that the setting `api_key_env` names; a server on this machine needs
none. The address is the setting `base_url` or OPENAI_BASE_URL, never a suite's. Other settings: `api` (`chat`, or
`responses`), `timeout` in seconds (120), `concurrency` (at most this many calls at once), `structured` (send the
prompt's output schema), `context_window` in tokens (as the list of `genai-prices` has it), `token_limit` (the
field that carries `maxOutputTokens` by chat).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptbench.core import addresses
from promptbench.core.errors import Code
from promptbench.core.files import FileValue
from promptbench.core.types import Answer, Json, Message, Request
from promptbench.plugins import Problem, ProviderContext, ProviderOption
from promptbench.providers import _batch, _chat, _events, _hosted
from promptbench.providers._capabilities import capabilities, text_only

_DIALECT = _chat.Dialect(
    {
        "temperature": "temperature",
        "topP": "top_p",
        "maxOutputTokens": "max_output_tokens",
        "reasoningEffort": "reasoning.effort",
        "verbosity": "text.verbosity",
    }
)


def _file_part(file: FileValue, data: str) -> dict[str, Json]:
    if file.is_image:
        return {"type": "input_image", "image_url": _chat.data_url(file, data), "detail": "auto"}
    return {"type": "input_file", **_chat.named_file(file, data)}


_TEXT_EVENTS = ("response.output_text.delta", "response.function_call_arguments.delta")


@dataclass(frozen=True, slots=True)
class Responses:
    """The API Responses. `store` is false, because OpenAI otherwise keeps responses for weeks."""

    dialect: _chat.Dialect = _DIALECT
    path: str = "/responses"

    def unenforced(self, schema: Mapping[str, Json]) -> str | None:
        return _chat.not_enforced(schema)

    @property
    def streamed(self) -> Mapping[str, Json]:
        return {"stream": True}

    def body(self, name: str, request: Request, schema: Mapping[str, Json] | None) -> dict[str, Json]:
        text = {"type": "json_schema", **_chat.named_schema(schema or {})}
        body = {
            "model": name,
            "input": [item for message in request.messages for item in _items(message)],
            "store": False,
            **({"text": {"format": text}} if schema is not None else {}),
            **_tools(request),
        }
        return _chat.joined(body, self.dialect.params(request.params, str(request.model)))

    def read(self, data: Json, *, params: Mapping[str, Json], structured: bool) -> Answer:
        output = data.get("output") if isinstance(data, dict) else None
        if not isinstance(output, list):
            raise _chat.NotACompletion("JSON that is not a response")
        status = data.get("status")
        if status not in ("completed", "incomplete"):
            raise _chat.NotACompletion(f"a response that is '{status}'{_why(data.get('error'))}")
        texts = [part["text"] for part in _parts(output) if isinstance(part.get("text"), str)]
        refusals = [part["refusal"] for part in _parts(output) if isinstance(part.get("refusal"), str)]
        items = [item for item in output if isinstance(item, dict) and isinstance(item.get("name"), str)]
        calls = tuple(
            _chat.tool_call(item["name"], item.get("arguments", item.get("input")), item.get("call_id"))
            for item in items
            if item.get("type") in ("function_call", "custom_tool_call")
        )
        thoughts = [part["text"] for part in _parts(output, "reasoning") if isinstance(part.get("text"), str)]
        if not (texts or refusals or calls or status == "incomplete"):
            raise _chat.NotACompletion("a message without text")
        return Answer(
            text=_chat.with_calls("".join(texts or refusals), calls),
            calls=calls,
            reasoning="\n".join(thoughts) or None,
            turn=_turn(output) if calls else None,
            model=str(data.get("model") or ""),
            params=params,
            usage=_chat.read_usage(data.get("usage"), "input", "output"),
            finish_reason=_finish(data) if texts or not refusals else "refusal",
            structured=structured,
        )

    def joined(self, events: Sequence[_events.StreamEvent]) -> _events.Whole:
        """Return the response, which the last event contains whole. Raises BrokenStream if that is missing."""
        first = next((event.end for event in events if event.data.get("type") in _TEXT_EVENTS), None)
        for event in reversed(events):
            if isinstance(event.data.get("response"), dict):
                return _events.Whole(event.data["response"], first)
        raise _events.BrokenStream("a stream that did not end")


def _tools(request: Request) -> dict[str, Json]:
    tools = [{"type": "function", **_chat.function_of(tool)} for tool in request.tools]
    fields = _chat.tool_fields(request, tools, lambda name: {"type": "function", "name": name})
    # Nothing is stored, so a model that continues after its calls needs its own reasoning back.
    return {**fields, "include": ["reasoning.encrypted_content"]} if fields else {}


def _items(message: Message) -> list[dict[str, Json]]:
    """Return a message as items of the input."""
    if message.turn is not None:
        return list(message.turn)
    if message.call_id:
        return [{"type": "function_call_output", "call_id": message.call_id, "output": message.content}]
    content = _chat.content_of(message, "input_text", _file_part)
    said = [{"role": message.role, "content": content}] if content or not message.calls else []
    calls = [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.calls
    ]
    return [*said, *calls]


def _turn(output: list[Json]) -> Json:
    """Return the output to send back, without reasoning that cannot be; None if there is no reasoning to send."""
    kept = [
        item
        for item in output
        if isinstance(item, dict) and (item.get("type") != "reasoning" or item.get("encrypted_content"))
    ]
    return kept if any(item.get("type") == "reasoning" for item in kept) else None


def _parts(output: list[Json], kind: str = "message") -> Iterator[Mapping[str, Json]]:
    for item in output:
        if isinstance(item, dict) and item.get("type") == kind:
            parts = item.get("content") or item.get("summary") or ()
            yield from (part for part in parts if isinstance(part, dict))


def _finish(data: Mapping[str, Json]) -> str:
    details = data.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return reason if isinstance(reason, str) else str(data["status"])


def _why(error: Json) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    return f": {message}" if isinstance(message, str) else ""


_HOME = "https://api.openai.com/v1"


def _setup(name: str, context: ProviderContext) -> _hosted.Setup:
    server = _hosted.server_of("openai", name, context, home=_HOME)
    own = addresses.host(server.url).partition(":")[0].endswith("api.openai.com")
    responses = context.options.get("api", "chat") == "responses"
    known = capabilities("openai", name)
    # What models that reason call the limit holds wherever they are called; the rest is about OpenAI's own servers.
    chat = _chat.OPENAI if own or known.facts.get("tokenLimit") else _chat.COMPATIBLE
    dialect = _DIALECT if responses else _chat.limited(chat, context.options)
    dialect = replace(dialect, known=known) if own else dialect
    return _hosted.Setup(
        name,
        server,
        Responses(dialect) if responses else _chat.Chat(dialect, own=own),
        context.options,
        client=lambda: _hosted.openai_client(server.url, server.key(context.environ)),
        shape={"api": context.options.get("api", "chat")},
        batch=_batch.OpenAIBatch,
    )


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    found = _hosted.server_of("openai", name, context, home=_HOME).problems(context, context.options)
    api = context.options.get("api", "chat")
    if api not in ("chat", "responses"):
        found.append(
            Problem(
                Code.SETTINGS.name,
                f"the setting 'api' of openai must be chat or responses, got {api!r}",
                'write it as api = "responses", or leave it out',
            )
        )
    return found


def _request_body(request: Request) -> dict[str, Json]:
    name = request.model.name
    dialect = replace(_chat.OPENAI, known=capabilities("openai", name))
    return _chat.Chat(dialect).body(name, request, request.output_schema)


SPEC = _hosted.hosted_spec(
    _setup,
    _problems,
    addresses=lambda context: [_hosted.server_of("openai", "", context, home=_HOME).as_address("openai")],
    options={
        "base_url": ProviderOption("text", "the address", _HOME, "OPENAI_BASE_URL"),
        "api": ProviderOption("text", "`chat` or `responses`", "chat"),
    },
    unsupported_file=lambda name, context, media: text_only(name),
    starter_model="gpt-5.4-mini",
    embeds=True,
    request_body=_request_body,
)

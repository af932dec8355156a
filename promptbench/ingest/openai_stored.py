"""OpenAI's stored chat completions: the pages of `GET /v1/chat/completions`, as JSON, or one completion a line.

The prompts are a separate list, `GET /v1/chat/completions/{id}/messages`, with the ids `{id}-0`, `{id}-1` and so on:
import these files together with the completions. `metadata` is the application's own.
"""

from promptbench.core.protocols import Log
from promptbench.core.types import Json, LoggedCall
from promptbench.ingest._fields import as_list, as_object, as_text
from promptbench.ingest._records import FilePair, JoinedRecords, NotACall, RecordMap

_PARAMS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "response_format", "tool_choice",
           "reasoning_effort", "service_tier", "max_completion_tokens")  # fmt: skip
_MOST_MESSAGES = 1_000


def _is_completions(file: Log) -> bool:
    first = file.first_record or {}
    return first.get("object") == "chat.completion" and "choices" in first


def _is_messages(file: Log) -> bool:
    """Return True for a page of messages: unlike in other lists, each id ends in a dash and a number."""
    first = file.first_record or {}
    name, dash, position = (as_text(first.get("id")) or "").rpartition("-")
    return file.document_keys >= {"has_more"} and "role" in first and bool(name and dash) and position.isdecimal()


_PAIR = FilePair(
    _is_messages, _is_completions, "id", "it has messages without answers: import the completions together with it"
)


def _prepare(data: dict[str, Json]) -> dict[str, Json]:
    if data["object"] != "chat.completion" or not as_list(data["choices"]):
        raise NotACall("not a chat completion: it has no 'choices'")
    sent = as_list(data.get("messages"))
    return {
        **data,
        "sent": [{**one, "content": one.get("content_parts") or one.get("content")} for one in map(as_object, sent)],
        "came": {key: data[key] for key in ("choices", "model", "usage") if key in data},
        "params": {name: data[name] for name in _PARAMS if data.get(name) is not None},
    }


_MAP = RecordMap(
    name="openai_stored",
    keys=frozenset({"object", "choices"}),
    fields={"id": "id", "time": "created", "request": "sent", "response": "came", "params": "params"},
    prepare=_prepare,
    placed=frozenset({"object", "choices", "usage", "model", "messages", *_PARAMS}),
)


def _build_call(data: dict[str, Json], location: str, messages: JoinedRecords) -> LoggedCall | None:
    sent = _find_messages(as_text(data.get("id")) or "", messages)
    return _MAP.build({**data, "messages": sent} if sent else data, location)


def _find_messages(key: str, messages: JoinedRecords) -> list[dict[str, Json]]:
    found = []
    for position in range(_MOST_MESSAGES):
        message = messages.find(f"{key}-{position}")
        if not message:
            break
        found.append(message)
    return found


SPEC = _PAIR.spec(_build_call, specificity=45)

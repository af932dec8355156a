"""Which conversation a logged call belongs to: cases from one conversation go right and wrong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promptbench.core.types import Json, LoggedCall

# Without case, dots, dashes and underscores; the surest first.
_NAMES = ("conversationid", "threadid", "sessionid", "chatid", "conversation", "thread")
_LONGEST = 200


def conversation_of(call: LoggedCall) -> str | None:
    """The id of the call's conversation, thread or session, as the log has it; None where it has none."""
    for name in _NAMES:
        for fields in _places(call):
            for key, value in fields.items():
                if _plain(str(key)) == name and isinstance(value, (str, int)) and not isinstance(value, bool):
                    found = str(value).strip()
                    if found and len(found) <= _LONGEST:
                        return found
    return None


def _places(call: LoggedCall) -> Iterator[Mapping[str, Json]]:
    # LangSmith calls a whole project a session.
    if call.format != "langsmith":
        yield call.extra
    for name in ("metadata", "attributes"):
        inner = call.extra.get(name)
        if isinstance(inner, Mapping):
            yield inner


def _plain(key: str) -> str:
    return "".join(char for char in key.lower() if char not in "._-")

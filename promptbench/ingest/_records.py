"""What the readers have in common: a record at a time, and one that cannot be read is named.

In a call's `extra` the source's own fields keep their names; these mean the same in every format:

| name | what |
|---|---|
| `params`, `tools` | what was sent besides the messages |
| `tool_calls` | the calls in the answer, each with `name`, `arguments` and `id`; the answer has them as JSON |
| `tool_results` | how many of the messages are what a tool answered |
| `parts` | how many images and other parts there are, by kind; in the text they are named, as `[image]` |
| `reasoning`, `choices` | the model's thoughts; how many answers there were, of which the first is read |
| `provider`, `metadata` | who answered; the application's own |
| `first_token_ms` | how long it took to the first piece of the answer, in milliseconds |
| `scores` | every score by its name |
| `checks`, `not_mapped` | from promptfoo: its assertions as checks, and those without one |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from promptbench.core.types import BadRecord, Json, LoggedCall


class NotACall(ValueError):
    """A record that is no logged call. Its text says why, in a phrase."""


def read_records(
    records: Iterable[tuple[str, Json] | BadRecord], build: Callable[[dict[str, Json], str], LoggedCall | None]
) -> Iterator[LoggedCall | BadRecord]:
    """Each record as `build(record, place)` gives it, without None. NoCall, or what is no object, is a BadRecord."""
    for found in records:
        if isinstance(found, BadRecord):
            yield found
            continue
        place, value = found
        try:
            if not isinstance(value, dict):
                raise NotACall("it is no object")
            call = build(value, place)
        except NotACall as error:
            yield BadRecord(place, str(error))
            continue
        if call is not None:
            yield call

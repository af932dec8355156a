"""Reading one record at a time; a record that cannot be read is reported with its location.

In a call's `extra` the fields of the source keep their names. These mean the same in every format:

| name | meaning |
|---|---|
| `params`, `tools` | what was sent besides the messages |
| `tool_calls` | the calls in the answer, each with `name`, `arguments` and `id`; the answer contains them as JSON |
| `tool_results` | the number of messages that are results of a tool |
| `parts` | the number of images and other parts by kind; the text names them, as in `[image]` |
| `reasoning`, `choices` | the model's thoughts; the number of answers, of which the first is read |
| `provider`, `metadata` | who answered; the application's own data |
| `first_token_ms` | milliseconds to the first piece of the answer |
| `scores` | every score by its name |
| `checks`, `not_mapped` | from promptfoo: its assertions as checks, and those without a matching check |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from promptbench.core.types import BadRecord, Json, LoggedCall


class NotACall(ValueError):
    """A record that is not a logged call. The message is the reason, in a phrase."""


def read_records(
    records: Iterable[tuple[str, Json] | BadRecord], build: Callable[[dict[str, Json], str], LoggedCall | None]
) -> Iterator[LoggedCall | BadRecord]:
    """Yield what `build(record, location)` returns, unless it is None.

    A record that is not an object, or for which `build` raises NotACall, is a BadRecord.
    """
    for found in records:
        if isinstance(found, BadRecord):
            yield found
            continue
        location, value = found
        try:
            if not isinstance(value, dict):
                raise NotACall("it is not an object")
            call = build(value, location)
        except NotACall as error:
            yield BadRecord(location, str(error))
            continue
        if call is not None:
            yield call

"""What the readers of JSON logs have in common: a record at a time, and one that cannot be read is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from promptbench.core.types import BadRecord, Json, LoggedCall


class NoCall(ValueError):
    """A record that is no logged call. Its text says why, in a phrase."""


def read_records(
    records: Iterable[tuple[str, Json] | BadRecord], build: Callable[[dict[str, Json], str], LoggedCall | None]
) -> Iterator[LoggedCall | BadRecord]:
    """Each record as `build(record, place)` gives it; None is left out. NoCall, and what is no object, is a BadRecord."""
    for found in records:
        if isinstance(found, BadRecord):
            yield found
            continue
        place, value = found
        try:
            if not isinstance(value, dict):
                raise NoCall("it is no object")
            call = build(value, place)
        except NoCall as error:
            yield BadRecord(place, str(error))
            continue
        if call is not None:
            yield call

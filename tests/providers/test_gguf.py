"""The local model: what is known before loading, and answers of real weights."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from promptbench.core.types import Answer, FailureKind, ProviderFailure, Request
from promptbench.gateway import Gateway
from promptbench.providers import gguf, openai
from tests.helpers.asking import ask_for, context
from tests.helpers.local_model import installed

MODEL = "gguf/smollm2-135m"
ROOT = Path(__file__).parents[2]
Result = TypeVar("Result")


SLOW = pytest.mark.slow
local_model = pytest.mark.skipif(not installed(), reason="needs the embedded model: promptbench models install")


class Loop:
    """An event loop that outlives a test, so that the weights are loaded once."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.gateway = Gateway({MODEL: gguf.SPEC.connect("smollm2-135m", context())}, notice=print)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)

    def complete(self, *requests: Request) -> list[Answer]:
        async def all_of_them() -> list[Answer]:
            replies = await asyncio.gather(*(self.gateway.call(request) for request in requests))
            for reply in replies:
                if reply.failure is not None:
                    raise reply.failure
            return [reply.answer for reply in replies if reply.answer is not None]

        return self.run(all_of_them())

    def close(self) -> None:
        self.run(self.gateway.close())
        self._runner.close()


@pytest.fixture(scope="module")
def model() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


# What is known before loading


def test_an_unknown_name_is_told_with_what_is_known() -> None:
    (problem, *_) = gguf.SPEC.problems("smollm2-153m", context(options={"paths": {"mine": "m.gguf"}}))
    assert problem.code == "UNKNOWN_MODEL"
    assert problem.hint is not None
    assert problem.hint.startswith("did you mean gguf/smollm2-135m? known are mine, smollm2-135m")


def test_missing_packages_are_told_with_the_line_to_type() -> None:
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from promptbench.core.protocols import ProviderContext\n"
        "from promptbench.providers import gguf\n"
        "for p in gguf.SPEC.problems('smollm2-135m', ProviderContext(Path(), Path(), {})): print(p.code, p.hint)\n"
    )
    # -S leaves out the installed packages.
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    # One command installs both.
    assert done.stdout.splitlines() in (
        ["MISSING_EXTRA promptbench models install (a download of 98 MB)"],
        ["MISSING_EXTRA promptbench models install"],  # where an earlier one left the weights
    )


def test_own_weights_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "good.gguf").write_bytes(b"GGUF....")
    (tmp_path / "bad.gguf").write_bytes(b"<html>")
    own = context(tmp_path, options={"paths": {"good": "good.gguf", "bad": "bad.gguf", "gone": "gone.gguf"}})
    codes = {name: [problem.code for problem in gguf.SPEC.problems(name, own)] for name in ("good", "bad", "gone")}
    assert codes == {"good": [], "bad": ["BAD_VALUE"], "gone": ["FILE_NOT_FOUND"]} or not installed()


def test_a_name_with_settings_of_its_own_has_the_weights_of_another() -> None:
    models = {"strict": {"weights": "smollm2-135m", "structured": True, "context": 512}, "lost": {"weights": "nope"}}
    own = context(options={"models": models, "context": 1024})
    assert (gguf.SPEC.context_window("strict", own), gguf.SPEC.context_window("smollm2-135m", own)) == (512, 1024)
    shapes = {name: gguf.SPEC.shaped_by(name, own) for name in ("strict", "smollm2-135m")}
    if installed():
        assert gguf.SPEC.problems("strict", own) == []
        assert [shape["structured"] for shape in shapes.values()] == [True, False]
        assert len({tuple(shape["weights"]) for shape in shapes.values()}) == 1
    assert "unknown local model 'gguf/nope'" in gguf.SPEC.problems("lost", own)[0].message


def test_temperature_decides_about_determinism() -> None:
    provider = gguf.SPEC.connect("smollm2-135m", context())
    assert provider.deterministic({})
    assert provider.deterministic({"temperature": 0.0})
    assert not provider.deterministic({"temperature": 0.1})


# Real answers


# With these, llama.cpp's prompt cache changes the answers: what was computed with another question in the batch differs
# in the last bits.
SORTING = (
    "You sort support messages. Answer with JSON only, with the keys team, urgent and reason. Teams are billing for "
    "charges, refunds and invoices, technical for crashes, blank pages and errors, and account for passwords, "
    "names and deletions. Urgent is true when the customer cannot work. The reason is one short sentence in plain "
    "words. Never answer with anything but one JSON object."
)
QUESTIONS = ["I was charged twice for March", "My app crashes on start", "Refund please, order 1234"]


@local_model
@pytest.mark.local_model
@pytest.mark.xdist_group("local_model")
class TestRealAnswers:
    def test_an_answer_says_how_it_was_made(self, model: Loop) -> None:
        (answer,) = model.complete(ask_for(MODEL, "Name the capital of France.", params={"maxOutputTokens": 24}))
        assert "Paris" in answer.text
        assert answer.model == "SmolLM2-135M-Instruct.Q4_1.gguf"
        assert answer.usage is not None
        assert answer.usage.input_tokens > 10
        assert 0 < answer.usage.output_tokens <= 24
        assert answer.provider_ms > 1
        assert not answer.structured
        assert answer.params == {
            "temperature": 0,
            "max_tokens": 24,
            "seed": 1,
            "n_ctx": 4096,
            "weights": "SmolLM2-135M-Instruct.Q4_1.gguf",
            "weights_bytes": 98362432,
            "xllamacpp": importlib.metadata.version("xllamacpp"),
        }

    def test_the_finish_reason_is_true(self, model: Loop) -> None:
        short, whole = model.complete(
            ask_for(MODEL, "Tell a story.", params={"maxOutputTokens": 3}),
            ask_for(MODEL, "Name the capital of France.", params={"stopSequences": ["Paris"]}),
        )
        assert (short.finish_reason, whole.finish_reason) == ("length", "stop")
        assert "Paris" not in whole.text

    @pytest.mark.slow
    def test_an_answer_depends_on_the_request_alone(self, model: Loop) -> None:
        def request(question: str) -> Request:
            return ask_for(MODEL, question, system=SORTING, params={"maxOutputTokens": 16})

        alone = {question: model.complete(request(question))[0].text for question in QUESTIONS}
        mixed = random.Random(1).sample(QUESTIONS * 2, 2 * len(QUESTIONS))
        together = model.complete(*map(request, mixed))
        assert [answer.text for answer in together] == [alone[question] for question in mixed]
        assert len(set(alone.values())) == len(QUESTIONS)

    @pytest.mark.slow
    def test_the_prompts_of_two_versions_are_computed_once(self, model: Loop) -> None:
        versions = (SORTING, f"Read the whole message first. {SORTING}")
        requests = [
            ask_for(MODEL, question, system=system, params={"maxOutputTokens": 2})
            for question in QUESTIONS
            for system in versions
        ]
        usages = [model.complete(request)[0].usage for request in requests]
        for usage in usages[2:]:
            assert usage is not None
            assert (usage.cached_tokens or 0) > usage.input_tokens / 2

    def test_above_temperature_zero_repeats_differ_and_are_reproducible(self, model: Loop) -> None:
        warm = {"temperature": 1.2, "topK": 100, "maxOutputTokens": 8}
        requests = [ask_for(MODEL, "Invent a word.", params=warm, repeat=repeat) for repeat in (0, 1)]
        first, again = model.complete(*requests), model.complete(*requests)
        assert [answer.text for answer in first] == [answer.text for answer in again]
        assert len({answer.text for answer in first}) > 1
        assert [answer.params["seed"] for answer in first] == [1, 2]

    @pytest.mark.parametrize(
        ("text", "params", "says"),
        [
            ("word " * 5000, {}, "loaded with room for 4096"),
            ("hello", {"temperature": "hot"}, "temperature"),
            ("hello", {"colour": 1}, "does not take 'colour'"),
            ("half \ud83d", {}, "surrogate"),
        ],
    )
    def test_a_bad_request_is_refused(self, model: Loop, text: str, params: dict[str, Any], says: str) -> None:
        with pytest.raises(ProviderFailure, match=says) as caught:
            model.complete(ask_for(MODEL, text, params=params))
        assert caught.value.kind is FailureKind.REJECTED

    def test_text_survives_the_stream(self, model: Loop) -> None:
        (answer,) = model.complete(ask_for(MODEL, "Repeat exactly: 🙂 naïve 東京", params={"maxOutputTokens": 24}))
        assert "\ufffd" not in answer.text

    def test_the_loop_stays_free_and_a_cancelled_answer_stops(self, model: Loop) -> None:
        async def run() -> tuple[int, float]:
            asked = asyncio.create_task(
                model.gateway.call(ask_for(MODEL, "Tell a long story.", params={"maxOutputTokens": 3000}))
            )
            ticks = 0
            for _ in range(40):
                await asyncio.sleep(0.01)
                ticks += 1
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            began = time.monotonic()
            await model.gateway.call(ask_for(MODEL, "Hi", params={"maxOutputTokens": 1}))
            return ticks, time.monotonic() - began

        ticks, seconds = model.run(run())
        assert ticks == 40
        assert seconds < 30

    def test_closing_stops_answers_and_never_passes_a_part_for_the_whole(self) -> None:
        async def run() -> float:
            provider = gguf.SPEC.connect("smollm2-135m", context(options={"slots": 1}))
            story = ask_for(MODEL, "Tell a long story.", params={"maxOutputTokens": 3000})
            asked = asyncio.create_task(provider.complete(story))
            await asyncio.sleep(1)
            began = time.monotonic()
            await provider.close()
            with pytest.raises(ProviderFailure, match="stopped before its answer was complete"):
                await asked
            return time.monotonic() - began

        assert asyncio.run(run()) < 20

    def test_a_structured_answer_fits_the_schema(self) -> None:
        schema = {
            "type": "object",
            "properties": {"team": {"enum": ["billing", "technical"]}},
            "required": ["team"],
            "additionalProperties": False,
        }
        request = ask_for(MODEL, "I was charged twice. Which team?", schema=schema, params={"maxOutputTokens": 200})
        strict = {"models": {"smollm2-135m": {"structured": True}}, "slots": 1}
        answer = one_answer(request, strict)
        assert answer.structured
        assert json.loads(answer.text)["team"] in ("billing", "technical")

    def test_broken_weights_end_the_model(self, tmp_path: Path) -> None:
        (tmp_path / "torn.gguf").write_bytes(b"GGUF" + b"\1" * 1000)
        with pytest.raises(ProviderFailure, match=r"cannot load torn\.gguf") as caught:
            one_answer(ask_for("gguf/torn"), {"paths": {"torn": "torn.gguf"}}, root=tmp_path, name="torn")
        assert caught.value.kind is FailureKind.FATAL

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "how", [pytest.param("closed", marks=SLOW), pytest.param("left", marks=SLOW), "interrupted"]
    )
    def test_the_process_ends_cleanly_while_the_model_answers(self, how: str) -> None:
        command = [sys.executable, "-W", "error", "-c", BUSY, how]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "answering\n"
            if how == "interrupted":
                process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (130 if how == "interrupted" else 0, "")

    def test_the_port_that_llama_cpp_opens_has_a_lock(self) -> None:
        server = gguf._serve(weights(), 512)
        call = urllib.request.Request(
            f"{server.listening_address}/v1/chat/completions", data=b'{"messages":[]}', method="POST"
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call, timeout=10)
        caught.value.close()
        assert caught.value.code == 401

    def test_the_openai_provider_talks_to_llama_cpp_over_http(self) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(weights())
        params.n_ctx = 1024
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.verbosity = 0
        server = xllamacpp.Server(params)

        async def run() -> Answer:
            provider = openai.SPEC.connect("smollm2", context(options={"base_url": f"{server.listening_address}/v1"}))
            config = {"temperature": 0, "maxOutputTokens": 24, "seed": 1, "stopSequences": ["!"]}
            try:
                return await provider.complete(ask_for("openai/smollm2", "Name the capital of France.", params=config))
            finally:
                await provider.close()

        answer = asyncio.run(run())
        assert "Paris" in answer.text
        assert answer.usage is not None
        assert answer.usage.output_tokens <= 24


BUSY = """
import asyncio, sys
from promptbench.gateway import Gateway
from promptbench.providers import gguf
from tests.helpers.asking import ask_for, context

MODEL = "gguf/smollm2-135m"

async def main():
    gateway = Gateway({MODEL: gguf.SPEC.connect("smollm2-135m", context())}, notice=print)
    story = ask_for(MODEL, "Tell a very long story.", params={"maxOutputTokens": 3000})
    await gateway.call(ask_for(MODEL, "Hi", params={"maxOutputTokens": 1}))
    asks = [asyncio.create_task(gateway.call(story)) for _ in range(4)]
    await asyncio.sleep(0.5)
    print("answering", flush=True)
    if sys.argv[1] == "left":
        return
    try:
        if sys.argv[1] == "interrupted":
            await asyncio.gather(*asks)
    finally:
        await gateway.close()

try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


def weights() -> Path:
    found = gguf.find_weights("smollm2-135m", context())
    assert found is not None
    return found


def one_answer(request: Request, options: dict[str, Any], root: Path = ROOT, name: str = "smollm2-135m") -> Answer:
    async def run() -> Answer:
        provider = gguf.SPEC.connect(name, context(root, options=options))
        try:
            return await provider.complete(request)
        finally:
            await provider.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (b"{% for tool in tools %}{{ tool }}{% endfor %}", None),
        (b"{{ messages }}", "the chat template of its weights has no tools"),
        (None, "the chat template of its weights has no tools"),
    ],
)
def test_the_chat_template_decides_about_tools(tmp_path: Path, template: bytes | None, why: str | None) -> None:
    # A string of GGUF: its key, its type, its length.
    key = b"tokenizer.chat_template" + (8).to_bytes(4, "little")
    head = b"" if template is None else key + len(template).to_bytes(8, "little") + template
    (tmp_path / "own.gguf").write_bytes(b"GGUF" + head + b"weights of tools")
    assert gguf.SPEC.without_tools("own", context(tmp_path, options={"paths": {"own": "own.gguf"}})) == why

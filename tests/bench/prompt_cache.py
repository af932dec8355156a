"""Does a kept prefix change the local model's answers, and what does it save? `python -m tests.bench.prompt_cache`

Asks the shipped suites' questions with every setting, in order and shuffled, and counts the answers that differ from
those without a cache.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from promptbench.core.errors import Diagnostics
from promptbench.core.protocols import ProviderContext
from promptbench.prompts.parser import load as load_prompt
from promptbench.providers import gguf
from promptbench.suite.loader import load as load_suite

SUITES = Path(__file__).parents[2] / "suites"


def questions() -> list[dict[str, Any]]:
    """Every case of the shipped suites, with every prompt beside them."""
    bodies = []
    for folder in ("entities", "utterances"):
        suite = load_suite(SUITES / folder / "suite.yaml", folder, Diagnostics())
        assert suite is not None
        for file in sorted((SUITES / folder).glob("*.prompt")):
            prompt = load_prompt(file, file.name, Diagnostics())
            assert prompt is not None
            for case in suite.cases:
                messages = [message.as_dict() for message in prompt.render(case.variables)]
                tokens = prompt.config["maxOutputTokens"]
                bodies.append({"messages": messages, "max_tokens": tokens, "temperature": 0, "seed": 1})
    return bodies


def server(*, flash: bool, cache: bool) -> Any:
    import xllamacpp

    root = Path(__file__).parents[2]
    weights = gguf.find_weights("smollm2-135m", ProviderContext(root, root, {}))
    kinds = xllamacpp.llama_flash_attn_type
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx, params.n_parallel = 4096, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.fit_params, params.warmup, params.verbosity = False, False, 0
    params.cache_prompt, params.cache_ram_mib = cache, 0
    on, off = kinds.LLAMA_FLASH_ATTN_TYPE_ENABLED, kinds.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.flash_attn_type = on if flash else off
    return xllamacpp.Server(params)


def main() -> None:
    bodies = questions()
    orders = {
        "in order": list(range(len(bodies))),
        "shuffled": random.Random(5).sample(range(len(bodies)), len(bodies)),
    }
    print("| flash attention | cache | order | answers that differ | seconds |\n|---|---|---|---:|---:|")
    for flash in (False, True):
        base: dict[int, str] = {}
        for cache in (False, True):
            running = server(flash=flash, cache=cache)
            for name, order in orders.items():
                begin = time.perf_counter()
                answers = {
                    at: running.handle_chat_completions(bodies[at])["choices"][0]["message"]["content"] for at in order
                }
                seconds = time.perf_counter() - begin
                base = base or answers
                differ = sum(answers[at] != base[at] for at in order)
                print(f"| {flash} | {cache} | {name} | {differ} of {len(order)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()

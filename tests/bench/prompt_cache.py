"""Do kept prompts change the local model's answers, and what do they save? `python -m tests.bench.prompt_cache [N]`

Makes the calls of shipped suites, or N of them, with every setting, in order and shuffled, and counts the answers that
differ from those without a cache. Seconds are of the processor.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

from promptbench.core.errors import Diagnostics
from promptbench.plugins import ProviderContext
from promptbench.prompts.parser import load as load_prompt
from promptbench.providers import gguf
from promptbench.suite.loader import load as load_suite

SUITES = Path(__file__).parents[2] / "suites"


def questions() -> list[dict[str, Any]]:
    """Every case of the suites, with every prompt in their folders: the prompts of a case are adjacent, as in a run."""
    bodies = []
    for folder in ("entities", "utterances"):
        suite = load_suite(SUITES / folder / "suite.yaml", folder, Diagnostics())
        assert suite is not None
        prompts = [load_prompt(file, file.name, Diagnostics()) for file in sorted((SUITES / folder).glob("*.prompt"))]
        for case in suite.cases.scan(Diagnostics()):
            for prompt in prompts:
                assert prompt is not None
                messages = [message.as_dict() for message in prompt.render(case.variables)]
                tokens = prompt.config["maxOutputTokens"]
                bodies.append({"messages": messages, "max_tokens": tokens, "temperature": 0, "seed": 1})
    return bodies


def server(*, flash: bool, cache: bool, mebibytes: int) -> Any:
    import xllamacpp

    root = Path(__file__).parents[2]
    weights = gguf.find_weights("smollm2-135m", ProviderContext(root, root, {}))
    kinds = xllamacpp.llama_flash_attn_type
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx, params.n_parallel = 4096, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.fit_params, params.warmup, params.verbosity = False, False, 0
    params.cache_prompt, params.cache_ram_mib, params.slot_prompt_similarity = cache, mebibytes, 0.0
    on, off = kinds.LLAMA_FLASH_ATTN_TYPE_ENABLED, kinds.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.flash_attn_type = on if flash else off
    return xllamacpp.Server(params)


def main(most: int) -> None:
    bodies = questions()[:most]
    orders = {
        "in order": list(range(len(bodies))),
        "shuffled": random.Random(5).sample(range(len(bodies)), len(bodies)),
    }
    kept = {"nothing": (False, 0), "the last prompt": (True, 0), "prompts in 64 MiB": (True, 64)}
    print("| flash attention | kept | order | answers that differ | seconds |\n|---|---|---|---:|---:|")
    for flash in (False, True):
        base: dict[int, str] = {}
        for what, (cache, mebibytes) in kept.items():
            running = server(flash=flash, cache=cache, mebibytes=mebibytes)
            for name, order in orders.items():
                begin = time.process_time()
                answers = {
                    at: running.handle_chat_completions(bodies[at])["choices"][0]["message"]["content"] for at in order
                }
                seconds = time.process_time() - begin
                base = base or answers
                differ = sum(answers[at] != base[at] for at in order)
                print(f"| {flash} | {what} | {name} | {differ} of {len(order)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else sys.maxsize)

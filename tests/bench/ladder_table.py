"""Prints how often each rung of the ladder is right on broken documents, beside json_repair.

python -m tests.bench.ladder_table [DOCUMENTS_PER_KIND] [--kinds]
"""

from __future__ import annotations

import random
import sys
from collections import Counter

from promptbench.core.types import Rung
from promptbench.parsing import json_text
from tests.parsing import breakage_around, breakage_guess  # noqa: F401  their kinds register themselves
from tests.parsing.breakage import BREAKAGES, broken, document, same, truth


def corpus(each: int) -> list[tuple[str, object, str]]:
    """Kind, truth and broken text; the same for each run."""
    found = []
    for kind in BREAKAGES:
        source, first = random.Random(kind), len(found)
        for _ in range(each * 6):
            doc = document(source)
            text = broken(kind, source, doc)
            if text is not None:
                found.append((kind, truth(kind, doc), text))
            if len(found) - first >= each:
                break
    return found


def judge(each: int) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str, str]]]:
    counts: Counter[tuple[str, str]] = Counter()
    kinds: Counter[tuple[str, str, str]] = Counter()
    json_repair = _json_repair()
    for kind, right, text in corpus(each):
        reading = json_text.read(text)
        verdict = "refused" if reading.rung is Rung.NONE else "right" if same(reading.value, right) else "wrong"
        counts[reading.rung, verdict] += 1
        kinds[kind, reading.rung, verdict] += 1
        if json_repair:
            value = json_repair(text)
            other = "right" if same(value, right) else "refused" if value == "" else "wrong"
            counts["json_repair", other] += 1
            counts["json_repair where ours refuses" if reading.rung is Rung.NONE else "-", other] += 1
    return counts, kinds


def _json_repair():
    try:
        import json_repair
    except ImportError:
        return None

    def repair(text):
        try:
            return json_repair.loads(text)
        except (ValueError, TypeError, LookupError, RecursionError):
            return ""

    return repair


def main() -> None:
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    counts, kinds = judge(numbers[0] if numbers else 30)
    print("| rung | right | wrong | refused |\n|---|---:|---:|---:|")
    for rung in [*Rung, "json_repair", "json_repair where ours refuses"]:
        print(f"| {rung} |" + "".join(f" {counts[rung, verdict]} |" for verdict in ("right", "wrong", "refused")))
    if "--kinds" in sys.argv:
        print("\n| kind | rung | verdict | n |\n|---|---|---|---:|")
        for (kind, rung, verdict), count in sorted(kinds.items()):
            print(f"| {kind} | {rung} | {verdict} | {count} |")


if __name__ == "__main__":
    main()

"""Propose intents for a sentence: those of the most similar examples, by TF-IDF over words and pieces of words."""

from __future__ import annotations

import csv
import math
from collections import Counter
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).with_name("examples.csv")


def features(text: str) -> Counter[str]:
    """Return the words of a text, and all pieces of three and four characters, each with its count."""
    words = text.lower().split()
    padded = f" {' '.join(words)} "
    pieces = [padded[at : at + size] for size in (3, 4) for at in range(len(padded) - size + 1)]
    return Counter([*words, *pieces])


@cache
def trained() -> tuple[list[tuple[str, str, dict[str, float]]], dict[str, float]]:
    """Return each example with its intent and its vector of length 1, and the weight of each feature."""
    with EXAMPLES.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["intent"]) for row in csv.DictReader(file)]
    counts = [features(text) for text, _ in rows]
    seen = Counter(name for count in counts for name in count)
    weights = {name: math.log((1 + len(rows)) / (1 + n)) + 1 for name, n in seen.items()}
    vectors = [vector(count, weights) for count in counts]
    return [(text, intent, it) for (text, intent), it in zip(rows, vectors, strict=True)], weights


def vector(count: Counter[str], weights: dict[str, float]) -> dict[str, float]:
    """Return the TF-IDF vector, of length 1; features without a weight are left out."""
    values = {name: (1 + math.log(n)) * weights[name] for name, n in count.items() if name in weights}
    length = math.sqrt(sum(value * value for value in values.values())) or 1.0
    return {name: value / length for name, value in values.items()}


def nearest(text: str) -> list[tuple[float, str, str]]:
    """Return the most similar example of each intent, the best first: similarity, intent, example."""
    examples, weights = trained()
    own = vector(features(text), weights)
    best: dict[str, tuple[float, str, str]] = {}
    for example, intent, other in examples:
        score = sum(value * other.get(name, 0.0) for name, value in own.items())
        best[intent] = max(best.get(intent, (-1.0, "", "")), (score, intent, example))
    return sorted(best.values(), reverse=True)


def top5(variables: dict[str, Any]) -> dict[str, Any]:
    """Return the five likeliest intents, the best first, and an example of each, the best last."""
    found = nearest(variables["text"])[:5]
    return {
        "intents": [intent for _, intent, _ in found],
        "examples": [{"text": example, "intent": intent} for _, intent, example in reversed(found)],
    }


def closest(variables: dict[str, Any]) -> str:
    """Return the proposed intent whose name is most like the answer of the model, which may add a word to it."""
    steps = variables["steps"]
    return get_close_matches(steps["choose"], steps["candidates"]["intents"], 1, cutoff=0)[0]


def best(variables: dict[str, Any]) -> str:
    """Return the likeliest intent."""
    return nearest(variables["text"])[0][1]

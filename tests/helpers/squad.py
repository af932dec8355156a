"""Questions as those of SQuAD 2.0 as cases, with answers whose figures can be computed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptbench.metrics.squad import normalise

SUITE = """\
suite: squad
prompt: squad.prompt
models: [python/own.py:gold, python/own.py:silent, python/own.py:talks, python/own.py:half]
cases: cases.jsonl
"""
OWN = """\
def gold(variables):
    return variables["right"]

def silent(variables):
    return ""

def talks(variables):
    return variables["right"] or "Paris"

def half(variables):
    return variables["half"]
"""


def questions(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each question of a file of SQuAD 2.0, with its right answers, or [] if it has none."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for item in paragraph["qas"]:
                yield item["question"], [answer["text"] for answer in item["answers"]]


def case(number: int, question: str, right: list[str]) -> dict[str, Any]:
    """Return a case; `half` is a right answer with as many wrong words added, so its F1 is 2/3."""
    longest = max(right, key=lambda text: len(normalise(text).split()), default="")
    more = " ".join(f"zz{index}" for index in range(len(normalise(longest).split())))
    return {
        "case": f"q{number}",
        "vars": {"question": question, "right": right[0] if right else "", "half": f"{longest} {more}".strip()},
        "checks": [{"token f1": right or ""}],
    }


def write(folder: Path, asked: list[tuple[str, list[str]]]) -> None:
    """Write the suite into a folder."""
    folder.mkdir(parents=True)
    (folder / "suite.yaml").write_text(SUITE, encoding="utf-8")
    (folder / "squad.prompt").write_text("{{question}}\n", encoding="utf-8")
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    lines = (json.dumps(case(number, *item)) for number, item in enumerate(asked, 1))
    (folder / "cases.jsonl").write_text("\n".join(lines), encoding="utf-8", newline="\n")

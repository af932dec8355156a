"""The verdicts of the Berkeley Function Calling Leaderboard on logged answers, beside ours.

python -m tests.bench.bfcl FOLDER

FOLDER has `prompts.jsonl` and a file for each model, in the form of `tests/helpers/data/bfcl`, which is the default.

Two comparisons over all answers of two models: whether an answer can be decoded as calls (`formats/calls.py`), and
whether it is right (the check `function call` with the leaderboard's possible answers, at the default accept level).
Prints tables in Markdown, and every difference with its reason; exits 1 where a difference has none, or where fewer
than 99 % of the verdicts on decoding agree.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.parsing.test_calls import decoded, logged_as_decoded

from promptbench.core.types import Json, Reading, Rung, Score
from promptbench.parsing import calls
from tests.checks.test_function_call import MALFORMED, possible
from tests.helpers.bfcl import EXCERPT, MODELS, read_records
from tests.helpers.subjects import score

_PROMISED = 0.99

LAYOUT = "a line break or spaces around the list, which the leaderboard cannot decode"
CODE = "arithmetic or code instead of a value, which the leaderboard takes for a value"
EMPTY = "an empty list, which the leaderboard counts as decoded"
PROSE = "text around the calls, which the suite accepts and the leaderboard cannot decode"
NAMES = "names without quotes as values, a guess that the suite does not accept"
UNNAMED = "a call whose arguments have no names, which the leaderboard does not count as a call"
TYPES = "a number that the leaderboard refuses for its type in the function's declaration: 1 for 1.0 or 1.0 for 1"
SPELLING = "a text spelt otherwise: the leaderboard leaves out spaces and the signs , . / - _ * ^"
DECLARED = "the possible answer has another name for the function than its declaration"
GOLD = "the possible answer has an argument in the place of a function"
UNEXPLAINED = "no reason known"


@dataclass(frozen=True, slots=True)
class Difference:
    """One answer on which the verdicts differ."""

    model: str
    id: str
    ours: bool
    reason: str
    answer: str


def decoding(folder: Path) -> tuple[Counter[tuple[str, bool, bool]], list[Difference]]:
    """By model, our and the leaderboard's verdict: how many; and the differences."""
    counts: Counter[tuple[str, bool, bool]] = Counter()
    differences = []
    for model in MODELS:
        for row in read_records(model, folder):
            reading = calls.read(row["response"])
            ours, theirs = decoded(reading), logged_as_decoded(row)
            counts[model, ours, theirs] += 1
            if ours != theirs:
                differences.append(Difference(model, row["id"], ours, _why_decoded(row, reading), row["response"]))
    return counts, differences


def _why_decoded(row: dict[str, Json], reading: Reading) -> str:
    if reading.rung is Rung.NONE and calls.fingerprint(row["response"]) in ("arithmetic", "code"):
        return CODE
    if reading.value == []:
        return EMPTY
    return LAYOUT if reading.rung is Rung.RAW and _is_laid_out(row["response"]) else UNEXPLAINED


def _is_laid_out(answer: str) -> bool:
    return answer != answer.strip()


def scoring(folder: Path) -> tuple[Counter[tuple[str, bool, bool]], list[Difference]]:
    """The same for the check `function call`; for a prompt that wants no call, for an empty list of wanted calls."""
    prompts = {prompt["id"]: prompt for prompt in read_records("prompts", folder)}
    counts: Counter[tuple[str, bool, bool]] = Counter()
    differences = []
    for model in MODELS:
        for row in read_records(model, folder):
            argument = {"is": possible(prompts[row["id"]]), "ignore": ["case", "punctuation", "white space"]}
            try:
                ours, reason = _scored(argument, row)
            except ValueError:
                ours, reason = False, GOLD
            counts[model, ours, row["valid"]] += 1
            if ours != row["valid"]:
                differences.append(Difference(model, row["id"], ours, reason, row["response"]))
    return counts, differences


def _scored(argument: Json, row: dict[str, Json]) -> tuple[bool, str]:
    found = score("function call", argument, row["response"])
    reading = calls.read(row["response"])
    return found.passed, next((name for name, fits in _REASONS.items() if fits(row, reading, found)), UNEXPLAINED)


_Fits = Callable[[dict[str, Json], Reading, Score], bool]
_REASONS: dict[str, _Fits] = {
    GOLD: lambda row, reading, found: row["id"] in MALFORMED,
    PROSE: lambda row, reading, found: reading.rung is Rung.EXTRACTED,
    NAMES: lambda row, reading, found: "missing_quote" in {repair.name for repair in reading.repairs},
    CODE: lambda row, reading, found: calls.fingerprint(row["response"]) in ("arithmetic", "code"),
    LAYOUT: lambda row, reading, found: reading.rung is Rung.RAW and _is_laid_out(row["response"]),
    UNNAMED: lambda row, reading, found: (
        bool(reading.value) and not all(call["arguments"] for call in reading.value) and row["category"] == "relevance"
    ),
    TYPES: lambda row, reading, found: found.passed and "type_error" in f"{row['error_type']} {row['error']}",
    DECLARED: lambda row, reading, found: row["valid"] and "another function was wanted" in found.reason,
    SPELLING: lambda row, reading, found: row["valid"] and " is " in found.reason and ", not " in found.reason,
}
"""In the order of precedence: the first that fits is the reason."""


def _print(title: str, counts: Counter[tuple[str, bool, bool]], differences: list[Difference]) -> None:
    print(f"{title}\n\n| model | answers | both yes | both no | only here | only there | agree |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for model in MODELS:
        yes, no = counts[model, True, True], counts[model, False, False]
        here, there = counts[model, True, False], counts[model, False, True]
        total = yes + no + here + there
        print(f"| {model} | {total:,} | {yes} | {no} | {here} | {there} | {(yes + no) / total:.1%} |")
    print("\n| why they differ | only here | only there |\n|---|---:|---:|")
    reasons = Counter((item.reason, item.ours) for item in differences)
    for reason, _ in Counter(item.reason for item in differences).most_common():
        print(f"| {reason} | {reasons[reason, True]} | {reasons[reason, False]} |")
    print()


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else EXCERPT
    decoding_counts, undecoded = decoding(folder)
    scoring_counts, unequal = scoring(folder)
    _print("Decoded as calls", decoding_counts, undecoded)
    _print("Right", scoring_counts, unequal)
    for item in (*undecoded, *unequal):
        start = " ".join(item.answer.split())[:90]
        print(f"{item.model} {item.id}: {'only here' if item.ours else 'only there'}: {item.reason}\n    {start}")
    agreed = 1 - len(undecoded) / decoding_counts.total()
    explained = all(item.reason != UNEXPLAINED for item in (*undecoded, *unequal))
    print(f"\n{agreed:.1%} of {decoding_counts.total():,} verdicts on decoding agree")
    return 0 if explained and agreed >= _PROMISED else 1


if __name__ == "__main__":
    sys.exit(main())

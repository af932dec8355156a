"""The small model of `suites/nlu`, trained on CLINC150 and SNIPS, scored by `promptbench run`, beside published ones.

python -m tests.bench.nlu [FOLDER]

FOLDER has `clinc150/data_full.json` (github.com/clinc/oos-eval) and `snips/*.json` (github.com/sonos/nlu-benchmark,
folder 2017-06-custom-intent-engines). Prints tables in Markdown; exits 1 where a figure is more than half a point below
the one that this kind of model is known to reach, or where the median utterance takes 5 ms or more. Takes some minutes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.project import start

ROOT = Path(__file__).parents[2]
FILES = ROOT / "suites" / "nlu"
_TOLERANCE = 0.5
_MOST_MS = 5.0
_SETTINGS = '[tool.promptbench]\npython = ["suites/*/*.py"]\nmachine-price-per-hour = 0.10\n'
_PROMPT = (
    '---\noutput:\n  schema: {intent: string}\n---\n{{role "system"}}\nName the intent.\n{{role "user"}}\n{{text}}\n'
)
LARSON = {
    "FastText": (89.0, 9.7),
    "SVM": (91.0, 14.5),
    "Rasa": (91.5, 45.3),
    "DialogFlow": (91.7, 14.0),
    "MLP on USE": (93.5, 47.4),
    "BERT": (96.9, 40.3),
}
"""In-scope accuracy and out-of-scope recall in percent: Larson et al. 2019 (EMNLP, D19-1131), table 2, Full."""
SNIPS_SLOTS = {"Snips": 72.9, "api.ai": 59.2, "Wit": 52.2, "Alexa": 48.2, "Luis": 46.8}
"""Recall of slots in percent with 70 utterances an intent: Coucke et al. 2018 (arXiv:1805.10190), from `metrics/`."""

Utterances = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure in percent, and what is known of such a model; None where nothing is promised."""

    name: str
    value: float
    bounds: tuple[float, float] | None
    known: float | None

    @property
    def holds(self) -> bool:
        return self.known is None or self.value >= self.known - _TOLERANCE

    def row(self) -> str:
        between = f" ({self.bounds[0]:.1f}–{self.bounds[1]:.1f})" if self.bounds else ""
        known = "" if self.known is None else f"{self.known:.1f}"
        return f"| {self.name} | {self.value:.1f}{between} | {known} |{'' if self.holds else ' TOO LOW'}"


def clinc(folder: Path) -> tuple[Utterances, Utterances, Utterances]:
    """Training, validation and test utterances; those out of scope are in the last two."""
    data = json.loads((folder / "clinc150" / "data_full.json").read_text(encoding="utf-8"))

    def of(*parts: str) -> Utterances:
        return [{"text": text, "intent": intent} for part in parts for text, intent in data[part]]

    return of("train"), of("val", "oos_val"), of("test", "oos_test")


def snips(folder: Path) -> tuple[Utterances, Utterances, Utterances]:
    """Training and test utterances; there is no validation set."""

    def of(pattern: str) -> Utterances:
        return [item for path in sorted((folder / "snips").glob(pattern)) for item in _snips_file(path)]

    return of("train_*_full.json"), [], of("validate_*.json")


def _snips_file(path: Path) -> Iterator[dict[str, Any]]:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # train_PlayMusic is
    [(intent, utterances)] = json.loads(text).items()
    for utterance in utterances:
        whole, slots = "", []
        for chunk in utterance["data"]:
            if "entity" in chunk:
                value = chunk["text"].strip()
                begin = len(whole) + chunk["text"].index(value)
                slots.append({"slot": chunk["entity"], "start": begin, "end": begin + len(value), "value": value})
            whole += chunk["text"]
        yield {"text": whole, "intent": intent, "slots": slots}


def project(root: Path, name: str, data: Sequence[Utterances], models: Iterable[str], checks: str) -> float:
    """A project with a suite of the test utterances, its model trained; the CPU-bound seconds that took."""
    known, held, tested = data
    folder = root / "suites" / name
    folder.mkdir(parents=True)
    for file in ("model.py", "train.py"):
        shutil.copy(FILES / file, folder)
    (root / "pyproject.toml").write_text(_SETTINGS, encoding="utf-8")
    (folder / f"{name}.prompt").write_text(_PROMPT, encoding="utf-8")
    lines = [f"suite: {name}", f"prompt: {name}.prompt", f"models: [{', '.join(models)}]", "cases: cases.jsonl", checks]
    (folder / "suite.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write(folder / "data" / "train.jsonl", known)
    if held:
        _write(folder / "data" / "valid.jsonl", held)
    _write(folder / "cases.jsonl", [_case(number, item) for number, item in enumerate(tested, 1)])
    began = time.perf_counter()
    subprocess.run([sys.executable, "train.py", "data", "trained"], cwd=folder, check=True)
    return time.perf_counter() - began


def _case(number: int, item: dict[str, Any]) -> dict[str, Any]:
    expect = {key: item[key] for key in ("intent", "slots") if key in item}
    return {"case": f"{item['intent']} {number}", "vars": {"text": item["text"]}, "expect": expect}


def _write(path: Path, items: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    path.write_text(text, encoding="utf-8", newline="\n")


def scored(root: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summaries by model, and the rows with the times, of `promptbench run`."""
    process = start(root, "run", f"suites/{name}", "--output", "json=report.json", "--format", "plain", "--exit-zero")
    said, errors = process.communicate()
    if not (root / "report.json").exists():
        raise SystemExit(errors)
    print(said)
    [report] = json.loads((root / "report.json").read_text(encoding="utf-8"))["runs"]
    return {item["model"]: item for item in report["nlu"]["summaries"]}, report["rows"]


def _share(name: str, part: dict[str, Any], known: float | None = None) -> Figure:
    return Figure(name, 100 * part["right"] / part["of"], (100 * part["low"], 100 * part["high"]), known)


def _f1(name: str, score: dict[str, Any], known: float | None = None) -> Figure:
    return Figure(name, 100 * score["f1"], (100 * score["low"], 100 * score["high"]), known)


def clinc_figures(by_model: dict[str, Any]) -> list[Figure]:
    always, unsure = by_model["python/model.py:located"], by_model["python/model.py:predict"]
    return [
        _share("in-scope accuracy, never out of scope", always["in_scope"], 92.8),
        _f1("intent macro F1, never out of scope", always["macro"]),
        _share("in-scope accuracy, threshold tuned on the validation set", unsure["in_scope"], 92.4),
        _share("out-of-scope recall, the same", unsure["out_of_scope"]),
        Figure("calibration error, never out of scope", 100 * always["confidence"]["error"], None, None),
    ]


def snips_figures(by_model: dict[str, Any]) -> list[Figure]:
    found = by_model["python/model.py:located"]
    return [
        _share("intent accuracy", found["accuracy"], 98.6),
        _f1("slot F1, strict spans", found["slots"], 93.7),
        Figure("slot recall", 100 * found["slots"]["recall"], None, None),
        _share("intent and slots exact", found["exact"]),
    ]


def main(folder: Path) -> bool:
    good = True
    checks = "checks: [{intent: {at: intent, out of scope: oos, confidence: confidence}}"
    tasks = {
        "CLINC150": (clinc(folder), ("python/model.py:located", "python/model.py:predict"), checks, clinc_figures),
        "SNIPS": (snips(folder), ("python/model.py:located",), f"{checks}, {{slots: {{at: slots}}}}", snips_figures),
    }
    for title, (data, models, written, figures) in tasks.items():
        with tempfile.TemporaryDirectory() as place:
            name = title.lower()
            seconds = project(Path(place), name, data, models, f"{written}]")
            by_model, rows = scored(Path(place), name)
        print(f"\n| {title}: {len(data[2]):,} test utterances | measured, % | known, % |\n|---|---|---|")
        for figure in figures(by_model):
            print(figure.row())
            good = good and figure.holds
        print(f"\ntrained in {seconds:.0f} s")
        for row in rows:
            print(f"{row['model']}: p50 {row['p50_ms']:.2f} ms, p99 {row['p99_ms']:.2f} ms an utterance")
            good = good and row["p50_ms"] < _MOST_MS
        print(flush=True)
    print("| CLINC150, published | in-scope accuracy | out-of-scope recall |\n|---|---|---|")
    print("\n".join(f"| {name} | {accuracy} | {recall} |" for name, (accuracy, recall) in LARSON.items()))
    print("\n| SNIPS with 70 utterances an intent, published | slot recall |\n|---|---|")
    print("\n".join(f"| {name} | {recall} |" for name, recall in SNIPS_SLOTS.items()))
    return good


if __name__ == "__main__":
    if len(sys.argv) > 2:
        raise SystemExit(__doc__)
    sys.exit(0 if main(Path(sys.argv[1]) if len(sys.argv) == 2 else ROOT.parent / "shared" / "data") else 1)

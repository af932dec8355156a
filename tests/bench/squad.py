"""SQuAD 2.0 through `promptbench run`, with answers whose figures are known beforehand.

python -m tests.bench.squad dev-v2.0.json

Prints a table in Markdown; exits 1 where a figure is not the known one. Takes about a minute.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.project import start
from tests.helpers import squad

_NAMES = {
    "gold": "a right one each time",
    "silent": "always nothing",
    "talks": "always something, right where there is an answer",
    "half": "a right one and as many words more",
}
_ROUNDING = 5e-5


def known(with_answer: int, questions: int) -> dict[str, tuple[float, float, float]]:
    """Exact match, token F1 and the share of the unanswerable that is left so, by the definitions."""
    share = with_answer / questions
    return {
        "gold": (1.0, 1.0, 1.0),
        "silent": (1 - share, 1 - share, 1.0),
        "talks": (share, share, 0.0),
        # Precision 1/2 and recall 1 make an F1 of 2/3.
        "half": (1 - share, 1 - share / 3, 1.0),
    }


def measured(root: Path) -> dict[str, tuple[float, float, float]]:
    process = start(root, "run", "suites/squad", "--output", "json=report.json", "--format", "plain", "--exit-zero")
    _, errors = process.communicate()
    if not (root / "report.json").exists():
        raise SystemExit(errors)
    [report] = json.loads((root / "report.json").read_text(encoding="utf-8"))["runs"]
    return {item["model"].rpartition(":")[2]: _figures(item) for item in report["qa"]["summaries"]}


def _figures(found: Mapping[str, Any]) -> tuple[float, float, float]:
    left = found["unanswerable"]
    return found["overall"]["exact_match"], found["overall"]["token_f1"], left["right"] / left["of"]


def main(path: Path) -> bool:
    asked = list(squad.questions(path))
    expected = known(sum(bool(right) for _, right in asked), len(asked))
    with tempfile.TemporaryDirectory() as location:
        (Path(location) / "promptbench.toml").write_text('python = ["suites/*/*.py"]\n', encoding="utf-8")
        squad.write(Path(location) / "suites" / "squad", asked)
        found = measured(Path(location))
    print(f"| answers to {len(asked):,} questions | exact match | token F1 | without an answer |\n|---|---|---|---|")
    good = True
    for name, figures in expected.items():
        same = all(abs(one - other) < _ROUNDING for one, other in zip(found[name], figures, strict=True))
        cells = " | ".join(f"{100 * figure:.2f}" for figure in found[name])
        print(f"| {_NAMES[name]} | {cells} |{'' if same else ' WRONG'}")
        good = good and same
    return good


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.exit(0 if main(Path(sys.argv[1])) else 1)

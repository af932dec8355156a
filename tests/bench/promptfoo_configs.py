"""Import the promptfoo configs and the evals of openai/evals below a folder, and count what is carried over.

`python -m tests.bench.promptfoo_configs FOLDER [JUDGE]`

A config is a YAML file with "promptfoo" in its name. Evals are in YAML files in a folder `evals`, with their samples in
the folder `data` next to it, as in `registry` of openai/evals. Each is imported into a folder of its own and validated.
Missing keys and addresses that the user has to trust are not counted as errors: they are settings of the machine.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

from promptbench.core.errors import Code, InputError
from promptbench.project import Project, Selection
from promptbench.workflows.start.init_from import init_from
from promptbench.workflows.start.validate import validate

_OF_THE_MACHINE = (Code.MISSING_CREDENTIAL, Code.UNTRUSTED_ADDRESS)


def main(folder: Path, judge: str | None) -> None:
    """Print the number of configs that are imported and valid, and the share of each kind that is carried over."""
    counts: Counter[tuple[str, str]] = Counter()
    reasons: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    sources = list(find_sources(folder))
    imported = valid = 0
    for file, name in sources:
        with tempfile.TemporaryDirectory() as place:
            try:
                data = init_from(Path(place), file, name, None, judge).data()
            except InputError as error:
                refused[re.sub(r"^\S+", "FILE", str(error))] += 1
                continue
            imported += 1
            for kind, row in data["items"].items():
                counts.update({(kind, name): number for name, number in row.items()})
            reasons.update(item["message"] for item in data["listed"] if item["code"] == Code.UNKNOWN_CHECK)
            found = []
            try:
                validate(Project.open(Path(place)), Selection(paths=(Path(place) / "suites" / data["suite"],)))
            except InputError as error:
                found = [item for item in error.diagnostics or () if item.severity == "error"]
            found = [item for item in found if item.code not in _OF_THE_MACHINE]
            valid += not found
            for item in found:
                print(f"{file}: {item.code.value} {item.message}")
    print(f"{len(sources)} configs and evals, {imported} imported, {valid} valid")
    for kind in sorted({kind for kind, _ in counts}):
        carried, listed = counts[kind, "carried"], counts[kind, "listed"]
        print(f"{kind:10} {carried:6,} carried over, {listed:6,} listed: {carried / (carried + listed):.0%}")
    for reason, number in [*reasons.most_common(15), *refused.most_common(15)]:
        print(f"{number:6} {reason}")


def find_sources(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each config, and each eval with its name."""
    for file in sorted(folder.rglob("*.y*ml")):
        if "promptfoo" in file.name.lower():
            yield file, "imported"
        elif file.parent.name == "evals":
            registry = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            names = {entry.get("id"): name for name, entry in registry.items() if "class" not in entry}
            yield from ((file, names.get(key, key)) for key, entry in registry.items() if "class" in entry)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)

"""One matrix, one command: a small model of one's own beside a language model with and without examples, free and held
to its output schema.

python -m tests.bench.matrix FOLDER [UTTERANCES]

FOLDER has `snips/*.json` as for `tests.bench.nlu`; 308 of its test utterances are asked, as many of each intent, or as
many as the second argument says. Trains the small model of `suites/nlu`, makes a project, and runs `promptbench run
suites/matrix` in it, whose report it prints. Takes some minutes to train and, on two cores, some more to ask.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.bench.nlu import Utterances, project, snips
from tests.bench.project import start

_UTTERANCES = 308
_LABELS = (
    "AddToPlaylist",
    "BookRestaurant",
    "GetWeather",
    "PlayMusic",
    "RateBook",
    "SearchCreativeWork",
    "SearchScreeningEvent",
)
_SETTINGS = """\
[tool.promptbench]
python = ["suites/*/*.py"]
machine-price-per-hour = 0.10

[tool.promptbench.providers.gguf.models.strict]
weights = "smollm2-135m"
structured = true
"""
_SUITE = """\
suite: matrix
about: Name the intent of what people say to an assistant.
prompt: [intent.zero.prompt, intent.few.prompt]
models:
  - gguf/smollm2-135m
  - gguf/strict
  - {model: python/model.py:located, uses prompt: false}
checks: [json, {intent: {at: intent, labels: labels.txt}}]
cases: cases.jsonl
"""
_HEAD = """\
---
config: {{temperature: 0, maxOutputTokens: 24}}
input: {{schema: {{text: string}}}}
output: {{schema: {{"intent(enum)": [{labels}]}}}}
---
{{{{role "system"}}}}
Name the intent. Answer with JSON such as {{"intent": "GetWeather"}}. The intents are {labels}.
"""
_EXAMPLE = '{{{{role "user"}}}}\n{text}\n{{{{role "model"}}}}\n{{"intent": "{intent}"}}\n'
_ASKED = '{{role "user"}}\n{{text}}\n'


def balanced(utterances: Utterances, count: int) -> Utterances:
    """The first so many, as many of each intent."""
    by_intent = defaultdict(list)
    for item in utterances:
        by_intent[item["intent"]].append({key: item[key] for key in ("text", "intent")})
    each = max(1, count // len(by_intent))
    return [item for items in by_intent.values() for item in items[:each]]


def prompts(folder: Path, known: Utterances) -> None:
    """One prompt without an example, one with the first training utterance of each intent."""
    head = _HEAD.format(labels=", ".join(_LABELS))
    examples = "".join(_EXAMPLE.format(**item) for item in balanced(known, len(_LABELS)))
    (folder / "intent.zero.prompt").write_text(head + _ASKED, encoding="utf-8")
    (folder / "intent.few.prompt").write_text(head + examples + _ASKED, encoding="utf-8")


def main(folder: Path, count: int) -> int:
    known, _, tested = snips(folder)
    with tempfile.TemporaryDirectory() as place:
        root, suite = Path(place), Path(place) / "suites" / "matrix"
        seconds = project(root, "matrix", (known, [], balanced(tested, count)), ["gguf/smollm2-135m"], "")
        shutil.rmtree(suite / "data")
        (suite / "matrix.prompt").unlink()
        prompts(suite, known)
        (root / "pyproject.toml").write_text(_SETTINGS, encoding="utf-8")
        (suite / "labels.txt").write_text("\n".join(_LABELS), encoding="utf-8")
        (suite / "suite.yaml").write_text(_SUITE, encoding="utf-8")
        print(f"the small model was trained in {seconds:.0f} s\n$ promptbench run suites/matrix", flush=True)
        process = start(root, "run", "suites/matrix", "--format", "plain", "--exit-zero", "-q")
        said, errors = process.communicate()
        print(said or errors)
        return process.returncode


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        raise SystemExit(__doc__)
    try:
        sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else _UTTERANCES))
    except subprocess.CalledProcessError as error:
        raise SystemExit(str(error)) from error

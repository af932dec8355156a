"""Prints how often the checks decide as the libraries do that IFEval's program counts and detects with.

python -m tests.bench.instructions

Needs nltk and its punkt_tab data, which this project does not install. The texts are the docstrings of Python's
standard library.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import langdetect
import nltk
from nltk.tokenize.punkt import PunktTokenizer

from promptbench.checks.count import KINDS
from promptbench.checks.language import build
from promptbench.core.protocols import CheckContext
from tests.helpers.subjects import subject

THRESHOLDS = (1, 2, 3, 5, 8, 10, 15, 20)
_LANGUAGE_TEXTS = 500


def texts() -> list[str]:
    """Docstrings of twenty words and more, each once, without their examples."""
    found = {text.partition(">>>")[0].strip(): None for text in _docstrings()}
    return [text for text in found if len(text.split()) >= 20]


def _docstrings() -> Iterator[str]:
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("[a-z]*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                yield ast.get_docstring(node) or ""


def counts(name: str, pairs: list[tuple[int, int]]) -> None:
    """`pairs` of the library's count and ours."""
    same = sum(theirs == ours for theirs, ours in pairs)
    verdicts = sum((theirs >= least) == (ours >= least) for theirs, ours in pairs for least in THRESHOLDS)
    print(f"{name:32} counts {share(same, len(pairs))}   verdicts {share(verdicts, len(pairs) * len(THRESHOLDS))}")


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.2f} %)"


def main() -> None:
    corpus = texts()
    punkt = PunktTokenizer("english").tokenize
    pairs = {text: (len(punkt(text)), KINDS["sentences"](text)) for text in corpus}
    counts("sentences", list(pairs.values()))
    odd = [text.lower() for text, (theirs, ours) in pairs.items() if theirs != ours]
    print(f"  differ and have e.g. or i.e.: {share(sum('e.g.' in text or 'i.e.' in text for text in odd), len(odd))}")
    for name, change in (("capital words", str), ("capital words, in capitals", str.upper)):
        changed = [change(text) for text in corpus]
        theirs = [sum(word.isupper() for word in nltk.word_tokenize(text)) for text in changed]
        counts(name, list(zip(theirs, map(KINDS["capital words"], changed), strict=True)))
    langdetect.DetectorFactory.seed = 0
    english = build("English", CheckContext(Path()))
    for name, change in (("as it is", str), ("in capitals", str.upper)):
        chosen = [change(text) for text in corpus[:: max(1, len(corpus) // _LANGUAGE_TEXTS)]]
        plain = sum(langdetect.detect(text) == "en" for text in chosen)
        ours = sum(english.score(subject(text)).passed for text in chosen)
        print(f"English {name:24} langdetect {share(plain, len(chosen))}   the check {share(ours, len(chosen))}")


if __name__ == "__main__":
    main()

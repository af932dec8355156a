"""The proof of the verdict, as `promote --evidence` takes it: hashes, policy, one line an attempt."""

from __future__ import annotations

import json

from promptbench.core.canonical import escape_surrogates
from promptbench.report.model import RunReport
from promptbench.report.words import Target


def render(report: RunReport, target: Target) -> str:
    """Raises ValueError when the run has no verdict to prove."""
    if report.proof is None:
        raise ValueError("this run has no verdict, so there is no evidence")
    proof = dict(report.proof)
    attempts = proof.pop("attempts")
    # One line an attempt, so that a person and a diff can read it.
    head = json.dumps(proof, ensure_ascii=False, indent=2).removesuffix("\n}")
    lines = ",\n".join("    " + json.dumps(line, ensure_ascii=False) for line in attempts)
    return escape_surrogates(f'{head},\n  "attempts": [\n{lines}\n  ]\n}}\n')

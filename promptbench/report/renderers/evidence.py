"""The proof of the verdict, as `promote --evidence` takes it: hashes, policy, one line an attempt."""

import json
from collections.abc import Sequence

from promptbench.core.canonical import escape_surrogates
from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, Target


def render(reports: Sequence[Report], target: Target) -> str:
    """Return the proof. Raises ValueError if there is none, or several: a file proves one prompt."""
    proofs = [report.proof for report in reports if report.proof is not None]
    if not proofs:
        raise ValueError("there is no verdict, so there is no evidence")
    if len(proofs) > 1:
        raise ValueError("these suites test several prompts and a file proves one: name a folder, evidence=FOLDER/")
    proof = dict(proofs[0])
    attempts = proof.pop("attempts")
    # One line an attempt, so that a person and a diff can read it.
    head = json.dumps(proof, ensure_ascii=False, indent=2).removesuffix("\n}")
    lines = ",\n".join("    " + json.dumps(line, ensure_ascii=False) for line in attempts)
    return escape_surrogates(f'{head},\n  "attempts": [\n{lines}\n  ]\n}}\n')


SPEC = ReportFormatSpec(render)

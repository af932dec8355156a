"""The report on how far a judge agrees with people's labels."""

from __future__ import annotations

from dataclasses import asdict

from promptbench.core.errors import Exit
from promptbench.core.words import number_of
from promptbench.report.document import Document, Report, Section, TableBlock, TableColumn, Text
from promptbench.report.words import money
from promptbench.workflows.trust.agree import Agreed


def agreement_report(found: Agreed) -> Report:
    """Return the report on an agreement: the table of both judgements, kappa, and if the check counts."""
    agreement = found.agreement
    judges = ", ".join(f"{judge} (as {', '.join(names)})" for judge, names in agreement.judges.items())
    counts = agreement.counts
    table = TableBlock(
        [TableColumn("", numeric=False), TableColumn("judge: pass"), TableColumn("judge: fail")],
        [
            ("person: pass", str(counts.yes_yes), str(counts.yes_no)),
            ("person: fail", str(counts.no_yes), str(counts.no_no)),
        ],
        label="Agreement",
    )
    lines = []
    if kappa := agreement.kappa:
        interval = f"95 % interval {kappa.low:.2f} to {kappa.high:.2f}"
        lines.append(f"kappa {kappa.value:.2f} ({interval}) over {number_of(counts.total, 'labelled answer')}")
    lengths = ", ".join(
        f"{who} unknown" if value is None else f"{who} {value:+.2f}"
        for who, value in (("judge", agreement.judge_length), ("people", agreement.human_length))
    )
    lines.append(f"correlation of pass with the answer's length: {lengths}")
    recorded = found.questions - found.calls
    lacks = f", {agreement.without_verdict} answers without verdict" if agreement.without_verdict else ""
    lines.append(
        f"judges: {number_of(found.questions, 'call')}, {recorded} of them recorded, {money(found.cost)}{lacks}"
    )
    state = "counts from now on" if found.counts else "stays advisory"
    verdict = f"the check {state} ({found.standing}); recorded in {found.file}"
    sections = [Section([table, *map(Text, lines)])]
    document = Document(f"{agreement.rubric}: judged by {judges}", sections, verdict)
    rest = {key: value for key, value in asdict(found).items() if key != "agreement"}
    data = {**found.agreement.as_dict(), **rest}
    return Report("agree", document, lambda: data, exit=Exit.YES if found.counts else Exit.NO)

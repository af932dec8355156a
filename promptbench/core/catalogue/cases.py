"""Codes of cases, checks, logs and settings: 5xx to 7xx."""

from __future__ import annotations

from promptbench.core.catalogue.entry import TERMINAL, Entry
from promptbench.core.diagnostics import Code

_ASKED = "cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n"
_CASE = f"{_ASKED}    expect: {{team: delivery}}\n"
_JUDGED = "rubric: {judge: openai/gpt-4.1-mini-2025-04-14, passes if: the answer apologises}"
_CALL = '{"promptbench": "call/1", "id": "c1", "vars": {"message": "Is it lost?"}, "answer": "no idea"}\n'

CASES = (
    Entry(
        Code.UNKNOWN_CHECK,
        "a check that there is not",
        "No check has this name. One name a check; spaces, dashes and underscores are the same.",
        "`promptbench explain` lists the checks, `promptbench explain contains` says how one is written.",
        wrong=f"{_CASE}    checks: [{{containz: delivery}}]\n",
        right=f"{_CASE}    checks: [{{contains: delivery}}]\n",
    ),
    Entry(
        Code.BAD_CHECK,
        "a check with something that it cannot use",
        "The check is there, and what stands behind its name is not what it needs.",
        "Write it as the example in the hint; `promptbench explain CHECK` says what each option means.",
        wrong=f"{_CASE}    checks: [contains]\n",
        right=f"{_CASE}    checks: [{{contains: delivery}}]\n",
    ),
    Entry(
        Code.NO_CHECKS,
        "nothing can fail the case",
        "Neither the case nor the suite says what a good answer is, so every answer would pass.",
        "Say what should come back under 'expect:', or add 'checks:'.",
        wrong=_ASKED,
        right=_CASE,
    ),
    Entry(
        Code.NOT_RED,
        "the wrong answer passes",
        "Under 'was:' stands the answer that was wrong, and the checks let it pass: the case would not notice it if it "
        "came again.",
        "Say under 'expect:' what should have come back, or add a check that fails on it.",
        wrong=f'{_CASE}    was: \'{{"team": "delivery"}}\'\n',
        right=f'{_CASE}    was: \'{{"team": "billing"}}\'\n',
    ),
    Entry(
        Code.WISH_FAILS,
        "the good answer fails",
        "Under 'should be:' stands an answer that must pass, and a check fails on it: one of the two is wrong.",
        "Mend the wish or the check.",
        wrong=f'{_CASE}    should be: \'{{"team": "delivry"}}\'\n',
        right=f'{_CASE}    should be: \'{{"team": "delivery"}}\'\n',
    ),
    Entry(
        Code.ADVISORY,
        "the judge decides nothing yet",
        "A model judges, and nobody has compared its verdicts with those of people. Until then its check is reported "
        "and decides nothing.",
        "Label some answers and let the judge label them too: what it says counts once they agree.",
        wrong=f"checks: [{{{_JUDGED}}}]\n",
        right="promptbench agree suites/triage --labels labels.csv\n",
        right_file=TERMINAL,
    ),
    Entry(
        Code.OWN_JUDGE,
        "a model judges its own answers",
        "Models like their own answers better than others'.",
        "Name a judge that is none of the suite's models.",
        wrong="models: [openai/gpt-4.1-mini-2025-04-14]\n" + f"checks: [{{{_JUDGED}}}]\n",
        right="models: [openai/gpt-5-mini]\n" + f"checks: [{{{_JUDGED}}}]\n",
    ),
    Entry(
        Code.UNPROVEN,
        "only a judge can tell whether the wrong answer fails",
        "The only check that might fail on the answer under 'was:' asks a model, which is not asked now or does not "
        "count yet.",
        "Add a check that needs no judge, or let `promptbench agree` show that the judge can be relied on.",
        wrong=f"{_ASKED}    was: No idea.\n    checks:\n      - {_JUDGED}\n",
        right=f"{_ASKED}    was: No idea.\n    checks:\n      - {_JUDGED}\n      - not contains: no idea\n",
    ),
    Entry(
        Code.VACUOUS,
        "a check that never fails",
        "No wrong answer that is on record fails this check. It may be spelt so that nothing can fail it.",
        "Take it away, or make it stricter; `promptbench mutate` breaks good answers and says whether it notices.",
        wrong=f"checks: [json, {{not contains: sorry}}]\n{_CASE}    was: no idea\n",
        right=f"checks: [json]\n{_CASE}    was: no idea\n",
        command="validate --red",
    ),
    Entry(
        Code.QUARANTINE,
        "a case that may not be set apart so",
        "A case in quarantine proves nothing. Critical cases cannot be there, few cases at a time may, and each only "
        "until the day that its owner set.",
        "Take the quarantine away, or set a later day; a case that is critical must be mended.",
        wrong=f"{_CASE}    tags: [critical]\n"
        "    quarantine: {owner: support, reason: the team is disputed, review by: 2999-12-31}\n",
        right=f"{_CASE}    quarantine: {{owner: support, reason: the team is disputed, review by: 2999-12-31}}\n",
    ),
    Entry(
        Code.DEPRECATED_CHECK,
        "a check under an old name",
        "The check works as before, but its name is deprecated: `expect` does the same with options.",
        "Write what the hint says. A suite with the old name keeps its scores and its runs.",
        wrong=f"{_CASE}    checks: [{{one of: [billing, delivery]}}]\n",
        right=f"{_CASE}    checks: [{{expect: {{any of: [billing, delivery]}}}}]\n",
    ),
    Entry(
        Code.BAD_LOG,
        "a log that cannot be used",
        "The file is no log of a known format, one of its records is broken, or a call in it has too "
        "little to be asked "
        "again.",
        "Mend or delete the record. A table of your own works too, with columns such as input and output.",
        wrong="log: notes.txt\n",
        right="log: calls.jsonl\n",
        beside={"notes.txt": "call the customer back\n", "calls.jsonl": _CALL},
    ),
    Entry(
        Code.SETTINGS,
        "a mistake in the settings",
        "The project's settings stand in promptbench.toml, or under [tool.promptbench] in "
        "pyproject.toml. A name there is "
        "misspelt, or a value is not what it may be.",
        "Write the name that the hint suggests; `promptbench doctor` shows which settings hold, and from where.",
        wrong="retrys = 2\n",
        right="retries = 2\n",
        file="promptbench.toml",
    ),
)

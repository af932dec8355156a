"""Mistakes in a good suite: the first diagnostic is on the line of the mistake, and names its cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.report.diagnostics import in_order
from tests.helpers.suites import joined

PROMPT = """\
---
input: {schema: {message: string, order?: integer}}
output: {schema: {"team(enum)": [billing, delivery, other], score?: number, urgent?: boolean}}
---
Which team is this for? {{message}} {{order}}
"""
GOOD = """\
suite: triage
about: which team answers a message
prompt: triage.prompt
models: [openai/gpt-5-mini]
checks:
  - json schema: output
  - not contains: sorry
cases:
  - case: charged twice
    vars: {message: I was charged twice, order: 4711}
    expect: {team: billing, score: 0.9}
    tags: [critical, payment]
  - case: late parcel
    vars:
      message: Where is my parcel?
      order: 4712
    expect:
      team: delivery
      urgent: true
    checks: [contains: delivery]
  - case: INC-2031
    vars: {message: "It's broken: help!", order: 1}
    was: '{"team": "billing",}'
    should be: '{"team": "delivery", "score": 1}'
    expect: {team: delivery}
gate:
  repeats: 3
  max cost: $2
"""
# What is replaced in the suite and by what, the line of the mistake, and a word that names its cause.
MISTAKES = [
    # (old, new, line, words)
    ("  - case: late parcel", "    case: late parcel", 13, "- case"),
    ("  - case: late parcel", "  case: late parcel", 13, "'- '"),
    ("    expect: {team: billing, score: 0.9}", "    expect {team: billing, score: 0.9}", 11, "colon"),
    ("    expect:\n", "    expect\n", 17, "colon"),
    ("    vars:\n", "    vars\n", 14, "colon"),
    ("{team: billing, score: 0.9}", "{team: 'billing, score: 0.9}", 11, "quot"),
    ("{team: billing, score: 0.9}", '{team: "billing, score: 0.9}', 11, "quot"),
    ("models: [openai/gpt-5-mini]", "models: {openai: gpt-5-mini}", 4, "openai/gpt-5-mini"),
    ("    vars:\n      message: Where is my parcel?\n      order: 4712\n",
     "    vars: {order: 4712}\n    message: Where is my parcel?\n", 15, "vars"),
    ("  - case: late parcel", "  - case late parcel", 13, "colon"),
    ("  - case: charged twice", "  - case charged twice", 9, "colon"),
    ("suite: triage", "suit: triage", 1, "suite"),
    ("suite: triage\n", "", 1, "suite"),
    ("prompt: triage.prompt", "prompt: triag.prompt", 3, "triage.prompt"),
    ("prompt: triage.prompt\n", "", 1, "prompt"),
    ("models: [openai/gpt-5-mini]", "models: [openai/gpt-5-mini", 4, "]"),
    ("models: [openai/gpt-5-mini]", "models: openai:gpt-5-mini", 4, "slash"),
    ("models: [openai/gpt-5-mini]", "models: [opnai/gpt-5-mini]", 4, "openai"),
    ("models: [openai/gpt-5-mini]", "model: [openai/gpt-5-mini]", 4, "models"),
    ("models: [openai/gpt-5-mini]\n", "", 1, "models"),
    ("checks:\n  - json", "check:\n  - json", 5, "checks"),
    ("  - json schema: output", "  - json shema: output", 6, "json schema"),
    ("  - json schema: output", "  - json schema: outptu", 6, "output"),
    ("  - json schema: output", "  - json schema output", 6, "json schema"),
    ("  - not contains: sorry", "  -not contains: sorry", 7, "space"),
    ("  - not contains: sorry", "  - not contains:sorry", 7, "space"),
    ("  - not contains: sorry", "  - not contains:", 7, "contains"),
    ("  - not contains: sorry", "  not contains: sorry", 7, "- "),
    ("  - not contains: sorry", "\t- not contains: sorry", 7, "tab"),
    ("cases:\n", "case:\n", 8, "cases"),
    ("cases:\n", "cases\n", 8, "colon"),
    ("cases:\n", "Cases:\n", 8, "cases"),
    ("I was charged twice, order", "I was charged twice: see, order", 10, "quot"),
    ("I was charged twice, order", "I was #1 charged twice, order", 10, "#"),
    ("I was charged twice, order", "@support charged twice, order", 10, "quotes"),
    ("I was charged twice, order", "'I wasn't charged', order", 10, "apostrophe"),
    ("order: 4711}", "order: 4711", 10, "}"),
    ("{message: I was charged", "message: I was charged", 10, "{"),
    ("{message: I was charged twice, order: 4711}", "{mesage: I was charged twice, order: 4711}", 10, "message"),
    ("{message: I was charged twice, order: 4711}", "{message: I was charged twice, order: yes}", 10, "integer"),
    ("{message: I was charged twice, order: 4711}", "{message: [I, was], order: 4711}", 10, "string"),
    ("{message: I was charged twice, order: 4711}", "{message: I was charged twice; order: 4711}", 10, "colon"),
    ("{message: I was charged twice, order: 4711}", "{message:I was charged twice, order: 4711}", 10, "space"),
    ("{team: billing, score: 0.9}", "{teams: billing, score: 0.9}", 11, "team"),
    ("{team: billing, score: 0.9}", "{team: biling, score: 0.9}", 11, "billing"),
    ("{team: billing, score: 0.9}", "{team: billing, score: high}", 11, "number"),
    ("{team: billing, score: 0.9}", "{team: billing, score: 0,9}", 11, "point"),
    ("{team: billing, score: 0.9}", "{team: billing score: 0.9}", 11, "comma"),
    ("{team: billing, score: 0.9}", "{team: billing, score: 0.9]", 11, "}"),
    ("{team: billing, score: 0.9}", "{team = billing, score: 0.9}", 11, ":"),
    ("{team: billing, score: 0.9}", "", 11, "expect"),
    ("    expect: {team: billing", "    expct: {team: billing", 11, "expect"),
    ("    expect: {team: billing", "   expect: {team: billing", 11, "spaces"),
    ("    expect: {team: billing", "     expect: {team: billing", 11, "spaces"),
    ("    expect: {team: billing", "    Expect: {team: billing", 11, "expect"),
    ("    expect: {team: billing", "    expected: {team: billing", 11, "expect"),
    ("    expect: {team: billing", "    expect：{team: billing", 11, "："),
    ("    tags: [critical, payment]", "    tags: [critical, payment", 12, "]"),
    ("    tags: [critical, payment]", "    tags: {critical: payment}", 12, "tags"),
    ("    tags: [critical, payment]", "    tag: [critical, payment]", 12, "tags"),
    ("      message: Where is my parcel?\n", "    message: Where is my parcel?\n", 15, "two spaces"),
    ("      message: Where is my parcel?\n", "      message Where is my parcel?\n", 15, "colon"),
    ("      message: Where is my parcel?\n", "      - message: Where is my parcel?\n", 15, "- "),
    ("      message: Where is my parcel?\n", "      message:\n", 15, "message"),
    ("      urgent: true", "      urgent: yes", 19, "true"),
    ("      urgent: true", "     urgent: true", 19, "spaces"),
    ("      urgent: true", "      urgnt: true", 19, "urgent"),
    ("    checks: [contains: delivery]", "    checks: [contains delivery]", 20, "contains"),
    ("    checks: [contains: delivery]", "    checks: contains: delivery", 20, "colon"),
    ("    checks: [contains: delivery]", "    check: [contains: delivery]", 20, "checks"),
    ("  - case: INC-2031", "  - case: late parcel", 21, "two cases"),
    ("  - case: INC-2031", "  - INC-2031", 21, "case"),
    ('"It\'s broken: help!"', "It's broken: help!", 22, "quot"),
    ('"It\'s broken: help!"', '"It\'s "broken": help!"', 22, "quot"),
    ('"It\'s broken: help!"', '“It\'s broken: help!”', 22, "quot"),
    ("    was: '{\"team\": \"billing\",}'", "    was: {\"team\": \"billing\"}", 23, "quotes"),
    ("    was: '{\"team\": \"billing\",}'", "    was: '{\"team\": \"delivery\"}'", 23, "passes"),
    ("    was: '{\"team\": \"billing\",}'", "    was: '{\"team\": \"billing\",}", 23, "quot"),
    ('"delivery", "score": 1}', '"other", "score": 1}', 24, "should be"),
    ("    should be:", "    shoud be:", 24, "should be"),
    ("gate:\n  repeats: 3", "gate:\n  repeats: three", 27, "digits"),
    ("gate:\n  repeats: 3", "gate:\n  repeat: 3", 27, "repeats"),
    ("gate:\n  repeats: 3", "gate:\n repeats: 3", 28, "space"),
    ("  max cost: $2", "  max cost: two dollars", 28, "$2"),
    ("  max cost: $2", "  max costs: $2", 28, "max cost"),
    ("gate:\n", "gates:\n", 26, "gate"),
    ("gate:\n  repeats: 3\n  max cost: $2\n", "gate: repeats: 3\n", 26, "colon"),
]  # fmt: skip


def test_the_suite_without_a_mistake_is_good(tmp_path: Path) -> None:
    assert list(joined(tmp_path, GOOD, {"triage.prompt": PROMPT})[1]) == []


@pytest.mark.parametrize(("old", "new", "line", "word"), MISTAKES)
def test_the_first_diagnostic_is_on_the_line_of_the_mistake_and_names_its_cause(
    old: str, new: str, line: int, word: str, tmp_path: Path
) -> None:
    assert GOOD.count(old) == 1
    first, *_ = in_order(joined(tmp_path, GOOD.replace(old, new), {"triage.prompt": PROMPT})[1])
    assert first.location.line == line
    assert word in f"{first.message} {first.hint}"

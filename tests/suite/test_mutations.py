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

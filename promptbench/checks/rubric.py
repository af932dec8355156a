"""rubric: a model judges whether the answer meets a criterion.

What: asks a judge, which is a model of its own, whether the answer meets the criterion, and takes its verdict with a
    reason. The judge sees the answer and what `sees` names, and not which prompt or model answered. Several judges or
    repeats decide by majority; without one, or where a judge gives no verdict that can be read, the answer is errored,
    never failed. Until `promptbench agree` has recorded that the judge agrees with people, the check is advisory: it is
    reported and decides nothing.
When: what no rule says, such as tone, helpfulness, or whether a text explains something.
Options: `judge` a model with its version, or a list of models; `passes if` the criterion; `sees` the values of the case
    that the judge may see; `reference` an answer that meets the criterion, shown in both orders, which must not matter;
    `repeats` how often each judge is asked, 1 as a rule; `scale` 1 to 5 instead of yes or no, and `at least` the rating
    that passes, 4 as a rule; `config` what is sent as in a prompt's config, {temperature: 0} where the judge takes it;
    `agreement` the least lower bound of kappa by which the check counts, 0.4 as a rule.
Example:
    checks: [{rubric: {judge: openai/gpt-4.1-mini-2025-04-14, passes if: the answer apologises and names a date}}]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import batched_pairs

from promptbench.checks import _agreement, _context, _judging, _options

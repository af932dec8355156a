"""all of: every one of these checks holds, or enough of them.

What: passes when all the checks inside pass. The score is their mean; with `at least` that score is what has to be
    reached.
When: several checks belong together: inside of `any of` or `not`, or as a group of which some may fail.
Options: a list of checks, or: `checks` the list; `at least` the share of them that is enough, such as 60%.
Example:
    checks: [{all of: {checks: [{contains: Paris}, {contains: Seine}, {not: {contains: Lyon}}], at least: 60%}}]
"""

from dataclasses import dataclass
from statistics import fmean

from promptbench.checks import _nested, _options
from promptbench.checks._scores import graded
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class AllOf:
    """`at_least` is the mean score that is enough; with None every check must pass."""

    checks: tuple[Check, ...]
    at_least: float | None = None

    def score(self, subject: Subject) -> Score:
        scores = [check.score(subject) for check in self.checks]
        failed = [score for score in scores if not score.passed]
        mean = fmean(score.value for score in scores)
        if self.at_least is not None:
            return graded("all of", mean, self.at_least, _nested.reasons(failed))
        return Score("all of", not failed, mean, _nested.reasons(failed))


def build(argument: Json, context: CheckContext) -> Check:
    is_group = isinstance(argument, dict) and "checks" in argument
    given = _options.options(argument, ("checks", "at least")) if is_group else {"checks": argument}
    checks = _nested.build_several(given["checks"], context, "all of: [{contains: Paris}, json]")
    return AllOf(checks, _options.at_least(given) if "at least" in given else None)


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema=_nested.GROUP, fingerprint=_nested.fingerprints)

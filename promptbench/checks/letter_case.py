"""letter case: all letters are capitals, or none is.

What: `upper` passes when there are letters and each is a capital; `lower` when there are and none is. What has no upper
    and lower case does not count: digits, signs, Chinese.
When: the style asks for it.
Options: `upper` or `lower`.
Example:
    checks: [{letter case: lower}]
"""

from dataclasses import dataclass

from promptbench.checks._options import choice
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

_CASES = ("upper", "lower")
_AROUND = 20


@dataclass(frozen=True, slots=True)
class LetterCase:
    upper: bool

    def score(self, subject: Subject) -> Score:
        text = subject.text
        if text.isupper() if self.upper else text.islower():
            return verdict("letter case")
        odd = next((index for index, char in enumerate(text) if self._is_odd(char)), None)
        if odd is None:
            return verdict("letter case", "the answer has no letters with upper and lower case")
        case = "upper" if self.upper else "lower"
        return verdict("letter case", mismatch("", f"{case} case", quoted(text[odd : odd + _AROUND])))

    def _is_odd(self, char: str) -> bool:
        # Dž is neither upper nor lower case, so it is odd in both.
        return (char.istitle() and not char.isupper()) or (char.islower() if self.upper else char.isupper())


def build(argument: Json, context: CheckContext) -> Check:
    return LetterCase(choice(argument, "letter case", _CASES) == "upper")


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema={"type": "string", "enum": list(_CASES)})

"""parts: the answer has several parts, with a separator between them.

What: splits the answer at the separator. A separator before the first part or behind the last does not matter; one with
    nothing between it and the next fails.
When: two alternatives, or several texts in one answer, that a program takes apart.
Options: `separated by`; how many: `exactly`, `at least`, `at most`, `less than`, `more than`; and `all different: yes`.
Example:
    checks: [{parts: {separated by: '******', exactly: 2, all different: yes}}]
"""

from dataclasses import dataclass

from promptbench.checks import _options
from promptbench.checks._options import options, text, yes
from promptbench.checks._scores import mismatch, quoted, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class Parts:
    separator: str
    wanted: _options.Bounds
    different: bool

    def score(self, subject: Subject) -> Score:
        pieces = [piece.strip() for piece in subject.text.split(self.separator)]
        parts = [piece for piece in pieces if piece]
        reasons = []
        if "" in pieces[1:-1]:
            reasons.append(f"nothing between two {quoted(self.separator)}")
        if not self.wanted.include(len(parts)):
            reasons.append(mismatch("parts", self.wanted.words, str(len(parts))))
        if self.different and len(set(parts)) < len(parts):
            reasons.append("two parts are the same")
        return verdict("parts", *reasons)


def build(argument: Json, context: CheckContext) -> Check:
    if not isinstance(argument, dict):
        raise ValueError("say what separates the parts and how many there are: {separated by: '***', exactly: 2}")
    given = options(argument, ("separated by", "all different", *_options.COMPARISONS))
    if "separated by" not in given:
        raise ValueError("say what separates the parts, as in \"separated by: '***'\"")
    return Parts(
        text(given["separated by"], "separated by").strip(),
        _options.bounds(given),
        yes(given.get("all different", False), "all different"),
    )


SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema={
        "type": "object",
        "properties": {
            "separated by": {"type": ["string", "number"]},
            "all different": {"type": ["boolean", "string"]},
            **_options.BOUNDS,
        },
        "required": ["separated by"],
    },
)

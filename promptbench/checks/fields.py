"""fields: the fields at these places of a JSON answer are right.

What: each line names a place, as in `order.items[0].sku`, and what stands there; other fields are free. `[0]` is the
    first item of a list, `[-1]` the last, `[*]` stands for all of them. The score is the share of the places that are
    right.
When: a few fields deep inside a large answer count, or a part of them right is better than none. At the top of an
    answer, or when all must be right, `expect` says the same.
Options: places and values, or: `is` the places and values; `ignore` what does not count in texts: case, white space,
    punctuation, accents, unicode; `at least` the share that is enough, such as 80%.
Example:
    checks:
    - fields:
        customer.name: Ada Lovelace
        order.items[0].sku: A-17
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._graded import failed, graded
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, parse
from promptbench.checks._words import quoted, readable, same
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

_KNOWN = ("is", "ignore", "at least")
argument_schema: Json = {"type": "object", "minProperties": 1}


@dataclass(frozen=True, slots=True)
class Fields:
    wanted: tuple[tuple[Path, Json], ...]
    normal: Normal
    at_least: float

    def score(self, subject: Subject) -> Score:
        reading, problem = readable(subject)
        if problem:
            return failed("fields", problem)
        reasons = [reason for path, value in self.wanted if (reason := self._difference(reading.value, path, value))]
        value = (len(self.wanted) - len(reasons)) / len(self.wanted)
        more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        return graded("fields", value, self.at_least, "; ".join(reasons[:3]) + more)

    def _difference(self, answer: Json, path: Path, wanted: Json) -> str | None:
        try:
            got = path.find(answer)
        except LookupError as error:
            return str(error.args[0])
        if same(self.normal.value(wanted), self.normal.value(got)):
            return None
        return f"{path.written} is {quoted(got)}, not {quoted(wanted)}"


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when there is no field, or a name is no path."""
    given: dict[str, Json] = {"is": argument}
    if isinstance(argument, dict) and isinstance(argument.get("is"), dict):
        given = _options.options(argument, _KNOWN)
    wanted = given["is"]
    if not isinstance(wanted, dict) or not wanted:
        raise ValueError("name at least one field and what it is, as in 'customer.name: Ada'")
    at_least = _options.share(given["at least"], "at least") if "at least" in given else 1.0
    fields = tuple((parse(path), value) for path, value in wanted.items())
    return Fields(fields, _normal.normal(given.get("ignore")), at_least)

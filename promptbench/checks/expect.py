"""expect: the answer is what should come back.

What: `name: value` lines compare the named fields of a JSON answer, other fields are free; a list, a number, true or
    false compare the whole JSON answer; a text compares the answer's text without the white space around it. A number
    also equals the same number written as text.
When: you know the right answer. As a key of a case it is short for this check.
Options: what should come back, or: `is` the same, or `any of` a list of right answers; `fields` named (the default),
    all for an answer without other fields, or paths where the names are paths such as order.items[0].sku and the score
    is the share that is right, with `at least` the share that is enough, such as 80%; `at` the path of a value in a
    JSON answer that is compared instead of the whole; `ignore` case, white space, punctuation, accents, unicode (é in
    one or two characters, curly quotes, full width), citations such as [1], or squad (case, punctuation and the
    articles a, an, the, as the SQuAD leaderboard compares), one or a list. In a path `[-1]` is the last item of a list
    and `[*]` every item.
Example:
    expect: {team: billing}
"""

from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, parse, text_at, value_at
from promptbench.checks._scores import first_of, graded, mismatch, quoted, readable, same, verdict
from promptbench.plugins import CheckContext, CheckSpec, Json, Score, Subject

_KNOWN = ("is", "any of", "fields", "at", "ignore", "at least")


@dataclass(frozen=True, slots=True)
class Expect:
    """`right` has the right answers, `wanted` the same after normalising. `paths` are those of `fields: paths`."""

    right: tuple[Json, ...]
    wanted: tuple[Json, ...]
    fields: str
    path: Path | None
    normal: Normal
    at_least: float
    paths: tuple[Path, ...] = ()
    name: str = "expect"

    def score(self, subject: Subject) -> Score:
        if self.paths:
            return self._score_paths(subject)
        problems: list[str] = []
        got: Json = None
        for right, wanted in zip(self.right, self.wanted, strict=True):
            got, problem = self._value(subject, right)
            found = self.normal.value(got)
            if problem:
                problems = [problem]
            elif isinstance(right, str) or self.fields == "all":
                problems = [] if same(wanted, found) else [mismatch(self._where, quoted(right), quoted(got))]
            else:
                problems = differences(wanted, found, self._where)
            if not problems:
                return verdict(self.name)
        if len(self.right) == 1 or problem:
            return verdict(self.name, *problems)
        return verdict(
            self.name, mismatch(self._where, f"one of {first_of([quoted(right) for right in self.right])}", quoted(got))
        )

    @property
    def _where(self) -> str:
        return self.path.written if self.path else ""

    def _value(self, subject: Subject, right: Json) -> tuple[Json, str | None]:
        if isinstance(right, str):
            return text_at(subject, self.path) if self.path else (subject.text.strip(), None)
        if self.path:
            return value_at(subject, self.path)
        reading, problem = readable(subject)
        return reading.value, problem

    def _score_paths(self, subject: Subject) -> Score:
        reading, problem = readable(subject)
        if problem:
            return verdict(self.name, problem)
        [right], [wanted] = self.right, self.wanted
        reasons = []
        for path in self.paths:
            try:
                got = path.find(reading.value)
            except LookupError as error:
                reasons.append(str(error.args[0]))
                continue
            if not same(wanted[path.written], self.normal.value(got)):
                reasons.append(mismatch(path.written, quoted(right[path.written]), quoted(got)))
        more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        return graded(
            self.name, (len(self.paths) - len(reasons)) / len(self.paths), self.at_least, "; ".join(reasons[:3]) + more
        )


def differences(expected: Json, got: Json, path: str = "") -> list[str]:
    """Return how the named fields in `expected` differ in `got`. Fields that are not named are free."""
    if not isinstance(expected, dict):
        return [] if same(expected, got) else [mismatch(path, quoted(expected), quoted(got))]
    if not isinstance(got, dict):
        return [mismatch(path, f"an object with {', '.join(map(str, expected))}", quoted(got))]
    found = []
    for key, value in expected.items():
        here = f"{path}.{key}" if path else key
        found += differences(value, got[key], here) if key in got else [f"{here} is missing"]
    return found


def parse_argument(argument: Json) -> Expect:
    """Return the check for a YAML argument. Raises ValueError if it is invalid.

    An object is options if it has nothing but options and one of them is `any of`, or `is` beside another one. Any
    other object is the right answer itself.
    """
    names = {_options.option_name(str(key)) for key in argument} if isinstance(argument, dict) else set()
    is_options = names <= {*_KNOWN} and ("any of" in names or ("is" in names and len(names) > 1))
    given = _options.options(argument, _KNOWN) if is_options else {"is": argument}
    if ("is" in given) == ("any of" in given):
        raise ValueError("give one of 'is' and 'any of'")
    right = given.get("any of", [given.get("is")])
    if not isinstance(right, list) or not right:
        raise ValueError("'any of' must be a list of right answers")
    fields = _options.choice(given.get("fields", "named"), "fields", ("named", "all", "paths"))
    normal = _normal.normal(given.get("ignore"))
    if (fields == "named" and {} in right) or argument == "":
        raise ValueError("there is nothing to compare: name at least one field, as in 'expect: {team: billing}'")
    if "at least" in given and fields != "paths":
        raise ValueError("'at least' needs 'fields: paths'")
    paths: tuple[Path, ...] = ()
    if fields == "paths":
        if len(right) > 1 or "at" in given or not isinstance(right[0], dict) or not right[0]:
            raise ValueError("'fields: paths' needs 'is' with at least one path, as in 'is: {customer.name: Ada}'")
        paths = tuple(map(parse, right[0]))
        right = [{path.written: value for path, value in zip(paths, right[0].values(), strict=True)}]
    right = [item.strip() if isinstance(item, str) else item for item in right]
    wanted = [normal.value(item) for item in right]
    if "squad" in normal.steps and any(item != "" for item in wanted):
        # SQuAD's script drops right answers that are empty after normalising, unless there are no others.
        pairs = [pair for pair in zip(right, wanted, strict=True) if pair[1] != ""]
        right, wanted = [one for one, _ in pairs], [other for _, other in pairs]
    at_least = _options.at_least(given)
    return Expect(tuple(right), tuple(wanted), fields, optional(given.get("at")), normal, at_least, paths)


def build(argument: Json, context: CheckContext) -> Expect:
    return parse_argument(argument)


SPEC = CheckSpec(doc=__doc__, build=build)

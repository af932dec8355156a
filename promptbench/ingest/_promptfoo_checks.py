"""Conversion of promptfoo's assertions to the checks of a suite.

| assertion | check |
|---|---|
| `contains`, `contains-any`, `contains-all` | `contains`, case-sensitive |
| `icontains`, `icontains-any`, `icontains-all` | `contains` |
| `equals` | `equals` |
| `is-json`, `contains-json` | `json`, or `json schema` where there is a schema |
| `regex` | `regex` |
| `starts-with` | `starts with`, which ignores case |
| `latency`, `cost` | the same |
| `word-count` | `count` of words |
| `is-refusal` | `refusal` |
| `assert-set` | each of its assertions; `all of` if it has a threshold or a weight |
| `llm-rubric` | `rubric`, if a judge is given |

`not-` before any of them negates it. `is-json` needs the whole answer to be JSON; in a suite that accepts more than
`raw`, `json` does too. Anything else is listed with the reason: assertions that run code or call a model, values that
are templates or files, and `similar`, which compares meaning by a model that the check of that name has to name.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from promptbench.core.types import Json
from promptbench.ingest._fields import as_list, as_number, as_object, as_text, decode_embedded, omit_fields, to_text

TABLE = tomllib.loads(Path(__file__).with_name("promptfoo.toml").read_text(encoding="utf-8"))
_TEMPLATE = re.compile(r"\{\{|\{%")
_CHANGED = ("transform", "contextTransform")
# An assertion in a cell of a table: its type, a threshold in brackets, and its value.
_CELL = re.compile(r"(?P<type>[a-z][a-z0-9-]*)(?:\((?P<threshold>\d+(?:\.\d+)?)\))?(?::(?P<value>.*))?", re.DOTALL)
_SHORT = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
_WITH_VALUE = ("equals", "starts-with")


class _NotMapped(ValueError):
    """An assertion without a matching check. The message is the reason."""


def convert_assertions(assertions: Json) -> tuple[list[dict[str, Json]], list[dict[str, Json]]]:
    """Return the checks, and the assertions without one, each as `{"assert": …, "why": …}`."""
    found = list(convert_each(assertions))
    others: list[dict[str, Json]] = [{"assert": item, "why": why} for item, _, why in found if why]
    return [check for _, check, _ in found if check], others


def convert_each(assertions: Json, judge: str | None = None) -> Iterator[tuple[Json, dict[str, Json], str]]:
    """Yield each assertion with its check, or with the reason if it has none.

    `judge` is the model for assertions that a model judges. An `assert-set` is one check if some of its assertions may
    fail or it has a weight, else each of them is.
    """
    for item in as_list(assertions):
        assertion = as_object(item)
        is_one = any(as_number(assertion.get(name)) is not None for name in ("threshold", "weight"))
        if assertion.get("type") == "assert-set" and not is_one:
            yield from convert_each(assertion.get("assert"), judge)
            continue
        try:
            yield item, _convert(assertion, judge), ""
        except _NotMapped as error:
            yield item, {}, str(error)


def _convert(assertion: dict[str, Json], judge: str | None) -> dict[str, Json]:
    weight = as_number(assertion.get("weight"))
    return {**_check(assertion, judge), **({} if weight is None or weight == 1 or weight < 0 else {"weight": weight})}


def _check(assertion: dict[str, Json], judge: str | None) -> dict[str, Json]:
    written = as_text(assertion.get("type")) or ""
    kind = written.removeprefix("not-")
    if any(assertion.get(name) for name in _CHANGED):
        raise _NotMapped("it changes the answer first")
    value = assertion.get("value")
    if isinstance(value, str) and value.startswith(("file://", "package:")):
        raise _NotMapped("its value is in a file")
    if _TEMPLATE.search(to_text(value) or ""):
        raise _NotMapped("its value is a template")
    if kind in _WITH_VALUE and (value is None or (isinstance(value, str) and not value.strip())):
        raise _NotMapped("it has no value")
    if kind == "assert-set":
        check = _set(assertion, judge)
    elif kind == "llm-rubric" and judge and isinstance(value, str) and not assertion.get("threshold"):
        check = {"rubric": {"judge": judge, "passes if": value}}
    elif kind in _RULES:
        check = _RULES[kind](assertion)
    else:
        raise _NotMapped(nearest("why", kind) if kind else "it has no type")
    return check if kind == written else _negate(check)


def nearest(table: str, name: str) -> str:
    """Return the entry of a table whose key is the longest start of a name."""
    found: dict[str, str] = TABLE[table]
    return found[max((key for key in found if name.startswith(key)), key=len)]


def read_assertion(cell: str) -> dict[str, Json]:
    """Return the assertion in a cell of a table, such as `contains: Paris`; a text of no known type is `equals`."""
    found = _CELL.fullmatch(cell)
    kind = _SHORT.get(found["type"], found["type"]) if found else ""
    if found is None or not (kind.removeprefix("not-") in _RULES or kind in TABLE["instead"]):
        return {"type": "equals", "value": cell}
    return omit_fields(
        {"type": kind, "value": (found["value"] or "").strip(), "threshold": as_number(found["threshold"])}
    )


def _set(assertion: dict[str, Json], judge: str | None) -> dict[str, Json]:
    checks = [_convert(as_object(item), judge) for item in as_list(assertion.get("assert"))]
    if not checks or any("weight" in check for check in checks):
        raise _NotMapped("it has no assertions, or they have weights of their own")
    threshold = as_number(assertion.get("threshold"))
    return {"all of": {"checks": checks, "at least": threshold} if threshold else checks}


def _negate(check: dict[str, Json]) -> dict[str, Json]:
    opposites: dict[str, dict[str, Json]] = {
        "contains": {"not contains": check.get("contains")},
        "refusal": {"refusal": "no"},
    }
    return opposites.get(next(iter(check)), {"not": check})


def _contains(several: str, case: bool) -> Callable[[dict[str, Json]], dict[str, Json]]:
    def rule(assertion: dict[str, Json]) -> dict[str, Json]:
        value = assertion.get("value")
        # Several texts may be in one string, separated by commas.
        listed = (
            value.split(",") if isinstance(value, str) and several else value if isinstance(value, list) else [value]
        )
        texts = [found.strip() if several else found for item in listed if (found := as_text(item)) and found.strip()]
        if not texts:
            raise _NotMapped("it has no value")
        if not case and several != "any of":
            return {"contains": texts[0] if len(texts) == 1 else texts}
        options: dict[str, Json] = {several or "all of": texts[0] if len(texts) == 1 else texts}
        return {"contains": {**options, "ignore": "nothing"} if case else options}

    return rule


def _equals(assertion: dict[str, Json]) -> dict[str, Json]:
    value = decode_embedded(assertion["value"])
    return {"expect": value if isinstance(value, str) else {"is": value, "fields": "all"}}


def _json(assertion: dict[str, Json]) -> dict[str, Json]:
    schema = decode_embedded(assertion.get("value"))
    if schema in (None, ""):
        return {"json": None}
    if not isinstance(schema, dict):
        raise _NotMapped("its schema is not JSON")
    return {"json schema": schema}


def _regex(assertion: dict[str, Json]) -> dict[str, Json]:
    pattern = as_text(assertion.get("value"))
    try:
        re.compile(pattern or "(")
    except (re.error, RecursionError, OverflowError):
        raise _NotMapped("its pattern is not a valid Python regular expression") from None
    return {"regex": pattern}


def _threshold(assertion: dict[str, Json]) -> float:
    threshold = as_number(assertion.get("threshold"))
    if threshold is None or threshold <= 0:
        raise _NotMapped("it has no threshold")
    return threshold


def _word_count(assertion: dict[str, Json]) -> dict[str, Json]:
    value = decode_embedded(assertion.get("value"))
    given = value if isinstance(value, dict) else {"exactly": value}
    words = (("exactly", "exactly"), ("min", "at least"), ("max", "at most"))
    bounds = {ours: int(amount) for theirs, ours in words if (amount := as_number(given.get(theirs))) is not None}
    if not bounds:
        raise _NotMapped("it has no number of words")
    return {"count": {"of": "words", **bounds}}


_RULES: Mapping[str, Callable[[dict[str, Json]], dict[str, Json]]] = {
    "contains": _contains("", case=True),
    "contains-any": _contains("any of", case=True),
    "contains-all": _contains("all of", case=True),
    "icontains": _contains("", case=False),
    "icontains-any": _contains("any of", case=False),
    "icontains-all": _contains("all of", case=False),
    "equals": _equals,
    "is-json": _json,
    "contains-json": _json,
    "regex": _regex,
    "starts-with": lambda assertion: {"starts with": as_text(assertion.get("value"))},
    "latency": lambda assertion: {"latency": f"{_threshold(assertion):g} ms"},
    "cost": lambda assertion: {"cost": _threshold(assertion)},
    "word-count": _word_count,
    "is-refusal": lambda _: {"refusal": "yes"},
}

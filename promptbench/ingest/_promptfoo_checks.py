"""promptfoo's assertions as checks in the words of a suite.

| assertion | check |
|---|---|
| `contains`, `contains-any`, `contains-all` | `contains`, with upper and lower case apart |
| `icontains`, `icontains-any`, `icontains-all` | `contains` |
| `equals` | `equals` |
| `is-json`, `contains-json` | `json`, or `json schema` where there is a schema |
| `regex` | `regex` |
| `starts-with` | `starts with`, for which upper and lower case are the same |
| `latency`, `cost` | the same |
| `word-count` | `count` of words |
| `is-refusal` | `refusal` |
| `assert-set` without a threshold | each of its assertions |

`not-` before any of them is its opposite. `is-json` takes the whole answer as JSON: where a suite accepts more than
`raw`, its `json` does too. All else is listed with the reason: what runs code or asks a model, values that are
templates or files, and `similar`, which compares meanings where the check of that name compares letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from promptbench.core.types import Json
from promptbench.formats.embedded_json import decoded
from promptbench.ingest._fields import items, number, record, text

Mapped = tuple[list[dict[str, Json]], list[dict[str, Json]]]
_CODE = {"javascript", "python", "ruby", "webhook"}
_CHANGED = ("transform", "contextTransform")


class _NotMapped(ValueError):
    """An assertion without a check. Its text says why."""


def checks_of(assertions: Json) -> Mapped:
    """The checks, and what has none: each such assertion as `{"assert": …, "why": …}`."""
    checks: list[dict[str, Json]] = []
    others: list[dict[str, Json]] = []
    for item in items(assertions):
        assertion = record(item)
        if assertion.get("type") == "assert-set" and number(assertion.get("threshold")) is None:
            inner, rest = checks_of(assertion.get("assert"))
            checks += inner
            others += rest
            continue
        try:
            checks.append(_weighted(_check(assertion), assertion))
        except _NotMapped as error:
            others.append({"assert": item, "why": str(error)})
    return checks, others


def _check(assertion: dict[str, Json]) -> dict[str, Json]:
    written = text(assertion.get("type")) or ""
    kind = written.removeprefix("not-")
    rule = _RULES.get(kind)
    if rule is None:
        raise _NotMapped(_why(kind))
    if any(assertion.get(name) for name in _CHANGED):
        raise _NotMapped("it changes the answer before it looks")
    value = assertion.get("value")
    if isinstance(value, str) and value.startswith(("file://", "package:")):
        raise _NotMapped("its value is in a file")
    if _has_template(value):
        raise _NotMapped("its value is a template")
    check = rule(assertion)
    return check if kind == written else _opposite(check)


def _opposite(check: dict[str, Json]) -> dict[str, Json]:
    if "contains" in check:
        return {"not contains": check["contains"]}
    if "refusal" in check:
        return {"refusal": "no"}
    return {"not": check}


def _weighted(check: dict[str, Json], assertion: Mapping[str, Json]) -> dict[str, Json]:
    weight = number(assertion.get("weight"))
    return check if weight is None or weight == 1 or weight < 0 else {**check, "weight": weight}


def _why(kind: str) -> str:
    if kind in _CODE:
        return "it runs code: write a Python check"
    if kind == "similar":
        return "it compares meanings, and the check 'similar' compares letters"
    if kind.startswith(
        ("llm-rubric", "model-graded", "g-eval", "factuality", "answer-relevance", "context-", "search-rubric")
    ):
        return "a model judges it: write a rubric"
    return "there is no check like it" if kind else "it has no type"


def _has_template(value: Json) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, list):
        return any(map(_has_template, value))
    return isinstance(value, dict) and any(map(_has_template, value.values()))


def _contains(several: str, case: bool) -> Callable[[dict[str, Json]], dict[str, Json]]:
    def rule(assertion: dict[str, Json]) -> dict[str, Json]:
        value = assertion.get("value")
        # Several texts may be written as one, with commas between them.
        listed = (
            value.split(",") if isinstance(value, str) and several else value if isinstance(value, list) else [value]
        )
        wanted = [found.strip() if several else found for item in listed if (found := text(item)) and found.strip()]
        if not wanted:
            raise _NotMapped("it has no value")
        if not case and several != "any of":
            return {"contains": wanted[0] if len(wanted) == 1 else wanted}
        options: dict[str, Json] = {several or "all of": wanted[0] if len(wanted) == 1 else wanted}
        return {"contains": {**options, "ignore": "nothing"} if case else options}

    return rule


def _equals(assertion: dict[str, Json]) -> dict[str, Json]:
    if assertion.get("value") is None:
        raise _NotMapped("it has no value")
    value = decoded(assertion["value"])
    return {"expect": value if isinstance(value, str) else {"is": value, "fields": "all"}}


def _json(assertion: dict[str, Json]) -> dict[str, Json]:
    value = assertion.get("value")
    if value in (None, ""):
        return {"json": None}
    schema = decoded(value)
    if not isinstance(schema, dict):
        raise _NotMapped("its schema is no JSON")
    return {"json schema": schema}


def _regex(assertion: dict[str, Json]) -> dict[str, Json]:
    pattern = text(assertion.get("value"))
    try:
        re.compile(pattern or "(")
    except (re.error, RecursionError, OverflowError):
        raise _NotMapped("its pattern is none that Python knows") from None
    return {"regex": pattern}


def _starts_with(assertion: dict[str, Json]) -> dict[str, Json]:
    start = text(assertion.get("value"))
    if not start or not start.strip():
        raise _NotMapped("it has no value")
    return {"starts with": start}


def _latency(assertion: dict[str, Json]) -> dict[str, Json]:
    return {"latency": f"{_threshold(assertion):g} ms"}


def _cost(assertion: dict[str, Json]) -> dict[str, Json]:
    return {"cost": _threshold(assertion)}


def _threshold(assertion: dict[str, Json]) -> float:
    threshold = number(assertion.get("threshold"))
    if threshold is None or threshold <= 0:
        raise _NotMapped("it has no threshold")
    return threshold


def _word_count(assertion: dict[str, Json]) -> dict[str, Json]:
    value = decoded(assertion.get("value"))
    given = value if isinstance(value, dict) else {"exactly": value}
    words = (("exactly", "exactly"), ("min", "at least"), ("max", "at most"))
    bounds = {ours: int(amount) for theirs, ours in words if (amount := number(given.get(theirs))) is not None}
    if not bounds:
        raise _NotMapped("it has no number of words")
    return {"count": {"of": "words", **bounds}}


def _refusal(assertion: dict[str, Json]) -> dict[str, Json]:
    return {"refusal": "yes"}


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
    "starts-with": _starts_with,
    "latency": _latency,
    "cost": _cost,
    "word-count": _word_count,
    "is-refusal": _refusal,
}

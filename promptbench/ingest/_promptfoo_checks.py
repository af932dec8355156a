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
| `assert-set` without a threshold | each of its assertions |

`not-` before any of them negates it. `is-json` needs the whole answer to be JSON; in a suite that accepts more than
`raw`, `json` does too. Anything else is listed with the reason: assertions that run code or call a model, values that
are templates or files, and `similar`, which compares meaning by a model that the check of that name has to name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from promptbench.core.types import Json
from promptbench.ingest._fields import as_list, as_number, as_object, as_text, decode_embedded

_CODE = {"javascript", "python", "ruby", "webhook"}
_CHANGED = ("transform", "contextTransform")
_WITH_VALUE = ("equals", "starts-with")


class _NotMapped(ValueError):
    """An assertion without a matching check. The message is the reason."""


def convert_assertions(assertions: Json) -> tuple[list[dict[str, Json]], list[dict[str, Json]]]:
    """Return the checks, and the assertions without one, each as `{"assert": …, "why": …}`."""
    checks: list[dict[str, Json]] = []
    others: list[dict[str, Json]] = []
    for item in as_list(assertions):
        assertion = as_object(item)
        if assertion.get("type") == "assert-set" and as_number(assertion.get("threshold")) is None:
            inner, rest = convert_assertions(assertion.get("assert"))
            checks += inner
            others += rest
            continue
        try:
            weight = as_number(assertion.get("weight"))
            extra = {} if weight is None or weight == 1 or weight < 0 else {"weight": weight}
            checks.append({**_check(assertion), **extra})
        except _NotMapped as error:
            others.append({"assert": item, "why": str(error)})
    return checks, others


def _check(assertion: dict[str, Json]) -> dict[str, Json]:
    written = as_text(assertion.get("type")) or ""
    kind = written.removeprefix("not-")
    rule = _RULES.get(kind)
    if rule is None:
        raise _NotMapped(_explain_unmapped(kind))
    if any(assertion.get(name) for name in _CHANGED):
        raise _NotMapped("it changes the answer first")
    value = assertion.get("value")
    if isinstance(value, str) and value.startswith(("file://", "package:")):
        raise _NotMapped("its value is in a file")
    if _has_template(value):
        raise _NotMapped("its value is a template")
    if kind in _WITH_VALUE and (value is None or (isinstance(value, str) and not value.strip())):
        raise _NotMapped("it has no value")
    check = rule(assertion)
    return check if kind == written else _negate(check)


def _negate(check: dict[str, Json]) -> dict[str, Json]:
    if "contains" in check:
        return {"not contains": check["contains"]}
    if "refusal" in check:
        return {"refusal": "no"}
    return {"not": check}


def _explain_unmapped(kind: str) -> str:
    if kind in _CODE:
        return "it runs code: write a Python check"
    if kind == "similar":
        return "it compares meaning: write similar with by, a model, and its own threshold"
    if kind.startswith(
        ("llm-rubric", "model-graded", "g-eval", "factuality", "answer-relevance", "context-", "search-rubric")
    ):
        return "a model judges it: write a rubric"
    return "no matching check" if kind else "it has no type"


def _has_template(value: Json) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, list):
        return any(map(_has_template, value))
    return isinstance(value, dict) and any(map(_has_template, value.values()))


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
    value = assertion.get("value")
    if value in (None, ""):
        return {"json": None}
    schema = decode_embedded(value)
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

"""Conversion of promptfoo's assertions, and of the graders of evals, to the checks of a suite.

`promptfoo.toml` has the forms of the checks, by the type of an assertion, and of assertions, by the type of a grader.

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

| grader of OpenAI, class of openai/evals | assertion |
|---|---|
| `string_check` of the answer: `eq`, `ne`, `like`, `ilike` | `equals`, `not-equals`, `contains`, `icontains` |
| `Match`, `Includes`, `FuzzyMatch`, `JsonMatch` | `regex`, `contains-any`, `icontains-any`, `equals` |
| `label_model`, `score_model`, `ModelBasedClassify` | `llm-rubric` |
| the expected output of an item in Langfuse | `equals` |
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from promptbench.core.types import Json
from promptbench.ingest._chat import Conversation, is_conversation, read_conversation
from promptbench.ingest._fields import (
    as_list,
    as_nonblank,
    as_number,
    as_object,
    as_text,
    decode_embedded,
    omit_fields,
    to_text,
)
from promptbench.ingest._promptfoo_templates import fill_known
from promptbench.text.templates import fill_data

TABLE = tomllib.loads(Path(__file__).with_name("promptfoo.toml").read_text(encoding="utf-8"))
_TEMPLATE = re.compile(r"\{\{|\{%")
# An assertion in a cell of a table: its type, a threshold in brackets, and its value.
_CELL = re.compile(r"(?P<type>[a-z][a-z0-9-]*)(?:\((?P<threshold>\d+(?:\.\d+)?)\))?(?::(?P<value>.*))?", re.DOTALL)
_ANSWER = re.compile(r"\{\{-?\s*sample\.output_text\s*-?\}\}")
# What stands for more than itself in a regular expression.
_SPECIAL, _ESCAPED = re.compile(r"([\\.^$*+?{}\[\]|()])"), r"\\\1"


class _NotMapped(ValueError):
    """An assertion without a matching check. The message is the reason."""


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
    kind, value = written.removeprefix("not-"), assertion.get("value")
    for is_so, why in (
        (any(assertion.get(name) for name in TABLE["changed"]), "it changes the answer first"),
        (isinstance(value, str) and value.startswith(("file://", "package:")), "its value is in a file"),
        (_TEMPLATE.search(to_text(value) or ""), "its value is a template"),
    ):
        if is_so:
            raise _NotMapped(why)
    facts = _facts(assertion, judge) if kind != "assert-set" else {"checks": _set(assertion, judge)}
    # The first form whose values are all there.
    for form in TABLE["rules"].get(written) or TABLE["rules"].get(kind, ()):
        with suppress(KeyError):
            check = as_object(fill_data(form, facts))
            return check if written in TABLE["rules"] else {"not": check}
    raise _NotMapped(nearest("why", kind) if kind else "it has no type")


def _facts(assertion: dict[str, Json], judge: str | None) -> dict[str, Json]:
    # Return what the rules insert: only what the assertion has.
    value, threshold = assertion.get("value"), as_number(assertion.get("threshold")) or 0.0
    is_several = str(assertion.get("type")).endswith(("-any", "-all"))
    texts = [
        text.strip() if is_several else text
        # Several texts may be in one string, separated by commas.
        for item in (value.split(",") if is_several and isinstance(value, str) else listed(value))
        if (text := as_text(item)) and text.strip()
    ]
    data = decode_embedded(value)
    bounds = {
        word: int(amount)
        for key, word in TABLE["bounds"].items()
        if (amount := as_number((data if isinstance(data, dict) else {"exactly": value}).get(key))) is not None
    }
    facts = {
        "texts": texts[0] if len(texts) == 1 else texts or None,
        "text": as_nonblank(value),
        "data": None if isinstance(data, str) else data,
        "schema": data if isinstance(data, dict) else None,
        "pattern": _pattern(as_text(value)) if "regex" in str(assertion.get("type")) else None,
        "words": {"of": "words", **bounds} if bounds else None,
        "threshold": threshold if threshold > 0 else None,
        "milliseconds": f"{threshold:g} ms" if threshold > 0 else None,
        "judge": None if threshold else judge,
        "nothing": None,
    }
    return {
        name: fact for name, fact in facts.items() if fact is not None or (name == "nothing" and data in (None, ""))
    }


def _pattern(text: str | None) -> str | None:
    with suppress(re.error, RecursionError, OverflowError):
        re.compile(text or "(")
        return text
    return None


def nearest(table: str, name: str) -> str:
    """Return the entry of a table whose key is the longest start of a name."""
    found: dict[str, str] = TABLE[table]
    return found[max((key for key in found if name.startswith(key)), key=len)]


def read_row(row: Mapping[str, str]) -> dict[str, Json]:
    """Return the test in a row of a table."""
    cells = {head.strip(): text.strip() for head, text in row.items() if head and text}
    return {
        **{head[2:]: text for head, text in cells.items() if re.match("__(?!expected)", head)},
        "vars": {head: text for head, text in row.items() if head and head[:2] != "__"},
        "assert": [_read_assertion(text) for head, text in cells.items() if head.startswith("__expected") and text],
    }


def _read_assertion(cell: str) -> dict[str, Json]:
    # Return the assertion in a cell of a table, such as `contains: Paris`; a text of no known type is `equals`.
    found = _CELL.fullmatch(cell)
    kind = TABLE["short"].get(found["type"], found["type"]) if found else ""
    if found is None or not (kind.removeprefix("not-") in TABLE["rules"] or kind in TABLE["instead"]):
        return {"type": "equals", "value": cell}
    return omit_fields(
        {"type": kind, "value": (found["value"] or "").strip(), "threshold": as_number(found["threshold"])}
    )


def convert_grader(grader: dict[str, Json], item: dict[str, Json]) -> dict[str, Json]:
    """Return a grader of OpenAI or of openai/evals as an assertion on the answer to an item.

    One without an equivalent keeps its type.
    """
    kind = str(grader.get("type"))
    operation = grader.get("operation") or grader.get("ignore_case") or ""
    filled = as_object(fill_known(grader, {"item": {**as_object(grader.get("modelgraded_spec_args")), **item}}))
    ideals = [text for text in map(as_text, listed(item.get("ideal"))) if text]
    sides = [str(filled.get(key)).strip() for key in ("input", "reference")]
    # Both sides of an equation may be the answer.
    if operation in ("eq", "ne") and _ANSWER.fullmatch(sides[1]):
        sides.reverse()
    right = item.get("expectedOutput", item.get("expected_output"))
    chat, answers = read_chat(filled.get("input")), [message["content"] for message in read_chat([right])]
    facts = {
        **filled,
        "text": sides[1] if _ANSWER.fullmatch(sides[0]) else None,
        "start": f"^({'|'.join(_SPECIAL.sub(_ESCAPED, ideal) for ideal in ideals)})" if ideals else None,
        "ideals": [*ideals],
        "ideal": ideals[0] if len(ideals) == 1 else None,
        "right": answers[0] if answers else right,
        "judged": "\n\n".join(_ANSWER.sub("(the answer)", message["content"]) for message in chat),
    }
    with suppress(KeyError):
        form = fill_data(TABLE["graders"].get(f"{kind} {operation}".strip(), {}), omit_fields(facts))
        return {"type": kind, **as_object(form), "grader": kind}
    return {"type": kind, "grader": kind}


def read_rubric(spec: dict[str, Json], args: dict[str, Json]) -> dict[str, Json]:
    """Return what a model judges in an eval of openai/evals, as a grader of OpenAI; {} without an equivalent."""
    scores = {choice: as_number(score) or 0.0 for choice, score in as_object(spec.get("choice_scores")).items()}
    if not scores or spec.get("input_outputs") != {"input": "completion"} or args.keys() & {"metaeval", "multicomp_n"}:
        return {}
    text = re.sub(r"\{(\w+)\}", r"{{item.\1}}", str(spec["prompt"])).replace("item.completion", "sample.output_text")
    return {"input": text, "passing_labels": [choice for choice in scores if scores[choice] == max(scores.values())]}


def read_chat(given: Json) -> list[dict[str, Any]]:
    """Return a chat, or a text as its only message; [] for other data, and if it has others than texts."""
    given = as_object(given).get("messages", given)
    found = read_conversation(given) if isinstance(given, str) or is_conversation(given) else Conversation()
    is_plain = not found.extra and all(message.content and message.role != "tool" for message in found.messages)
    return [{"role": message.role, "content": message.content} for message in found.messages if is_plain]


def listed(value: Json) -> list[Json]:
    """Return a list unchanged, nothing as an empty one, and another value as the only item."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _set(assertion: dict[str, Json], judge: str | None) -> Json:
    checks = [_convert(as_object(item), judge) for item in as_list(assertion.get("assert"))]
    if not checks or any("weight" in check for check in checks):
        raise _NotMapped("it has no assertions, or they have weights of their own")
    threshold = as_number(assertion.get("threshold"))
    return {"checks": [*checks], "at least": threshold} if threshold else [*checks]

"""The names under which `expect` did its work before: old suites keep them, and their scores.

Each translates its argument into one for `expect`, and the deprecation warning shows the translation.
"""

from collections.abc import Callable
from dataclasses import replace

from promptbench.checks import _options
from promptbench.checks.expect import Expect, parse_argument
from promptbench.plugins import CheckContext, CheckSpec, Json


def _equals(argument: Json) -> Json:
    is_options = isinstance(argument, dict) and {_options.option_name(str(key)) for key in argument} == {"is", "ignore"}
    given = _options.options(argument, ("is", "ignore")) if is_options else {"is": argument}
    return {**given, "fields": "all"}


def _one_of(argument: Json) -> Json:
    given = _options.value_or_options(argument, "is", ("is", "ignore", "at"))
    allowed = given.pop("is", None)
    if not isinstance(allowed, list):
        raise ValueError("give a list of texts, as in 'any of: [yes please, no]'")
    return {"any of": _options.texts(allowed), **given}


def _exact_match(argument: Json) -> Json:
    given = _options.value_or_options(argument, "is", ("is", "at", "ignore"))
    right = _options.right_answers(given.pop("is", None))
    if "ignore" in given:
        _options.choice(given.pop("ignore"), "ignore", ("citations",))
        given["ignore"] = ["citations", "squad"]
    return {"any of": right, "ignore": "squad", **given}


def _fields(argument: Json) -> Json:
    given: dict[str, Json] = {"is": argument}
    if isinstance(argument, dict) and isinstance(argument.get("is"), dict):
        given = _options.options(argument, ("is", "ignore", "at least"))
    return {**given, "fields": "paths"}


def _deprecated(name: str, translate: Callable[[Json], Json]) -> CheckSpec:
    def build(argument: Json, context: CheckContext) -> Expect:
        return replace(parse_argument(translate(argument)), name=name)

    return CheckSpec(
        doc=f"{name}: an old name of `expect`, which does the same with options.",
        build=build,
        replacement=lambda argument: {"expect": translate(argument)},
    )


equals = _deprecated("equals", _equals)
exact_match = _deprecated("exact match", _exact_match)
fields = _deprecated("fields", _fields)
one_of = _deprecated("one of", _one_of)

"""Read the options of checks from their YAML arguments. All functions raise ValueError for an invalid value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from promptbench.checks._scores import quoted
from promptbench.core.errors import suggest
from promptbench.plugins import Json, ModelRef

COMPARISONS = ("exactly", "at least", "at most", "less than", "more than")
# For a check's argument schema.
BOUNDS: Mapping[str, Json] = {name: {"type": "integer", "minimum": 0} for name in COMPARISONS}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits, both included, in the author's words. `high` is None if there is none."""

    low: int
    high: int | None
    words: str

    def include(self, number: int) -> bool:
        return number >= self.low and (self.high is None or number <= self.high)


def bounds(given: Mapping[str, Json]) -> Bounds:
    """Return the limits in the options named like one of `COMPARISONS`. Raises ValueError if they are invalid."""
    named = {name: count(given[name], name) for name in COMPARISONS if name in given}
    if not named:
        raise ValueError(f"say how many: {', '.join(COMPARISONS[:-1])} or {COMPARISONS[-1]}")
    if "exactly" in named and len(named) > 1:
        raise ValueError("'exactly' excludes the other limits: leave them out")
    lows = {"exactly": 0, "at least": 0, "more than": 1}
    highs = {"exactly": 0, "at most": 0, "less than": -1}
    low = max((named[name] + step for name, step in lows.items() if name in named), default=0)
    high = min((named[name] + step for name, step in highs.items() if name in named), default=None)
    words = " and ".join(f"{name} {number}" for name, number in named.items())
    if high is not None and low > high:
        raise ValueError(f"no number is {words}")
    return Bounds(low, high, words)


# Parts of argument schemas.
TEXT: Json = {"type": ["string", "number", "boolean"]}
TEXTS: Json = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
NAMES: Json = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
PATH: Json = {"type": ["string", "integer"]}
AMOUNT: Json = {"type": ["number", "string"]}
YES_OR_NO: Json = {"enum": ["yes", "no", True, False]}

_YES = {"yes": True, "true": True, "no": False, "false": False}


def schema(*plain: Json, required: Sequence[str] = (), **options: Json) -> Json:
    """Return the schema of an argument that is one of the `plain` forms, or options. `_` is a space in their names."""
    properties = {name.replace("_", " ").strip(): value for name, value in options.items()}
    mapping: dict[str, Json] = {"type": "object", "properties": properties}
    return {"anyOf": [*plain, mapping | ({"required": list(required)} if required else {})]}


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: the nearest known one, or all of them."""
    known = list(known)
    return suggest(word, known, f"known are {', '.join(known)}")


def option_name(written: str) -> str:
    """Return an option's name with spaces: `at_least`, `At-Least` and `at least` are one option."""
    return " ".join(written.lower().replace("_", " ").replace("-", " ").split())


def options(argument: Json, known: Sequence[str]) -> dict[str, Json]:
    """Return a mapping of options by their names with spaces."""
    if not isinstance(argument, dict):
        raise ValueError(f"give a value, or options: {', '.join(known)}")
    found: dict[str, Json] = {}
    for written, value in argument.items():
        name = option_name(str(written))
        if name not in known:
            raise ValueError(f"unknown option {quoted(str(written))}: {suggestion(name, known)}")
        if name in found:
            raise ValueError(f"the option '{name}' is given twice")
        found[name] = value
    return found


def value_or_options(argument: Json, plain: str, known: Sequence[str]) -> dict[str, Json]:
    """Return the options. A plain value is that of the option `plain`."""
    return options(argument, known) if isinstance(argument, dict) else {plain: argument}


def decimal(value: Json, name: str) -> Decimal:
    """Return a number exactly as it is written."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = Decimal(str(value).strip())
        except (InvalidOperation, ValueError):
            number = Decimal("nan")
        if number.is_finite() and (not number or abs(number.adjusted()) <= 300):
            return number
    raise ValueError(f"'{name}': expected a number, got {quoted(value)}")


def share(value: Json, name: str) -> float:
    """Return a share in (0, 1], written as 0.8 or 80%."""
    percent = isinstance(value, str) and value.strip().endswith("%")
    number = decimal(value.strip()[:-1], name) / 100 if percent else decimal(value, name)
    if not 0 < number <= 1:
        raise ValueError(f"'{name}': expected a share such as 0.8 or 80%, got {quoted(value)}")
    return float(number)


def at_least(given: Mapping[str, Json], default: float = 1.0) -> float:
    """Return the option `at least`: the score, in (0, 1], from which a check passes."""
    return share(given["at least"], "at least") if "at least" in given else default


def count(value: Json, name: str) -> int:
    """Return a whole number that is not negative."""
    number = decimal(value, name)
    if number < 0 or number != number.to_integral_value() or number > 10**12:
        raise ValueError(f"'{name}': expected a whole number, got {quoted(value)}")
    return int(number)


def text(value: Json, name: str) -> str:
    """Return a text that is not empty."""
    if isinstance(value, (dict, list)) or value is None or not str(value).strip():
        raise ValueError(f"'{name}' must be a text")
    return str(value)


def model(written: Json) -> ModelRef:
    """Return a model written as provider/name."""
    try:
        return ModelRef.parse(written if isinstance(written, str) else "")
    except ValueError:
        raise ValueError(f"{quoted(written)} is not a model: write it as provider/name") from None


def texts(argument: Json) -> list[str]:
    """Return one text or several as a list, numbers as they are written."""
    items = argument if isinstance(argument, list) else [argument]
    if not items or any(isinstance(item, (dict, list)) or item is None or item == "" for item in items):
        raise ValueError("give a text, or a list of texts")
    return [("true" if item else "false") if isinstance(item, bool) else str(item) for item in items]


def right_answers(value: Json) -> list[str]:
    """Return the right answers to a question as texts; [''] if it has none."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) or item is None for item in items):
        raise ValueError("give the right answer, or a list of them; '' if the question has none")
    return [("true" if item else "false") if isinstance(item, bool) else str(item) for item in items] or [""]


def yes(value: Json, name: str) -> bool:
    """Return True for yes or true, False for no or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _YES:
        return _YES[value.strip().lower()]
    raise ValueError(f"'{name}': expected yes or no, got {quoted(value)}")


def choice(value: Json, name: str, known: Sequence[str]) -> str:
    """Return one of the `known` words."""
    word = option_name(str(value))
    if word not in known:
        raise ValueError(f"'{name}' is {quoted(value)}: {suggestion(word, known)}")
    return word


def refuse_constant(name: str) -> Json:
    """Raise ValueError for NaN and Infinity, which Python's parser would accept as JSON."""
    raise ValueError(f"{name} is not a JSON number")

"""steps: the model calls its tools in the right order, as often as it should, and no forbidden one.

What: sees all calls of an attempt whose tools have results ('tool results'), else those of the one answer. In 'order',
    other calls may be between; the calls of one step are in the order in which the model wrote them. A call with
    arguments is one that has these, others are free; a name alone is a call with any.
When: how the model gets to its answer matters: look up before refunding, no call twice, never delete.
Options: a list of calls, each a name or `name` with `arguments`, in order. Or: `order` the same; `never` calls that
    must not be made; `count` how often each tool is called, a number or a comparison such as `at most: 2`; `steps` how
    often the model is called, likewise.
Example:
    checks: [{steps: {order: [find_order, refund], never: [delete_order], count: {refund: 1}, steps: {at most: 4}}}]
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from promptbench.checks import _normal, _options
from promptbench.checks._scores import first_of, mismatch, quoted, verdict
from promptbench.checks.function_call import ExpectedCall, FunctionCall, calls_of, expected_call
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject

_FREE = FunctionCall((), ordered=False, extra=True, normal=_normal.normal(None))
_KNOWN = ("order", "never", "count", "steps")


@dataclass(frozen=True, slots=True)
class Steps:
    order: tuple[ExpectedCall, ...]
    never: tuple[ExpectedCall, ...]
    counts: Mapping[str, _options.Bounds]
    total: _options.Bounds | None

    def score(self, subject: Subject) -> Score:
        # The format of an answer that calls nothing is not at fault.
        calls, _ = calls_of(replace(subject, report_reading=None))
        names = [call.name for call in calls]
        problems: list[str | None] = []
        rest = iter(calls)
        for number, wanted in enumerate(self.order):
            if all(_FREE.difference(wanted, call) for call in rest):
                after = f" after {self.order[number - 1].name}" if number else ""
                problems.append(mismatch("calls", f"{_shown(wanted)}{after}", first_of(names) or "none"))
                break
        problems += [
            f"{call.name} must not be called{' with these arguments' if bad.arguments else ''}"
            for bad in self.never
            for call in calls
            if not _FREE.difference(bad, call)
        ][:1]
        for name, bounds in self.counts.items():
            found = names.count(name)
            problems.append(None if bounds.include(found) else mismatch(f"calls of {name}", bounds.words, str(found)))
        steps = subject.call.steps if subject.call else 1
        if self.total and not self.total.include(steps):
            problems.append(mismatch("steps", self.total.words, str(steps)))
        return verdict("steps", *problems)


def _shown(call: ExpectedCall) -> str:
    given = ", ".join(f"{name}={quoted(value)}" for name, [value, *_] in call.arguments.items())
    return f"{call.name}({given})" if given else call.name


def build(argument: Json, context: CheckContext) -> Check:
    given = _options.options(argument, _KNOWN) if isinstance(argument, dict) else {"order": argument}
    counts = given.get("count", {})
    if not isinstance(counts, dict) or not given:
        raise ValueError("'count' must be 'tool: number' lines" if given else f"give {', '.join(_KNOWN)}")
    return Steps(
        _calls(given.get("order", [])),
        _calls(given.get("never", [])),
        {str(name): _bounds(value) for name, value in counts.items()},
        _bounds(given["steps"]) if "steps" in given else None,
    )


def _calls(written: Json) -> tuple[ExpectedCall, ...]:
    listed = written if isinstance(written, list) else [written]
    return tuple(expected_call({"name": item} if isinstance(item, str) else item) for item in listed)


def _bounds(written: Json) -> _options.Bounds:
    return _options.bounds(_options.value_or_options(written, "exactly", _options.COMPARISONS))


_CALLS: Json = {"type": ["array", "string", "object"]}
_COUNT: Json = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "object", "properties": dict(_options.BOUNDS)}]}
SPEC = CheckSpec(
    doc=__doc__,
    build=build,
    argument_schema=_options.schema(
        {"type": "array"},
        order=_CALLS,
        never=_CALLS,
        count={"type": "object"},
        steps=_COUNT,
    ),
)

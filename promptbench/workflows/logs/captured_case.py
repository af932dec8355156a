"""Turn a logged failure into a case of a suite, if its checks fail on the logged answer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptbench.core.diagnostics import Code, Diagnostic, Diagnostics
from promptbench.core.types import Json, LoggedCall, Rung
from promptbench.engine.prepare.cases import CaseBuilder
from promptbench.engine.prepare.inputs import CallInput, conversation_of, input_of
from promptbench.engine.prepare.options import PrepareOptions
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.parsing.json_text import read as read_json
from promptbench.prompts.prompt import Prompt
from promptbench.suite.cases import read_case
from promptbench.suite.models import Case, Suite, Where
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source
from promptbench.yaml.text import mapping_lines

TAG = "captured"
_READABLE_ID = re.compile(r"(?=.*[A-Za-z])(?!.*[0-9a-fA-F-]{12})[\w.:#/-]{1,40}\Z")
_MOST_WORDS, _LONGEST_NAME = 6, 40
_LONGEST_LABEL = 80  # A longer example answer is prose, which no answer repeats exactly.


@dataclass(frozen=True, slots=True)
class SelectedCall:
    """A logged call to capture, and the log it is from."""

    call: LoggedCall
    source: str


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What the user says about the calls: the right answer, an example answer, checks as in a suite.

    `expect` and `should_be` hold at most one value. They are tuples because null may be the right answer.
    """

    expect: tuple[Json, ...] = ()
    should_be: tuple[Json, ...] = ()
    checks: tuple[Json, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Captured:
    """A new case: its data as in YAML, the reasons why the answer fails, and what was added to it, in words."""

    id: str
    name: str
    data: Mapping[str, Json]
    red_by: tuple[str, ...]
    proposed: str = ""


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call that cannot become a case, the reason, and what to do."""

    id: str
    reason: str
    hint: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class ExistingCase:
    """A call that is already a case."""

    id: str
    case: str


@dataclass(frozen=True)
class Capture:
    """Captures calls into one suite. `templates` are the prompts that may have rendered the calls' messages."""

    suite: Suite
    prompts: Sequence[Variant]
    templates: Sequence[Prompt]
    options: PrepareOptions
    _names: set[str] = field(default_factory=set)
    _origins: dict[tuple[str, str], str] = field(default_factory=dict)
    _inputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for case in self.suite.cases.scan(Diagnostics()):
            self._names.add(case.name)
            self._inputs[CallInput(case.variables, case.messages).hash] = case.name
            origin = case.where.value.get("origin")
            if isinstance(origin, Mapping):
                self._origins[str(origin.get("source")), str(origin.get("id"))] = case.name

    def add(self, chosen: SelectedCall, wanted: CaptureOptions) -> Captured | RefusedCall | ExistingCase:
        """Return the case of a call. It is remembered, so that no name or input is used twice."""
        call = chosen.call
        known = self._origins.get((chosen.source, call.id))
        if known is not None:
            return ExistingCase(call.id, known)
        if call.answer is None:
            why = f"it has no answer ({call.error})" if call.error else "it has no answer"
            return RefusedCall(call.id, why, "a call without an answer shows nothing about the prompt")
        given = input_of(call, self.templates, [item.prompt for item in self.prompts])
        if isinstance(given, str):
            return RefusedCall(call.id, given, "add 'vars' to the log, or adopt the prompt that rendered it")
        same = self._inputs.get(given.hash)
        if same is not None:
            why = f"the case '{same}' already has the same input"
            return RefusedCall(call.id, why, "write the logged answer there, under 'was:'")
        found = self._build_red(chosen, call.answer, given, wanted)
        if isinstance(found, Captured):
            self._names.add(found.name)
            self._origins[chosen.source, call.id] = found.name
            self._inputs[given.hash] = found.name
        return found

    def _build_red(
        self, chosen: SelectedCall, answer: str, given: CallInput, wanted: CaptureOptions
    ) -> Captured | RefusedCall:
        """Return the first proposal whose checks fail on the answer."""
        name = _name(chosen.call, given, self._names)
        refused = RefusedCall(chosen.call.id, "")
        for extra, words in self._proposals(chosen.call, answer, wanted):
            data = _data(name, chosen, answer, given, extra, wanted)
            try:
                tried = self._try(chosen.call, data, answer)
            except ValueError as error:
                return RefusedCall(chosen.call.id, str(error))
            if isinstance(tried, tuple):
                return Captured(chosen.call.id, name, data, tried, words)
            refused = tried
            if refused.diagnostics:
                break
        return refused

    def _proposals(
        self, call: LoggedCall, answer: str, wanted: CaptureOptions
    ) -> Iterator[tuple[dict[str, Json], str]]:
        """Yield fields that may make the case fail on the answer, each with a description, the most natural first."""
        checks = list(wanted.checks)
        given: dict[str, Json] = {"expect": wanted.expect[0]} if wanted.expect else {}
        given |= {"checks": checks} if checks else {}
        if wanted.expect:
            yield given, ""
            return
        if wanted.should_be:
            wish = wanted.should_be[0]
            if isinstance(wish, (dict, list)):
                yield given | {"expect": wish}, "'expect' from what it should be"
                return
            yield given, ""
            if not isinstance(wish, str) or (len(wish) <= _LONGEST_LABEL and "\n" not in wish):
                yield given | {"expect": wish}, "'expect' from what it should be"
            return
        gold = _as_data(call.expected)
        if gold is not None:
            yield given | {"expect": gold}, "'expect' from the log's own right answer"
        yield given, ""
        if any(item.prompt.output_schema for item in self.prompts):
            schema = {"json schema": "output"}
            yield given | {"checks": [*checks, schema]}, "'json schema: output', which the suite lacks"
        elif _broken_json(answer, self.suite.accept):
            yield given | {"checks": [*checks, "json"]}, "'json', which the suite lacks"

    def _try(self, call: LoggedCall, data: Mapping[str, Json], answer: str) -> tuple[str, ...] | RefusedCall:
        """Return the reasons why the answer fails, or why the call is refused."""
        found = Diagnostics()
        case = _as_case(data, found)
        builder = CaseBuilder(self.suite, self.prompts, found, self.options)
        built = builder.build(case) if case else None
        codes = {item.code for item in found}
        if Code.NO_CHECKS in codes:
            why = "it would be vacuous: neither it nor the suite has checks, so no answer can fail it"
            return RefusedCall(call.id, why, _HINT)
        if Code.NOT_RED in codes:
            only = f"; the log says only '{call.failed[:_LONGEST_LABEL]}'" if call.failed else ""
            return RefusedCall(call.id, f"its answer passes all its checks{only}", _HINT)
        if Code.UNPROVEN in codes:
            return RefusedCall(
                call.id, "only a judge decides whether its answer fails, and capture calls no judge", _HINT
            )
        if found.errors or built is None:
            first = found.errors[0]
            return RefusedCall(call.id, first.message, first.hint or "", tuple(found.errors))
        scores = builder.evaluation(answer, built).scores
        return tuple(f"{score.check}: {score.reason}" for score in scores if not (score.passed or score.errored))


_HINT = "describe what is wrong with it: --expect 'YAML', --should-be TEXT or --check 'YAML'"


def _as_case(data: Mapping[str, Json], found: Diagnostics) -> Case | None:
    """Return the case as it will be read from the file. Raise ValueError if YAML cannot hold it."""
    document = parse(Source("the new case", "\n".join(mapping_lines(data, 0)) + "\n"), found)
    return read_case(document.value, Where(document), found) if document else None


def _data(
    name: str, chosen: SelectedCall, answer: str, given: CallInput, extra: Mapping[str, Json], wanted: CaptureOptions
) -> dict[str, Json]:
    call = chosen.call
    origin = {"source": chosen.source, "id": call.id, "time": call.time, "model": call.model}
    data: dict[str, Json] = {"case": name}
    if given.variables:
        data["vars"] = dict(given.variables)
    if given.history:
        data["messages"] = [message.as_dict() for message in given.history]
    data["was"] = answer
    if wanted.should_be:
        data["should be"] = wanted.should_be[0]
    data |= extra
    if cluster := conversation_of(call):
        data["cluster"] = cluster
    data["tags"] = list(dict.fromkeys((TAG, *wanted.tags)))
    data["origin"] = {key: value for key, value in origin.items() if value}
    return data


def _as_data(expected: Json) -> Json:
    """Return the log's right answer. A text that is a JSON document is parsed."""
    if not isinstance(expected, str):
        return expected
    reading = read_json(expected)
    return reading.value if reading.rung is Rung.RAW and isinstance(reading.value, (dict, list)) else expected


def _broken_json(answer: str, accept: Rung) -> bool:
    return "{" in answer and not read_json(answer).rung.within(accept)


def _name(call: LoggedCall, given: CallInput, taken: set[str]) -> str:
    """Return an unused name: the call's id if it is readable, else the first words of the input."""
    wanted = call.id
    if not _READABLE_ID.match(wanted):
        texts = [value for value in given.variables.values() if isinstance(value, str)]
        texts += [message.content for message in given.history if message.role == "user"]
        words = re.findall(r"[\w'-]+", max(texts, key=len, default=""))[:_MOST_WORDS]
        wanted = " ".join(words)[:_LONGEST_NAME].strip() or wanted
    names = (wanted if count == 1 else f"{wanted} ({count})" for count in itertools.count(1))
    return next(name for name in names if name not in taken)

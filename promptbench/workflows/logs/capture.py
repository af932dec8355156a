"""Capture logged failures as cases of a suite. A call becomes a case only if its checks fail on the logged answer."""

import itertools
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.core.canonical import digest_text
from promptbench.core.errors import Code, ConflictError, Diagnostics, InputError
from promptbench.core.files import recorded_names
from promptbench.core.types import Json, LoggedCall, Rung, StoredCall
from promptbench.engine.prepare.inputs import CallInput, conversation_of, expectations_in_log, input_of
from promptbench.parsing.json_text import read as read_json
from promptbench.project import Project, input_error
from promptbench.prompts.chain import parse_version
from promptbench.prompts.prompt import Prompt
from promptbench.store.prompts import Store
from promptbench.suite.cases import read_checks
from promptbench.suite.editor import Change, edit_cases
from promptbench.suite.models import Where
from promptbench.workflows.logs.valid_suite import ValidSuite, open_valid_suite, unified_diff
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source

TAG = "captured"
_READABLE_ID = re.compile(r"(?=.*[A-Za-z])(?!.*[0-9a-fA-F-]{12})[\w.:#/-]{1,40}\Z")
_LONGEST_NAME = 40
# A longer text describes the right answer, and no answer repeats it word for word.
_LONGEST_LABEL = 80
_HINT = "describe what is wrong with it: --expect 'YAML', --should-be TEXT or --check 'YAML'"
_NOT_RED = {
    Code.NO_CHECKS: "it would be vacuous: neither it nor the suite has checks, so no answer can fail it",
    Code.NOT_RED: "its answer passes all its checks",
    Code.UNPROVEN: "only a judge can decide if its answer fails, and capture calls no model",
}


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What the user knows about the calls: the right answer, an ideal answer, and checks as in a suite.

    `expect` and `should_be` are tuples of one value, because null may be the right answer.
    """

    expect: tuple[Json, ...] = ()
    should_be: tuple[Json, ...] = ()
    checks: tuple[Json, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Captured:
    """A new case: its data as in YAML, why the logged answer fails it, and in words what was added to make it fail.

    `changed` is True for a case of the suite that got the answer as its `was:`.
    """

    id: str
    name: str
    data: Mapping[str, Json]
    red_by: tuple[str, ...]
    proposed: str = ""
    changed: bool = False


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call that cannot become a case, the reason, and what to do."""

    id: str
    reason: str
    hint: str = ""


@dataclass
class CaptureReport:
    """The result of a capture. `known` is call id to case, for calls that are cases already.

    `added` is the diff of the suite file; `written` is True if the file was changed. `base` is the hash of what it was.
    """

    path: str
    captured: list[Captured] = field(default_factory=list)
    refused: list[RefusedCall] = field(default_factory=list)
    known: list[tuple[str, str]] = field(default_factory=list)
    added: str = ""
    written: bool = False
    base: str = ""

    def as_dict(self) -> dict[str, Json]:
        return {
            "schema_version": 1,
            "path": self.path,
            "written": self.written,
            "captured": [
                {"id": item.id, "case": item.name, "red_by": list(item.red_by), "proposed": item.proposed or None}
                for item in self.captured
            ],
            "refused": [{"id": item.id, "reason": item.reason, "hint": item.hint or None} for item in self.refused],
            "already_there": [{"id": name, "case": case} for name, case in self.known],
            "diff": self.added,
        }


def capture(
    project: Project,
    path: Path,
    calls: Sequence[StoredCall],
    options: CaptureOptions,
    *,
    dry_run: bool = False,
    base: str = "",
) -> CaptureReport:
    """Add a case for each call whose answer fails its checks, and write the suite file.

    A failing answer of a run to a case of this very suite becomes the `was:` of that case.

    Raise InputError if the suite has errors, or if its layout does not allow adding a case; ConflictError if its file
    has changed since `base`.
    """
    if len(calls) > 1 and (options.expect or options.should_be):
        raise InputError("--expect and --should-be need exactly one call", hint="name one id")
    with open_valid_suite(project, path) as target:
        report = CaptureReport(target.shown)
        capturer = _Capturer(target, options, report)
        for call in calls:
            capturer.add(call)
        if report.captured:
            before = target.file.read_bytes()
            report.base = digest_text(before.decode("utf-8", "replace"))
            if base not in ("", report.base):
                raise ConflictError(f"{target.shown} has changed since the preview", hint="look at the new preview")
            after = edit_cases(before, target.shown, capturer.changes, capturer.added)
            report.added = unified_diff(target.shown, before, after)
            if not dry_run:
                target.write(after)
                report.written = True
    return report


def _load_versions(store: Store, name: str) -> Iterator[Prompt]:
    # The logged calls may have used any stored version, most likely the latest.
    for version in reversed(store.versions(name)) if name in store.prompts() else ():
        prompt = parse_version(Source(f"{name}.prompt", version.source), Diagnostics())
        if prompt is not None:
            yield prompt


class _Capturer:
    """Captures calls into one suite."""

    def __init__(self, target: ValidSuite, options: CaptureOptions, report: CaptureReport) -> None:
        self._target = target
        # The prompts that may have rendered the messages of a call, the most likely first.
        versions = _load_versions(target.store, target.prompts[0].prompt.name)
        self._templates = [*(item.prompt for item in target.prompts[::-1]), *versions]
        self._options = options
        self._report = report
        # Case names, by origin and by input. New cases are added, so that no name is used twice.
        self._names: set[str] = set()
        self._origins: dict[tuple[str, str], str] = {}
        self._inputs: dict[str, str] = {}
        # The logged answer of each case, and the position of those of the suite file itself.
        self._was: dict[str, str | None] = {}
        self._positions: dict[str, tuple[int, Mapping[str, Json]]] = {}
        self.changes: dict[int, Change] = {}
        self.added: list[Change] = []
        for case in target.suite.cases.scan(Diagnostics()):
            self._names.add(case.name)
            if not case.turns:
                self._inputs[CallInput(case.variables, case.messages).hash] = case.name
            self._was[case.name] = case.was
            if case.where.document is target.suite.document:
                self._positions[case.name] = int(case.where.path[1]), case.where.value
            origin = case.where.value.get("origin")
            if isinstance(origin, Mapping):
                self._origins[str(origin.get("source")), str(origin.get("id"))] = case.name

    def add(self, kept: StoredCall) -> None:
        """Add the result for one call to the report."""
        call, origin = kept.call, (kept.source, kept.call.id)
        if origin in self._origins:
            self._report.known.append((call.id, self._origins[origin]))
            return
        result = self._capture(kept)
        if result is None:
            self._report.known.append((call.id, str(call.extra["case"])))
            return
        if isinstance(result, RefusedCall):
            self._report.refused.append(result)
            return
        self._report.captured.append(result)
        if result.changed:
            self._was[result.name] = call.answer
            self.changes[self._positions[result.name][0]] = Change(result.data)
            return
        self.added.append(Change(result.data))
        self._names.add(result.name)
        self._origins[origin] = result.name

    def _capture(self, kept: StoredCall) -> Captured | RefusedCall | None:
        """Return the result for one call; None if its answer is already the `was:` of its case."""
        call = kept.call
        if call.answer is None:
            reason = f"it has no answer ({call.error})" if call.error else "it has no answer"
            return RefusedCall(call.id, reason, "a call without an answer says nothing about the prompt")
        candidates, defaults = [item.prompt for item in self._target.prompts], self._target.suite.common.variables
        given = input_of(call, self._templates, candidates, defaults)
        if isinstance(given, str):
            return RefusedCall(call.id, given, "add 'vars' to the log, or adopt the prompt that made it")
        input_hash = given.hash
        if input_hash in self._inputs:
            name = self._inputs[input_hash]
            was, is_own = self._was.get(name), call.failed and call.extra.get("case") == name
            if is_own and was == call.answer:
                return None
            if is_own and was is None and name in self._positions:
                data = {**self._positions[name][1], "was": call.answer}
                return Captured(call.id, name, data, (str(call.failed),), "its answer as 'was'", changed=True)
            reason = f"the case '{self._inputs[input_hash]}' already has the same input"
            return RefusedCall(call.id, reason, "write the logged answer there, under 'was:'")
        name = _name(call, given, self._names)
        for extra, words in self._proposals(call, call.answer):
            data = self._data(name, kept, given, extra)
            found = Diagnostics()
            try:
                red_by = self._red_by(data, call.answer, found)
            except ValueError as error:
                return RefusedCall(call.id, str(error))
            if red_by is not None:
                self._inputs[input_hash] = name
                return Captured(call.id, name, data, red_by, words)
            codes = {item.code for item in found}
            reason = next((text for code, text in _NOT_RED.items() if code in codes), "")
            if not reason:
                first = found.errors[0]
                return RefusedCall(call.id, first.message, first.hint or "")
        if call.failed and Code.NOT_RED in codes:
            reason += f"; the log says only '{call.failed[:_LONGEST_LABEL]}'"
        return RefusedCall(call.id, reason, _HINT)

    def _proposals(self, call: LoggedCall, answer: str) -> Iterator[tuple[dict[str, Json], str]]:
        """Yield what may make the case fail, the most natural first, each with a description for the user."""
        options = self._options
        expected, logged = expectations_in_log(call)
        checks = [*options.checks, *logged]
        given: dict[str, Json] = {"checks": checks} if checks else {}
        threshold = call.extra.get("threshold")
        if (expected or logged) and isinstance(threshold, int | float):
            given["threshold"] = threshold
        if options.expect:
            yield {"expect": options.expect[0], **given}, ""
            return
        if options.should_be:
            ideal = options.should_be[0]
            if not isinstance(ideal, (dict, list)):
                yield given, ""
            if not isinstance(ideal, str) or (len(ideal) <= _LONGEST_LABEL and "\n" not in ideal):
                yield given | {"expect": ideal}, "'expect' from what it should be"
            return
        if call.expected is not None:
            yield given | {"expect": _parse_document(call.expected)}, "'expect' from the log's own right answer"
        yield given, ""
        if any(item.prompt.output_schema for item in self._target.prompts):
            yield (
                given | {"checks": [*checks, {"json schema": "output"}]},
                "'json schema: output', which the suite lacks",
            )
        elif "{" in answer and not read_json(answer).rung.within(self._target.suite.accept):
            yield given | {"checks": [*checks, "json"]}, "'json', which the suite lacks"

    def _data(self, name: str, kept: StoredCall, given: CallInput, extra: Mapping[str, Json]) -> dict[str, Json]:
        # In reading order.
        call, options = kept.call, self._options
        named = {key: recorded_names(value) for key, value in given.variables.items()}
        # A value that every case has by default is not written again.
        default = self._target.suite.common.variables.items()
        values = {
            key: value for key, value in given.variables.items() if named[key] is None and (key, value) not in default
        }
        files = {key: names for key, names in named.items() if names is not None}
        origin = {"source": kept.source, "id": call.id, "time": call.time, "model": call.model}
        return {
            "case": name,
            **({"vars": values} if values else {}),
            **({"files": files} if files else {}),
            **({"messages": [message.as_dict() for message in given.history]} if given.history else {}),
            "was": call.answer,
            **({"should be": options.should_be[0]} if options.should_be else {}),
            **extra,
            **({"cluster": cluster} if (cluster := conversation_of(call)) else {}),
            "tags": list(dict.fromkeys((TAG, *call.tags, *options.tags))),
            "origin": {key: value for key, value in origin.items() if value},
        }

    def _red_by(self, data: Mapping[str, Json], answer: str, found: Diagnostics) -> tuple[str, ...] | None:
        """Return why the answer fails, or None with the reason in `found`. Raise ValueError if YAML cannot hold it."""
        builder, built = self._target.build(data, found)
        if built is None or found.errors or any(item.code in _NOT_RED for item in found):
            return None
        scores = builder.evaluation(answer, built).scores
        return tuple(f"{score.check}: {score.reason}" for score in scores if not (score.passed or score.errored))


def _parse_document(value: Json) -> Json:
    reading = read_json(value) if isinstance(value, str) else None
    return reading.value if reading and reading.rung is Rung.RAW and isinstance(reading.value, (dict, list)) else value


def _name(call: LoggedCall, given: CallInput, taken: set[str]) -> str:
    # promptbench's own log has the name of the case, and another id that people can read helps to find the call.
    if isinstance(case := call.extra.get("case"), str) and call.format == "promptbench_log":
        return free_name(case, taken)
    if _READABLE_ID.match(call.id):
        return free_name(call.id, taken)
    texts = [value for value in given.variables.values() if isinstance(value, str)]
    texts += [message.content for message in given.history if message.role == "user"]
    return free_name(first_words(texts, 6) or call.id, taken)


def first_words(texts: Iterable[str], count: int) -> str:
    """Return the first words of the longest text, for a name."""
    words = re.findall(r"[\w'-]+", max(texts, key=len, default=""))[:count]
    return " ".join(words)[:_LONGEST_NAME].strip()


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name, with a number behind it if it is taken."""
    names = (name if count == 1 else f"{name} ({count})" for count in itertools.count(1))
    return next(free for free in names if free not in taken)


def read_capture_options(
    *, should_be: str | None, expect: str | None, checks: Sequence[str], tags: Sequence[str]
) -> CaptureOptions:
    """Return the options of the command line, with their YAML parsed. Raise InputError with every error."""
    found = Diagnostics()
    expected = parse(Source("--expect", expect), found) if expect is not None else None
    written: list[Json] = []
    for item in checks:
        document = parse(Source("--check", item), found)
        if document and read_checks(document.value, Where(document), found):
            written += document.value if isinstance(document.value, list) else [document.value]
    if found.errors:
        raise input_error(found)
    return CaptureOptions(
        (expected.value,) if expected else (),
        () if should_be is None else (_parse_document(should_be),),
        tuple(written),
        tuple(tags),
    )

"""What holds for every reader: one of them recognises a file, and nothing that a file holds makes one raise."""

from __future__ import annotations

import gzip
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from promptbench.core.types import BadRecord, LoggedCall
from promptbench.ingest import detect_format, load_format, plugins
from promptbench.ingest.files.log_file import LogFile
from promptbench.plugins import LogFormatSpec
from tests.helpers.log_formats import COMPLETION, FILES, RECORDS
from tests.helpers.logs import calls, log

READERS = [name for name in plugins.names() if name != "llm_logs"]
"""Those that read text; a database has a test of its own."""


def specificity(name: str) -> int:
    return load_format(name).specificity


@pytest.mark.parametrize("name", FILES)
def test_one_reader_recognises_a_file(name: str) -> None:
    file = log(FILES[name], name)
    matching = [each for each in plugins.names() if load_format(each).matches(file)]
    best = max(map(specificity, matching))
    assert [each for each in matching if specificity(each) == best] == [Path(name).stem]


@pytest.mark.parametrize("name", FILES)
def test_each_file_has_one_failed_call(name: str) -> None:
    (call,) = calls(log(FILES[name], name))
    assert call.id
    assert call.format == Path(name).stem
    assert call.failed
    assert call.tier is not None
    assert (call.answer is None) == (call.error is not None)
    assert call.raw


@pytest.mark.parametrize("name", FILES)
def test_a_compressed_file_is_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(FILES[name]))
    assert calls(LogFile.from_path(path)) == calls(log(FILES[name], name))


@pytest.mark.parametrize("name", sorted(RECORDS))
@pytest.mark.parametrize("other", ["{", "[]", "7", '"text"', "{}", '{"a": {"b": [1]}}', "\x00\x01"])
def test_a_file_that_changes_shape_is_read_on(name: str, other: str) -> None:
    line = json.dumps(RECORDS[name])
    found = list(load_format(name).read(log("\n".join([line, other, line]))))
    assert [type(item) for item in found] == [LoggedCall, BadRecord, LoggedCall]
    bad = found[1]
    assert isinstance(bad, BadRecord)
    assert bad.place == "line 2"
    assert bad.reason
    assert found[0] == found[2] or found[0].id != found[2].id  # type: ignore[union-attr]


@pytest.mark.parametrize("name", plugins.names())
def test_the_docstring_says_what_is_read(name: str) -> None:
    said = plugins.load(name).__doc__ or ""
    assert len(said) > 80
    assert said.rstrip().endswith(".")


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [
            "",
            " ",
            "x",
            "assistant",
            "tool",
            "GENERATION",
            "ERROR",
            "llm",
            "failure",
            "429",
            "-1",
            "1e400",
            "nan",
            "[]",
            "{",
        ]
    )
    | st.sampled_from(['{"role": "user", "content": "x"}', '[{"role": 1}]', "2026-11-01T00:00:00Z", "9999-99-99"])
)


def keys_of(value: Any) -> set[str]:
    """All keys of all objects in a value."""
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys_of(item)}
    return {key for item in value for key in keys_of(item)} if isinstance(value, list) else set()


MORE_KEYS = {
    "error", "usage", "tool_calls", "function", "arguments", "name", "kwargs", "lc", "data", "generations",
    "llm_output", "token_usage", "events", "traceTags", "usageDetails", "latency", "error_information", "metadata",
    "output", "score", "status", "latency_ms", "messages", "assert", "parts", "content_parts", "tools", "prompts",
    "feedback_stats", "refusal", "type", "text",
}  # fmt: skip
KEYS = sorted(keys_of(list(RECORDS.values())) | keys_of(COMPLETION) | MORE_KEYS)
ODD = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def mutated(value: Any, draw: Any) -> Any:
    """A value with some of what is in it replaced by odd things."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ODD)
    if isinstance(value, dict):
        return {key: mutated(item, draw) for key, item in value.items() if draw(st.integers(0, 14))}
    return [mutated(item, draw) for item in value] if isinstance(value, list) else value


@st.composite
def odd_records(draw: Any, name: str) -> list[Any]:
    record = RECORDS[name]
    return [mutated(record, draw), {**record, **draw(st.dictionaries(st.sampled_from(KEYS), ODD, max_size=4))}]


def assert_sound(found: list[LoggedCall | BadRecord]) -> None:
    for item in found:
        if isinstance(item, BadRecord):
            assert item.place
            assert item.reason
            continue
        assert isinstance(item.answer, str | None)
        assert (item.failed is None) == (item.tier is None)
        for written in (item.id, item.model, *item.tags, *(message.content for message in item.messages)):
            assert isinstance(written, str)
        if item.usage:
            assert min(item.usage.input_tokens, item.usage.output_tokens) >= 0
        json.dumps(
            [item.raw, dict(item.extra), item.variables, item.expected, item.cost, item.latency_ms], allow_nan=False
        )


@pytest.mark.parametrize("name", sorted(RECORDS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_odd_records_are_read_or_named(name: str, data: st.DataObject) -> None:
    records = data.draw(odd_records(name))
    file = log("".join(json.dumps(record) + "\n" for record in records))
    detect_format(file)
    found = list(load_format(name).read(file))
    assert_sound(found)


@pytest.mark.parametrize("name", sorted(FILES))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_damaged_files_are_read_or_named(name: str, data: st.DataObject) -> None:
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        file = log(bytes(content[: cut if data.draw(st.booleans()) else len(content)]), name)
        detect_format(file)
        assert_sound(list(load_format(Path(name).stem).read(file)))
    except ValueError as error:
        assert str(error)  # noqa: PT017 - a file that gives no more says why


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_at_all_is_read_or_named(name: str, content: bytes) -> None:
    try:
        file = log(content)
        detect_format(file)
        assert_sound(list(load_format(name).read(file)))
    except ValueError as error:
        assert str(error)  # noqa: PT017 - as above


def test_the_most_specific_format_is_tried_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sure.py").write_text(
        "from promptbench.plugins import LogFormatSpec, LoggedCall\n"
        "def read(file): return iter([LoggedCall('1', 'a')])\n"
        "SPEC = LogFormatSpec(matches=lambda file: True, read=read, specificity=200)\n"
    )
    package = importlib.import_module("promptbench.ingest")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    package._by_specificity.cache_clear()
    try:
        file = log(FILES["generic.csv"], "generic.csv")
        assert detect_format(file) == "sure"
        assert [call.id for call in calls(file)] == ["1"]
    finally:
        sys.modules.pop("promptbench.ingest.sure", None)
        package._by_specificity.cache_clear()


@pytest.mark.parametrize("name", plugins.names())
def test_a_format_declares_its_hooks(name: str) -> None:
    spec = load_format(name)
    assert isinstance(spec, LogFormatSpec)
    assert -100 <= spec.specificity <= 100

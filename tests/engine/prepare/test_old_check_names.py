"""A check under an old name is built, and a warning says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Code, Diagnostics
from promptbench.core.protocols import CheckContext
from promptbench.engine.prepare.checks import as_hashed, build
from promptbench.suite.models import Where, WrittenCheck
from promptbench.yaml.marked import parse
from promptbench.yaml.source import Source


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("one of: [a, b]", "write {expect: {any of: [a, b]}}"),
        ("equals: {a: 1}", "write {expect: {is: {a: 1}, fields: all}}"),
        ("exact match: Paris", "write {expect: {any of: [Paris], ignore: squad}}"),
        ("not: {fields: {a.b: 1}}", "write {expect: {is: {a.b: 1}, fields: paths}}"),
    ],
)
def test_the_warning_says_what_to_write(written: str, hint: str) -> None:
    found = Diagnostics()
    document = parse(Source("suite.yaml", written), found)
    assert document is not None
    spec = WrittenCheck.of(document.value, Where(document))
    assert build(spec, CheckContext(Path()), found) is not None
    [warning] = found.warnings
    assert not found.errors
    assert (warning.code, warning.hint, warning.location.line) == (Code.DEPRECATED_CHECK, hint, 1)
    # The name as written is what is hashed, so the hash of the suite's plan stays.
    assert as_hashed([spec], CheckContext(Path())) == [[spec.name, spec.argument, None, 1.0, None]]

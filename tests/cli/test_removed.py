"""Commands and options that are gone: the error names what replaces them."""

from __future__ import annotations

import pytest

from promptbench.cli.app import REMOVED, run


@pytest.mark.parametrize("words", REMOVED)
def test_the_error_names_what_replaces_it(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words.split(), "x"]) == 2
    assert capsys.readouterr().err == f"error: `promptbench {words}` was removed\nhint: {REMOVED[words]}\n"

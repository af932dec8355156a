"""Commands of 0.1 run under their old names, with a warning."""

from __future__ import annotations

import pytest

from promptbench.cli.app import RENAMED, run


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_runs_the_command_and_warns(old: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*RENAMED[old].split(), "--help"]) == 0
    new = capsys.readouterr()
    assert run([old, "--help"]) == 0
    assert capsys.readouterr() == (new.out, f"warning: `promptbench {old}` is now `promptbench {RENAMED[old]}`\n")

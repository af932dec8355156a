"""The lists of commands are read at 80 columns."""

from __future__ import annotations

import pytest
import typer

from promptbench.cli.app import app, run


@pytest.mark.parametrize("group", ["", "new", "prompts", "repairs", "runs", "sheet", "store"])
def test_each_commands_sentence_is_whole(
    group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*group.split(), "--help"]) == 0
    _, _, commands = capsys.readouterr().out.partition("Commands:\n")
    assert commands
    assert not [line for line in commands.splitlines() if line.endswith("...")]


def test_every_command_says_what_it_does() -> None:
    commands = getattr(typer.main.get_command(app), "commands", {})
    assert len(commands) > 25
    assert not [name for name, command in commands.items() if not (command.help or "").strip()]

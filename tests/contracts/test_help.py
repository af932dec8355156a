"""The lists of commands are read at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from promptbench.cli.app import command_tree, run


def below(command: Any) -> Iterator[Any]:
    for child in getattr(command, "commands", {}).values():
        yield child
        yield from below(child)


@pytest.mark.parametrize("group", ["", "new", "prompts", "repairs", "sheet", "store", "suite"])
def test_each_commands_sentence_is_whole(
    group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*group.split(), "--help"]) == 0
    _, _, commands = capsys.readouterr().out.partition("Commands:\n" if group else "Start:\n")
    assert commands
    assert not [line for line in commands.splitlines() if line.endswith("...")]


def test_every_command_says_what_it_does() -> None:
    commands = list(below(command_tree()))
    assert len(commands) > 40
    assert not [command.name for command in commands if not (command.help or "").strip()]

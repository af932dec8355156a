from __future__ import annotations

import itertools

import pytest

from promptbench.core.errors import (
    Code,
    ConflictError,
    Diagnostic,
    EnvironmentFailure,
    Exit,
    InputError,
    Interrupted,
    Location,
    NothingSelected,
    PromptbenchError,
    combine,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (PromptbenchError, 3),
        (InputError, 2),
        (EnvironmentFailure, 4),
        (ConflictError, 5),
        (NothingSelected, 7),
        (Interrupted, 130),
    ],
)
def test_every_error_has_its_exit_code(kind: type[PromptbenchError], code: int) -> None:
    error = kind("it does not work", hint="try again")
    assert (error.exit, str(error), error.message, error.hint) == (code, "it does not work", "it does not work", "try again")  # fmt: skip  # noqa: E501


def test_an_input_error_carries_diagnostics() -> None:
    item = Diagnostic(Code.EMPTY_FILE, "the file is empty", Location("suite.yaml"))
    assert InputError("wrong", diagnostics=[item]).diagnostics == (item,)
    assert InputError("wrong").diagnostics == ()


_ORDER = [Exit.INTERRUPTED, Exit.BUG, Exit.INPUT, Exit.ENVIRONMENT, Exit.CONFLICT, Exit.NO, Exit.INCONCLUSIVE, Exit.NOTHING, Exit.YES]  # fmt: skip  # noqa: E501


def test_the_first_of_several_codes() -> None:
    assert combine([]) is Exit.YES
    assert sorted(_ORDER) == sorted(Exit)
    for first, second in itertools.combinations(_ORDER, 2):
        assert combine([second, first]) is combine(iter([first, second, second])) is first

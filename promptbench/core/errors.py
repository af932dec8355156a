"""Every error that promptbench raises on purpose, and the exit code that each one means.

    PromptbenchError
      ├─ InputError         2   something the user wrote; carries diagnostics
      ├─ EnvironmentFailure 4   a provider, a disk, a missing package: no verdict about the prompt
      ├─ ConflictError      5   stale evidence, or a store that two people moved
      ├─ NothingSelected    7   filters left nothing to do
      └─ Interrupted        130   the user pressed ^C; what is on record can be resumed

Anything else that reaches the top is our bug (exit 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

# An application that only reads a prompt meets errors, and no diagnostics.
if TYPE_CHECKING:
    from promptbench.core.diagnostics import Diagnostic


class Exit(IntEnum):
    """Exit codes of the command line."""

    YES = 0
    NO = 1
    INPUT = 2
    BUG = 3
    ENVIRONMENT = 4
    CONFLICT = 5
    INCONCLUSIVE = 6
    NOTHING = 7
    INTERRUPTED = 130


_PRECEDENCE = (
    Exit.INTERRUPTED,
    Exit.BUG,
    Exit.INPUT,
    Exit.ENVIRONMENT,
    Exit.CONFLICT,
    Exit.NO,
    Exit.INCONCLUSIVE,
    Exit.NOTHING,
    Exit.YES,
)


def combine(codes: Iterable[Exit]) -> Exit:
    """The one code that stands for several; `YES` for none."""
    return min(codes, key=_PRECEDENCE.index, default=Exit.YES)


class PromptbenchError(Exception):
    """Base of all errors raised on purpose. `message` is one sentence; `hint` says what to do.

    `diagnostics` are places in files that it is about.
    """

    exit: Exit = Exit.BUG

    def __init__(self, message: str, *, hint: str | None = None, diagnostics: Iterable[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.diagnostics = tuple(diagnostics)


class InputError(PromptbenchError):
    """Something in the user's files, flags or settings is wrong."""

    exit = Exit.INPUT


class EnvironmentFailure(PromptbenchError):
    """A provider, the disk or the installation fails: nothing can be said about the prompt."""

    exit = Exit.ENVIRONMENT


class ConflictError(PromptbenchError):
    """The store is not as the evidence, or the other side, says."""

    exit = Exit.CONFLICT


class NothingSelected(PromptbenchError):
    """The selection is empty."""

    exit = Exit.NOTHING


class Interrupted(PromptbenchError):
    """The user stopped it."""

    exit = Exit.INTERRUPTED

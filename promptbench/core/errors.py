"""The exceptions that promptbench raises on purpose, and their exit codes.

    PromptbenchError
      ├─ InputError         2   an error in the user's files, flags or settings; carries diagnostics
      ├─ EnvironmentFailure 4   a provider, a disk or an installation failed: no verdict about the prompt
      ├─ ConflictError      5   stale evidence, or a store that two people changed
      ├─ NothingSelected    7   the filters select nothing
      └─ Interrupted        130   the user pressed Ctrl-C; the run can be resumed

Any other exception that reaches the command line is a bug in promptbench (exit 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

# `PromptClient` raises these errors and never a diagnostic, so it does not pay for the import.
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
    """Return the exit code for several results, by precedence; `YES` for none."""
    return min(codes, key=_PRECEDENCE.index, default=Exit.YES)


class PromptbenchError(Exception):
    """Base class of all errors raised on purpose.

    Args:
        message: one sentence, without a full stop.
        hint: what the user can do.
        diagnostics: the errors in the user's files, with their locations.
    """

    exit: Exit = Exit.BUG

    def __init__(self, message: str, *, hint: str | None = None, diagnostics: Iterable[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.diagnostics = tuple(diagnostics)


class InputError(PromptbenchError):
    """An error in the user's files, flags or settings."""

    exit = Exit.INPUT


class EnvironmentFailure(PromptbenchError):
    """A failure of a provider, the disk or the installation; there is no verdict about the prompt."""

    exit = Exit.ENVIRONMENT


class ConflictError(PromptbenchError):
    """A store whose state differs from what the evidence or another process expects."""

    exit = Exit.CONFLICT


class NothingSelected(PromptbenchError):
    """A selection without any case, suite or run."""

    exit = Exit.NOTHING


class Interrupted(PromptbenchError):
    """A run that the user stopped. What it has recorded can be resumed."""

    exit = Exit.INTERRUPTED

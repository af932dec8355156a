"""The exceptions that promptbench raises on purpose, and the diagnostics that locate errors in the user's files.

    PromptbenchError
      ├─ InputError         2   an error in the user's files, flags or settings; carries diagnostics
      ├─ EnvironmentFailure 4   a provider, a disk or an installation failed: no verdict about the prompt
      ├─ ConflictError      5   stale evidence, or a store that two people changed
      ├─ NothingSelected    7   the filters select nothing
      └─ Interrupted        130   the user pressed Ctrl-C; the run can be resumed

Any other exception that reaches the command line is a bug in promptbench (exit 3). A diagnostic is a problem in a file,
its location, and what to write instead.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """A stable code for each kind of problem; docs/reference/diagnostics.md explains them.

    1xx file and YAML, 2xx suite, 3xx prompt, 4xx model, 5xx case and check, 6xx log, 7xx settings.
    """

    UNREADABLE_FILE = "PB101"
    EMPTY_FILE = "PB102"
    YAML_SYNTAX = "PB103"
    TAB_INDENT = "PB104"
    DUPLICATE_KEY = "PB105"
    YAML_FEATURE = "PB106"
    TOO_BIG = "PB107"
    JSON_SYNTAX = "PB108"
    CURLY_QUOTES = "PB109"
    COMMENT_IN_TEXT = "PB110"
    UNKNOWN_KEY = "PB201"
    MISSING_KEY = "PB202"
    WRONG_TYPE = "PB203"
    NO_CASES = "PB204"
    DUPLICATE_NAME = "PB205"
    BAD_VALUE = "PB206"
    PATH_OUTSIDE = "PB207"
    FILE_NOT_FOUND = "PB208"
    PROMPT_SYNTAX = "PB301"
    PROMPT_DIALECT = "PB302"
    MISSING_VARIABLE = "PB303"
    UNUSED_VARIABLE = "PB304"
    BAD_SCHEMA = "PB305"
    EMPTY_MESSAGE = "PB306"
    CONTEXT_WINDOW = "PB307"
    LABEL_NOT_OFFERED = "PB308"
    CASE_IN_PROMPT = "PB309"
    INTENTS_OVERLAP = "PB310"
    UNKNOWN_PROVIDER = "PB401"
    UNKNOWN_MODEL = "PB402"
    MISSING_CREDENTIAL = "PB403"
    MISSING_EXTRA = "PB404"
    CODE_NOT_ALLOWED = "PB405"
    UNTRUSTED_ADDRESS = "PB406"
    NOT_ENFORCED = "PB407"
    NO_TOOLS = "PB408"
    NOT_TAKEN = "PB409"
    TRAINED_ON = "PB410"
    NOT_JUDGED = "PB411"
    UNKNOWN_CHECK = "PB501"
    BAD_CHECK = "PB502"
    NO_CHECKS = "PB503"
    NOT_RED = "PB504"
    WISH_FAILS = "PB505"
    ADVISORY = "PB506"
    OWN_JUDGE = "PB507"
    UNPROVEN = "PB508"
    VACUOUS = "PB509"
    QUARANTINE = "PB510"
    DEPRECATED_CHECK = "PB511"
    RULED_OUT = "PB512"
    SKIPPED = "PB513"
    FILE_NOT_TAKEN = "PB514"
    SPLIT_ALIKE = "PB515"
    NOT_BY_BATCH = "PB516"
    BAD_LOG = "PB601"
    SETTINGS = "PB701"


@dataclass(frozen=True, slots=True)
class Location:
    """A range within one line of a file.

    `line` and `column` count from 1, in characters; `line` is 0 for the whole file. `text` is the whole line.
    """

    path: str
    line: int = 0
    column: int = 0
    length: int = 1
    text: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. `message` is one sentence without markup; `hint` says what to write instead."""

    code: Code
    message: str
    location: Location
    hint: str | None = None
    severity: Severity = Severity.ERROR
    related: Location | None = None


class Diagnostics:
    """A collector for the diagnostics of all files, so that one pass reports everything."""

    def __init__(self) -> None:
        self._items: list[Diagnostic] = []

    def add(
        self,
        code: Code,
        message: str,
        location: Location,
        *,
        hint: str | None = None,
        severity: Severity = Severity.ERROR,
        related: Location | None = None,
    ) -> None:
        self._items.append(Diagnostic(code, message, location, hint, severity, related))

    def extend(self, items: Iterable[Diagnostic]) -> None:
        self._items.extend(items)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def errors(self) -> list[Diagnostic]:
        return [item for item in self._items if item.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Diagnostic]:
        return [item for item in self._items if item.severity is Severity.WARNING]


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


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is closest to `word`, or None if none is close."""
    import difflib

    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def suggest(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return the hint "did you mean …?" with the closest known word, or `otherwise` if none is close."""
    guess = did_you_mean(word, known)
    return f"did you mean '{guess}'?" if guess else otherwise

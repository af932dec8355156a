"""What is said of one code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptbench.core.diagnostics import Code

SUITE = "suite.yaml"
TERMINAL = "terminal"
"""In the place of a file: something to type."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`cause` is why it comes, `mend` what to do. `wrong` and `right` are lines of `file`; a mend that belongs
    elsewhere names `right_file`. `beside` are files that the example needs.

    Lines of a suite stand for a whole one, whose other keys are in order, unless it is `whole`.
    """

    code: Code
    title: str
    cause: str
    mend: str
    wrong: str
    right: str
    file: str = SUITE
    right_file: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    encoding: str = "utf-8"
    """In which the wrong example is saved."""
    command: str = "validate"
    """What of promptbench tells it."""

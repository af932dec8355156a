"""Every code of a mistake in plain language: why it comes, an example, and the same mended.

Tests load each example and each mend: the one has the mistake, the other has not.
"""

from __future__ import annotations

from promptbench.core.catalogue.cases import CASES
from promptbench.core.catalogue.entry import SUITE, TERMINAL, Entry
from promptbench.core.catalogue.files import FILES
from promptbench.core.catalogue.prompts import PROMPTS
from promptbench.core.diagnostics import Code

__all__ = ["CATALOGUE", "SUITE", "TERMINAL", "Entry"]

CATALOGUE: dict[Code, Entry] = {entry.code: entry for entry in (*FILES, *PROMPTS, *CASES)}

"""Which ladder it is: evidence says on which one its answers were read, because another may put them elsewhere."""

from __future__ import annotations

from promptbench.core.canonical import digest
from promptbench.formats._names import EXTRACTION, RISKY, SAFE

_EDITION = 1
"""Goes up where the names of the repairs stay and an answer comes to lie on another rung."""

LADDER: str = digest([_EDITION, sorted(EXTRACTION), sorted(SAFE), sorted(RISKY)])

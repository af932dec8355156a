"""The ladder on which answers are read: the built-in steps, and the repair rules of a team."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from promptbench.core.canonical import digest
from promptbench.core.types import Json, Reading, Repair, Rung
from promptbench.parsing import json_text
from promptbench.parsing._names import EXTRACTION, RISKY, SAFE
from promptbench.parsing.json_text import MOST_CHARACTERS

# Goes up when an answer moves to another rung although the names of the repairs stay the same.
_EDITION = 2

# Evidence names the ladder, because an answer may be on another rung of another ladder.
LADDER: Final = digest([_EDITION, sorted(EXTRACTION), sorted(SAFE), sorted(RISKY)])
BUILT_IN_NAMES: Final = EXTRACTION | SAFE | RISKY
RUNGS: Final[Mapping[str, Rung]] = {"safe": Rung.REPAIRED_SAFE, "risky": Rung.REPAIRED_RISKY}


@dataclass(frozen=True, slots=True)
class Rule:
    """A repair rule besides the built-in ones.

    Args:
        name: the name that its repairs are counted under.
        trust: `safe` or `risky`.
        apply: returns the repaired text, or None if the rule does not apply. It must not raise.
        hash: identifies the rule's code in evidence.
    """

    name: str
    trust: str
    apply: Callable[[str], str | None]
    hash: str = ""

    @property
    def rung(self) -> Rung:
        """The best rung of an answer that needs this rule."""
        return RUNGS[self.trust]


@dataclass(frozen=True, slots=True)
class Ladder:
    """The built-in ladder followed by `rules`, safe ones first."""

    rules: tuple[Rule, ...] = ()

    def read(self, text: str) -> Reading:
        """Return the text as data. Raises nothing, whatever the text is.

        A rule is tried only on a text that the steps before it read on a lower rung than the rule's own, or not at all.
        Rules do not build on each other: each gets the text as the model wrote it, and the built-in steps read what it
        returns.
        """
        reading = json_text.read(text)
        if len(text) > MOST_CHARACTERS:
            return reading
        for rule in self.rules:
            if reading.rung.depth > rule.rung.depth:
                reading = _read_repaired(text, rule, reading)
        return reading

    @property
    def hash(self) -> str:
        """The hash in plans and evidence; without rules it is that of the built-in ladder."""
        return digest([LADDER, self.named_rules()]) if self.rules else LADDER

    def named_rules(self) -> dict[str, Json]:
        """Return trust and hash of each rule by its name."""
        return {rule.name: {"trust": rule.trust, "hash": rule.hash} for rule in self.rules}


def _read_repaired(text: str, rule: Rule, before: Reading) -> Reading:
    """Return the reading with the rule if it is on a better rung than `before`, else `before`."""
    repaired = rule.apply(text)
    if repaired is None or repaired == text:
        return before
    found = json_text.read(repaired)
    rung = max(found.rung, rule.rung, key=lambda item: item.depth)
    if rung.depth >= before.rung.depth:
        return before
    pairs = enumerate(zip(text, repaired, strict=False))
    at = next((at for at, (old, new) in pairs if old != new), min(len(text), len(repaired)))
    return Reading(rung, found.value, (Repair(rule.name, at), *found.repairs))


BUILT_IN: Final = Ladder()

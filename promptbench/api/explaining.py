"""What checks and codes of mistakes mean, in parts, as the command line and the reference show them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from promptbench.checks import plugins as checks
from promptbench.core.catalogue import CATALOGUE, Entry
from promptbench.core.diagnostics import did_you_mean
from promptbench.core.errors import InputError

_PARTS = ("What", "When", "Options")


@dataclass(frozen=True, slots=True)
class CheckPage:
    """A check in words. `parts` has What, When and Options, as far as there are any; `example` is YAML."""

    name: str
    summary: str
    parts: Mapping[str, str]
    example: str


def check_pages() -> list[CheckPage]:
    """All checks, by name."""
    return [check_page(name) for name in checks.names()]


def check_page(written: str) -> CheckPage:
    """A check by its name, as people write it. Raises InputError when there is none."""
    if written not in checks:
        known = [name.replace("_", " ") for name in checks.names()]
        guess = did_you_mean(written, known)
        hint = f"did you mean '{guess}'?" if guess else f"known checks: {', '.join(known)}"
        raise InputError(f"there is no check '{written}'", hint=hint)
    text = (checks.load(written).doc or "").rstrip()
    title, _, rest = text.partition(": ")
    summary, _, body = rest.partition("\n\n")
    body, _, example = body.partition("Example:\n")
    found = re.split(rf"^({'|'.join(_PARTS)}): ", body.strip(), flags=re.MULTILINE)
    parts = {name: " ".join(words.split()) for name, words in zip(found[1::2], found[2::2], strict=True)}
    return CheckPage(title, f"{summary[:1].upper()}{summary[1:]}", parts, textwrap.dedent(example))


@dataclass(frozen=True, slots=True)
class MistakePage:
    """A code in words. `wrong` and `right` are lines of the files beside them; `right_file` may be a terminal."""

    code: str
    title: str
    cause: str
    mend: str
    file: str
    wrong: str
    right_file: str
    right: str
    beside: Mapping[str, str]


def mistake_pages() -> list[MistakePage]:
    """All codes of mistakes, in their order."""
    return [_mistake(entry) for entry in CATALOGUE.values()]


def mistake_page(written: str) -> MistakePage:
    """A mistake by its code, such as PB104. Raises InputError when there is none."""
    known = {code.value: code for code in CATALOGUE}
    if written not in known:
        hint = did_you_mean(written, known)
        raise InputError(f"there is no code '{written}'", hint=f"did you mean {hint}?" if hint else None)
    return _mistake(CATALOGUE[known[written]])


def _mistake(entry: Entry) -> MistakePage:
    return MistakePage(
        code=entry.code.value,
        title=entry.title,
        cause=entry.cause,
        mend=entry.mend,
        file=entry.file if entry.encoding == "utf-8" else f"{entry.file}, saved as {entry.encoding}",
        wrong=entry.wrong,
        right_file=entry.right_file or entry.file,
        right=entry.right,
        beside=entry.beside,
    )

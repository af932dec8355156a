"""`prompt_store/text`: the same history as plain files, for `git diff`, review and rebuilding the database.

    <prompt>/versions/<number>-<first 8 digits>.prompt      the source text, verbatim
    <prompt>/events/<sequence>-<kind>-<hash>.json           one file an event
    <prompt>/evidence/<hash>.json                           one line a key, one line an attempt

Every file appears whole or not at all, and an event's file after the files that it speaks of. Line ends do not count,
because git may rewrite them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from promptbench.core.canonical import digest, lf
from promptbench.core.errors import ConflictError
from promptbench.store.chain import Event, Version
from promptbench.store.names import is_prompt_name

if TYPE_CHECKING:
    from promptbench.core.types import Json

_EVENT_NAME = re.compile(r"(\d{4,})-[a-z_]+-[0-9a-f]{64}\.json")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST = ("schema_version", "prompt", "verdict", "candidate", "champion")
_LAST = ("suites", "attempts")
_NAMES = ("suite", "path", "run", "result", "sentence", "case", "model", "prompt", "k", "outcome", "rung")


class Mirror:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prompts(self) -> list[str]:
        """The prompts that have events here."""
        names = sorted(_names(self.folder))
        return [name for name in names if is_prompt_name(name) and self.event_names(name)]

    def event_names(self, prompt: str) -> list[str]:
        """The names of the prompt's event files by sequence; what is not named like one is left out."""
        found = [match for name in _names(self.folder / prompt / "events") if (match := _EVENT_NAME.fullmatch(name))]
        return [match[0] for match in sorted(found, key=lambda match: (int(match[1]), match[0]))]

    def event_path(self, prompt: str, name: str) -> Path:
        return self.folder / prompt / "events" / name

    def version_path(self, prompt: str, number: int, tagged: str) -> Path:
        return self.folder / prompt / "versions" / f"{number}-{tagged.removeprefix('sha256:')[:8]}.prompt"

    def evidence_path(self, prompt: str, tagged: str) -> Path:
        return self.folder / prompt / "evidence" / f"{tagged.removeprefix('sha256:')}.json"

    def prompt_with_evidence(self, tagged: str) -> str | None:
        """The prompt in whose folder this evidence lies."""
        return next((name for name in self.prompts() if self.evidence_path(name, tagged).is_file()), None)

    def read_event(self, prompt: str, name: str) -> Event:
        """Raises ConflictError when the file is gone, edited, or not what its name says."""
        path = self.event_path(prompt, name)
        try:
            event = Event.from_dict(_parse(_read(path)))
        except ValueError as error:
            raise edited(path, str(error)) from error
        if event.hash != event.digest() or event.file_name != name or event.prompt != prompt:
            raise edited(path, "its content does not match its name")
        return event

    def read_version(self, prompt: str, number: int, tagged: str) -> str:
        """The source text with LF. Raises ConflictError when the file is gone or is not UTF-8."""
        return _read(self.version_path(prompt, number, tagged))

    def read_evidence(self, prompt: str, tagged: str) -> Json:
        """Raises ConflictError when the file is gone, edited, or not what its name says."""
        path = self.evidence_path(prompt, tagged)
        try:
            body = _parse(_read(path))
            actual = digest(body)
        except (ValueError, RecursionError) as error:
            raise edited(path, str(error)) from error
        if actual != tagged:
            raise edited(path, "its content does not match its name")
        return body

    def write(self, event: Event, version: Version | None, evidence: Json | None) -> None:
        """Writes what of an event is missing, the event last.

        Raises:
            ConflictError: a file is there and says something else.
            OSError: the disk refuses.
        """
        prompt = event.prompt
        if version is not None:
            self.write_version(version)
        if event.evidence is not None:
            path = self.evidence_path(prompt, event.evidence)
            if path.exists():
                self.read_evidence(prompt, event.evidence)
            else:
                _write(path, evidence_text(evidence))
        _write(self.event_path(prompt, event.file_name), event_text(event))

    def write_version(self, version: Version) -> None:
        """Raises ConflictError when the file is there with another text, OSError when the disk refuses."""
        path = self.version_path(version.prompt, version.number, version.hash)
        if not path.exists():
            _write(path, version.source)
        else:
            self.check_version(version)

    def check_version(self, version: Version) -> None:
        """Raises ConflictError when the version's file is missing or has another text."""
        if self.read_version(version.prompt, version.number, version.hash) != version.source:
            path = self.version_path(version.prompt, version.number, version.hash)
            raise edited(path, f"it is no longer the text of {version.prompt}@{version.number}")

    def drop(self, prompt: str, events: Collection[str], numbers: Mapping[str, int]) -> None:
        """Takes away what a merge has put elsewhere: the files of `events`, and those of versions whose number is
        another now. Raises OSError when the disk refuses.
        """
        folder = self.folder / prompt / "versions"
        right = {self.version_path(prompt, number, tagged).name for tagged, number in numbers.items()}
        texts = {name.partition("-")[2] for name in right}
        for name in sorted(_names(folder)):
            if name not in right and name.partition("-")[2] in texts:
                (folder / name).unlink(missing_ok=True)
        for name in events:
            self.event_path(prompt, name).unlink(missing_ok=True)

    def files(self, prompt: str) -> Iterator[Path]:
        """Every file below the prompt's folder; those that start with a dot are nobody's business."""
        for path in sorted((self.folder / prompt).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path


def edited(path: Path, what: str) -> ConflictError:
    return ConflictError(
        f"{path} was changed by hand: {what}",
        hint="the text mirror is a record: restore the file with git, and put a new text through `promptbench run`",
    )


def event_text(event: Event) -> str:
    return _unpaired(json.dumps(event.as_dict(), ensure_ascii=False, indent=2)) + "\n"


def evidence_text(evidence: Json) -> str:
    """One line for each key, of a suite too, and for each attempt, so that a diff shows which of them differ."""
    keys = [key for key in _FIRST if key in evidence]
    keys += sorted(key for key in evidence if key not in (*_FIRST, *_LAST))
    keys += [key for key in _LAST if key in evidence]
    return _unpaired("{\n" + ",\n".join(f"  {_line(key)}: {_spread(key, evidence[key])}" for key in keys) + "\n}\n")


def _spread(key: str, value: Json) -> str:
    """A list of objects with one line for each; a suite, which has much to say, with one for each of its keys."""
    if key not in _LAST or not isinstance(value, list) or not all(value) or not all(map(_is_object, value)):
        return _line(value)
    if key == "attempts":
        return "[\n" + ",\n".join(f"    {_line(_ordered(item))}" for item in value) + "\n  ]"
    return "[\n" + ",\n".join(map(_suite, map(_ordered, value))) + "\n  ]"


def _suite(suite: dict[str, Json]) -> str:
    lines = ",\n".join(f"      {_line(name)}: {_line(said)}" for name, said in suite.items())
    return f"    {{\n{lines}\n    }}"


def _is_object(value: Json) -> bool:
    return isinstance(value, dict)


def _ordered(item: dict[str, Json]) -> dict[str, Json]:
    """What people look for first, then the rest by name."""
    return {key: item[key] for key in [*(key for key in _NAMES if key in item), *sorted(item.keys() - {*_NAMES})]}


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _unpaired(text: str) -> str:
    """Lone surrogates, which UTF-8 cannot carry, as JSON escapes."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: Path) -> str:
    try:
        return lf(path.read_bytes().decode())
    except UnicodeDecodeError as error:
        raise edited(path, "it is not UTF-8") from error
    except FileNotFoundError as error:
        raise ConflictError(
            f"{path} is missing",
            hint="restore it with git; other files of the prompt's history speak of it",
        ) from error


def _parse(text: str) -> Json:
    def refuse(word: str) -> Json:
        raise ValueError(f"{word} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _write(path: Path, text: str) -> None:
    # The name is the same each time: writers hold the database's lock, and what a killed one left is written over.
    temporary = path.with_name(f".{path.name}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

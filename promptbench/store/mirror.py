"""The text mirror `prompt_store/text`: the history as plain files, for git, review and rebuilding the database.

    <prompt>/versions/<number>-<first 8 digits>.prompt      the source text, verbatim
    <prompt>/events/<sequence>-<kind>-<hash>.json           one file an event
    <prompt>/evidence/<hash>.json                           one line a key, one line an attempt

Every file appears whole or not at all, and an event's file after the files that it refers to. Line ends do not count,
because git may rewrite them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from promptbench.core.canonical import digest, lf, parse_json
from promptbench.core.errors import ConflictError
from promptbench.store.chain import LabelEvent, Version
from promptbench.store.names import is_prompt_name

if TYPE_CHECKING:
    from promptbench.core.types import Json

_EVENT_NAME = re.compile(r"(\d{4,})-[a-z_]+-[0-9a-f]{64}\.json")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST = ("schema_version", "prompt", "verdict", "candidate", "champion")
_LAST = ("suites", "attempts")
_NAMES = ("suite", "path", "run", "result", "sentence", "case", "model", "prompt", "k", "outcome", "rung")


class Mirror:
    """The files below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prompts(self) -> list[str]:
        """Return the prompts that have events."""
        names = sorted(_names(self.folder))
        return [name for name in names if is_prompt_name(name) and self.event_names(name)]

    def event_names(self, prompt: str) -> list[str]:
        """Return the names of the prompt's event files by sequence, without files of other names."""
        found = [match for name in _names(self.folder / prompt / "events") if (match := _EVENT_NAME.fullmatch(name))]
        return [match[0] for match in sorted(found, key=lambda match: (int(match[1]), match[0]))]

    def event_path(self, prompt: str, name: str) -> Path:
        """Return the path of an event's file."""
        return self.folder / prompt / "events" / name

    def version_path(self, prompt: str, number: int, tagged: str) -> Path:
        """Return the path of a version's text; `tagged` is its hash."""
        return self.folder / prompt / "versions" / f"{number}-{tagged.removeprefix('sha256:')[:8]}.prompt"

    def evidence_path(self, prompt: str, tagged: str) -> Path:
        """Return the path of an evidence document; `tagged` is its hash."""
        return self.folder / prompt / "evidence" / f"{tagged.removeprefix('sha256:')}.json"

    def prompt_with_evidence(self, tagged: str) -> str | None:
        """Return the prompt whose folder holds this evidence, or None."""
        return next((name for name in self.prompts() if self.evidence_path(name, tagged).is_file()), None)

    def read_event(self, prompt: str, name: str) -> LabelEvent:
        """Read an event. Raise ConflictError if its file is missing, edited, or does not match its name."""
        path = self.event_path(prompt, name)
        try:
            event = LabelEvent.from_dict(parse_json(_read(path)))
        except ValueError as error:
            raise edited(path, str(error)) from error
        if event.hash != event.digest() or event.file_name != name or event.prompt != prompt:
            raise edited(path, "its content does not match its name")
        return event

    def read_version(self, prompt: str, number: int, tagged: str) -> str:
        """Return the source text with LF. Raise ConflictError if its file is missing or not UTF-8."""
        return _read(self.version_path(prompt, number, tagged))

    def read_evidence(self, prompt: str, tagged: str) -> Json:
        """Read evidence. Raise ConflictError if its file is missing, edited, or does not match its name."""
        path = self.evidence_path(prompt, tagged)
        try:
            body = parse_json(_read(path))
            actual = digest(body)
        except (ValueError, RecursionError) as error:
            raise edited(path, str(error)) from error
        if actual != tagged:
            raise edited(path, "its content does not match its name")
        return body

    def write(self, event: LabelEvent, version: Version | None, evidence: Json | None) -> None:
        """Write the missing files of an event, the event last.

        Raises:
            ConflictError: a file exists with other content.
            OSError: the disk fails.
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
        """Write a version's text. Raise ConflictError if the file has another text, OSError if the disk fails."""
        path = self.version_path(version.prompt, version.number, version.hash)
        if not path.exists():
            _write(path, version.source)
        else:
            self.check_version(version)

    def check_version(self, version: Version) -> None:
        """Raise ConflictError if the version's file is missing or has another text."""
        if self.read_version(version.prompt, version.number, version.hash) != version.source:
            path = self.version_path(version.prompt, version.number, version.hash)
            raise edited(path, f"it is not the text of {version.prompt}@{version.number}")

    def drop(self, prompt: str, events: Collection[str], numbers: Mapping[str, int]) -> None:
        """Remove the files that a merge replaced: those of `events`, and of versions that have another number now.

        Raise OSError if the disk fails.
        """
        folder = self.folder / prompt / "versions"
        current = {self.version_path(prompt, number, tagged).name for tagged, number in numbers.items()}
        texts = {name.partition("-")[2] for name in current}
        for name in sorted(_names(folder)):
            if name not in current and name.partition("-")[2] in texts:
                (folder / name).unlink(missing_ok=True)
        for name in events:
            self.event_path(prompt, name).unlink(missing_ok=True)

    def files(self, prompt: str) -> Iterator[Path]:
        """Yield every file below the prompt's folder, hidden files excepted."""
        for path in sorted((self.folder / prompt).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path


def edited(path: Path, what: str) -> ConflictError:
    """Return the error for a file that somebody edited; `what` is the detail."""
    return ConflictError(
        f"{path} was edited: {what}",
        hint="the text mirror is a record: restore the file with git, and test a new text with `promptbench run`",
    )


def event_text(event: LabelEvent) -> str:
    """Return the content of an event's file."""
    return _unpaired(json.dumps(event.as_dict(), ensure_ascii=False, indent=2)) + "\n"


def evidence_text(evidence: Json) -> str:
    """Return the content of an evidence file: one line a key and one an attempt, so that a diff shows what differs."""
    keys = [key for key in _FIRST if key in evidence]
    keys += sorted(key for key in evidence if key not in (*_FIRST, *_LAST))
    keys += [key for key in _LAST if key in evidence]
    return _unpaired("{\n" + ",\n".join(f"  {_line(key)}: {_spread(key, evidence[key])}" for key in keys) + "\n}\n")


def _spread(key: str, value: Json) -> str:
    if key not in _LAST or not isinstance(value, list) or not all(item and isinstance(item, dict) for item in value):
        return _line(value)
    if key == "attempts":
        return "[\n" + ",\n".join(f"    {_line(_ordered(item))}" for item in value) + "\n  ]"
    # A suite is long, so each of its keys has a line.
    suites = [
        ",\n".join(f"      {_line(name)}: {_line(item)}" for name, item in _ordered(suite).items()) for suite in value
    ]
    return "[\n" + ",\n".join(f"    {{\n{lines}\n    }}" for lines in suites) + "\n  ]"


def _ordered(item: dict[str, Json]) -> dict[str, Json]:
    return {key: item[key] for key in [*(key for key in _NAMES if key in item), *sorted(item.keys() - {*_NAMES})]}


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _unpaired(text: str) -> str:
    # UTF-8 cannot carry lone surrogates, JSON escapes can.
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
        raise edited(path, "not UTF-8") from error
    except FileNotFoundError as error:
        raise ConflictError(
            f"{path} is missing",
            hint="restore it with git; other files of the prompt's history refer to it",
        ) from error


def _write(path: Path, text: str) -> None:
    # The temporary name is always the same: writers hold the database's lock, and the next one overwrites the leftovers
    # of a killed one.
    temporary = path.with_name(f".{path.name}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

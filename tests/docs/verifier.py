"""Check a prompt store by the rules of docs/reference/hashes.md alone: the standard library, nothing of promptbench.

python tests/docs/verifier.py prompt_store
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KINDS = ["adopted", "initial", "promoted", "forced", "rolled_back", "labelled", "retired", "merged", "settled"]


def lf(value: Any) -> Any:
    """Return data with LF line ends in all strings."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, dict):
        return {lf(key): lf(item) for key, item in value.items()}
    return [lf(item) for item in value] if isinstance(value, list) else value


def text_hash(text: str) -> str:
    text = re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", lf(text))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def data_hash(data: Any) -> str:
    options: Any = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
    return text_hash(json.dumps(lf(data), **options))


def read(path: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), "a key occurs twice"
        return dict(pairs)

    return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)


def own_hash(event: dict[str, Any]) -> str:
    return data_hash({key: value for key, value in event.items() if key != "hash"})


def check_prompt(folder: Path) -> dict[str, str]:
    """Check one prompt's history and return its versions by label. Raise AssertionError if it breaks a rule."""
    labels: dict[str, str] = {}
    numbers: dict[str, int] = {}
    files: set[Path] = set()
    head = None
    events = sorted((folder / "events").glob("*.json"), key=lambda path: int(path.name.partition("-")[0]))
    for count, path in enumerate(events, 1):
        event = read(path)
        assert event["hash"] == own_hash(event), f"{path}: the content does not match the hash"
        digits = event["hash"].removeprefix("sha256:")
        assert path.name == f"{count:04d}-{event['kind']}-{digits}.json", f"{path}: wrong name"
        assert (event["prompt"], event["sequence"], event["prev"]) == (folder.name, count, head), f"{path}: no chain"
        assert event["kind"] in KINDS, f"{path}: unknown kind"
        head, target, label = event["hash"], event["to"], event["label"]
        files.add(path)
        if target is not None:
            assert event["version"] == numbers.setdefault(target, len(numbers) + 1), f"{path}: wrong number"
            files.add(folder / "versions" / f"{event['version']}-{target[7:15]}.prompt")
        if event["evidence"] is not None:
            proof = folder / "evidence" / f"{event['evidence'][7:]}.json"
            files.add(proof)
            check_evidence(proof, event, labels)
        if event["kind"] == "merged":
            inner = event["merged"]
            while inner is not None:
                assert inner["hash"] == own_hash(inner), f"{path}: the merged event does not match its hash"
                inner = inner.get("merged")
            continue
        assert event["from"] == (labels.get(label) if label else None), f"{path}: the label was elsewhere"
        if target is None:
            for name in [label] if label else list(labels):
                labels.pop(name, None)
        else:
            labels[label] = target
    there = {path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")}
    assert there == files, f"{folder}: missing or unknown: {sorted(map(str, there ^ files))}"
    return labels


def check_evidence(path: Path, event: dict[str, Any], labels: dict[str, str]) -> None:
    proof = read(path)
    assert data_hash(proof) == event["evidence"], f"{path}: the content does not match the name"
    origin = event
    while origin.get("merged"):
        origin = origin["merged"]
    if origin["kind"] not in ("initial", "promoted"):
        return
    claim = (proof["prompt"], proof["candidate"], proof["verdict"]["result"])
    assert claim == (origin["prompt"], origin["to"], "PASS"), f"{path}: it proves something else"
    if origin is event or origin["label"] == "production":
        before = {origin["from"], None if origin is not event else labels.get("production")}
        assert proof["champion"] in before, f"{path}: it compared with another version"
    keys = [tuple(line[key] for key in ("suite", "model", "case", "k", "prompt")) for line in proof["attempts"]]
    assert len(set(keys)) == len(keys), f"{path}: an attempt occurs twice"


def check_texts(database: Path, text: Path) -> Iterator[str]:
    """Check the texts in the database, and that the files have them. Yield the names of the versions."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    blobs = dict(connection.execute("SELECT hash, text FROM blob"))
    for tagged, content in blobs.items():
        assert text_hash(content) == tagged, f"{tagged}: the text does not match its hash"
    for prompt, number, tagged, source in connection.execute("SELECT prompt, number, hash, source_hash FROM version"):
        file = text / prompt / "versions" / f"{number}-{tagged[7:15]}.prompt"
        assert tagged in blobs, f"{prompt}@{number}: its content is missing"
        assert text_hash(file.read_text(encoding="utf-8")) == source, f"{file}: it is not the version's source"
        yield f"{prompt}@{number}"
    connection.close()


def check_store(store: Path) -> dict[str, dict[str, str]]:
    """Check a whole store. Return the versions by label, by prompt."""
    folders = [path for path in sorted((store / "text").iterdir()) if (path / "events").is_dir()]
    found = {folder.name: check_prompt(folder) for folder in folders}
    if (store / "prompts.sqlite").exists():
        assert list(check_texts(store / "prompts.sqlite", store / "text"))
    return found


if __name__ == "__main__":
    print(json.dumps(check_store(Path(sys.argv[1])), indent=2))

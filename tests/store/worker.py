"""What other processes do to a store in the tests.

python -m tests.store.worker promote FOLDER SECONDS NAME     read and promote until the time is up, print the counts
python -m tests.store.worker open FOLDER                     open, print the prompts
python -m tests.store.worker get FOLDER REFERENCE            print the source
python -m tests.store.worker die FOLDER POINT                promote `triage` and be killed at this point
python -m tests.store.worker nobody COMMAND FOLDER …         the same as a user who owns nothing
python -m tests.store.worker full FOLDER BYTES               promote a large text where no file may exceed BYTES
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from promptbench.core.errors import ConflictError, PromptbenchError
from promptbench.store import mirror
from tests.store.kit import evidence, open_store


def promote(folder: Path, seconds: float, name: str) -> None:
    counts = {"won": 0, "stale": 0, "read": 0, "longest": 0.0}
    end = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        turn += 1
        prompt = ("triage", "entities")[turn % 2]
        with open_store(folder) as store:
            champion = store.get(prompt)
            counts["read"] += len(store.history(prompt)) > 0
            source = f"{name} {turn}\n"
            began = time.monotonic()
            try:
                store.promote(prompt, source, evidence=evidence(prompt, source, champion.hash), actor=name)
                counts["won"] += 1
            except ConflictError as error:
                if not error.message.startswith("stale evidence"):
                    raise
                counts["stale"] += 1
            counts["longest"] = max(counts["longest"], time.monotonic() - began)
    print(json.dumps(counts))


def die(folder: Path, point: str) -> None:
    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    store = open_store(folder)
    champion = store.get("triage").hash
    if point in ("begin", "commit", "committed"):
        statement = {"begin": "INSERT INTO event", "commit": "COMMIT", "committed": "BEGIN IMMEDIATE"}[point]
        seen = 0

        def trace(sql: str) -> None:
            nonlocal seen
            seen += sql.startswith(statement)
            if seen == (2 if point == "committed" else 1):
                kill()

        store._database.connection.set_trace_callback(trace)
    elif point == "torn file":
        Path.replace = lambda self, target: kill()  # type: ignore[method-assign,assignment,return-value]
    else:
        write, left = mirror._write, [int(point)]

        def write_some(path: Path, text: str) -> None:
            if not left[0]:
                kill()
            left[0] -= 1
            write(path, text)

        mirror._write = write_some
    store.promote("triage", "next\n", evidence=evidence("triage", "next\n", champion), actor="ci")


def full(folder: Path, limit: int) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open_store(folder) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        champion = store.get("triage").hash
        source = "x" * 2 * limit
        store.promote("triage", source, evidence=evidence("triage", source, champion), actor="ci")


def become_nobody() -> None:
    """Root may write to what is read-only. What is imported later must be in memory before."""
    import sqlite_utils  # noqa: F401

    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def main() -> int:
    if sys.argv[1] == "nobody":
        become_nobody()
        del sys.argv[1]
    command, folder, *words = sys.argv[1:]
    try:
        if command == "promote":
            promote(Path(folder), float(words[0]), words[1])
        elif command == "die":
            die(Path(folder), words[0])
        elif command == "full":
            full(Path(folder), int(words[0]))
        else:
            with open_store(Path(folder)) as store:
                print(store.prompts() if command == "open" else store.get(words[0]).source)
    except PromptbenchError as error:
        print(f"{error.message} | {error.hint}", file=sys.stderr)
        return int(error.exit)
    return 0


if __name__ == "__main__":
    sys.exit(main())

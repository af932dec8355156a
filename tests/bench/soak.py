"""Full load for minutes, with everything that goes wrong. `python -m tests.bench.soak [--minutes 10]`

The same command is run again and again, and killed with `kill -9` at ten random moments. Once the disk with the record
is full, once it cannot be written: both are real, on a small file system in memory that only root may mount. After each
stop: whether SQLite and `promptbench doctor` find the record sound, whether every answer that was ever seen on record
is still there as it was, how many answers that the server had sent are not on record (they were on the way), and
whether anything on record was asked for again. Exits 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import project
from tests.bench.busy_server import BusyServer, Manner

_MANNER = Manner(latency=(0.02, 0.3), refuse=0.0005, fail=0.02, cut=0.01, retry_after=0.5)
_ANSWERS = """SELECT case_name, answer.text FROM attempt JOIN answer ON answer.id = answer_id
    WHERE run = (SELECT id FROM run ORDER BY started LIMIT 1 OFFSET ?)"""
_KILLS = 10
_ON_THE_WAY = 54
"""The most answers that may be lost when the process dies: 50 in flight, and those of this turn of the loop."""


@contextmanager
def small_disk(folder: Path, room: str = "200m") -> Iterator[None]:
    """A file system of its own at `folder`, with so much room."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Soak:
    """One project and its server. `calls` and `finished` runs are counts, `broken` are promises that were not kept."""

    def __init__(self, root: Path, state: Path, server: BusyServer, cases: int) -> None:
        self.broken: list[str] = []
        self.calls = 0
        self.finished = 0
        self._root = root
        self._state = state
        self._server = server
        self._cases = cases
        self._at_start: dict[str, str] = {}
        """By case, the answers of the run that were on record when the process started."""
        self._seen: dict[str, str] = {}
        """The same, when they were looked at last."""
        self._began = time.monotonic()

    def start(self) -> subprocess.Popen[str]:
        return project.start(self._root, "run", "--quiet")

    def look(self) -> None:
        """Compares what is on record with what was there before."""
        found = self._on_record()
        if any(found.get(case) != text for case, text in self._seen.items()):
            self._broke("an answer that was on record is gone, or another one")
        self._seen = found

    def check(self, what: str) -> None:
        """To be called after a stop. The next process goes on with the run."""
        self.look()
        calls = self._server.calls(self.calls)
        self.calls += len(calls)
        answered = {f"case-{call.case}" for call in calls if call.status == 200 and call.sent is not None}
        again = sum(f"case-{call.case}" in self._at_start for call in calls)
        missing = len(answered - self._seen.keys())
        if again:
            self._broke(f"{again} calls ask for what was on record")
        if missing > _ON_THE_WAY:
            self._broke(f"{missing} answers are not on record")
        self._at_start = self._seen
        what = f"{what}; {len(calls)} calls, {missing} answers on the way, {again} asked again"
        self._say(f"{what}, {len(self._seen)} on record, {self._health()}")
        if self._is_judged():
            # Also where the process died while it made the report: the next one begins a run.
            if len(self._seen) != self._cases:
                self._broke(f"judged with {len(self._seen)} of {self._cases} answers")
            self._at_start, self._seen = {}, {}
            self.finished += 1

    def finish(self, code: int) -> None:
        """To be called when the command has come to its end."""
        before = self.finished
        self.check(f"finished, exit {code}")
        if code != 0 or self.finished == before:
            self._broke(f"exit {code}, and the run is {'not ' if self.finished == before else ''}judged")

    def wait_for_answers(self, process: subprocess.Popen[str]) -> None:
        """Until the process has put some on record."""
        while process.poll() is None and len(self._seen) < len(self._at_start) + 100:
            time.sleep(0.1)
            self.look()

    def fill_disk(self, process: subprocess.Popen[str]) -> None:
        """Leaves no byte free while the process works, and waits for its end."""
        filler = self._state / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        said = process.communicate(timeout=120)[1]
        filler.unlink()
        self.refused("disk full", process.returncode, said)

    def make_read_only(self) -> None:
        """Runs the command on a record that cannot be written."""
        subprocess.run(["mount", "-o", "remount,ro", self._state], check=True)
        process = self.start()
        said = process.communicate(timeout=120)[1]
        subprocess.run(["mount", "-o", "remount,rw", self._state], check=True)
        self.refused("record read-only", process.returncode, said)

    def refused(self, what: str, code: int, said: str) -> None:
        """The command ended because of the record, and must say so."""
        if code != 4 or "Traceback" in said:
            self._broke(f"{what}: exit {code}")
        self.check(f"{what}: exit {code}, said: {' / '.join(said.strip().splitlines()[-2:])}")

    def _is_judged(self) -> bool:
        record = sqlite3.connect(self._state / "runs.sqlite", timeout=30)
        try:
            found = record.execute("SELECT finished FROM run ORDER BY started LIMIT 1 OFFSET ?", [self.finished])
            return (found.fetchone() or (None,))[0] is not None
        finally:
            record.close()

    def _on_record(self) -> dict[str, str]:
        record = sqlite3.connect(self._state / "runs.sqlite", timeout=30)
        try:
            return dict(record.execute(_ANSWERS, [self.finished]))
        except sqlite3.OperationalError:
            # The very first process has not made the tables yet.
            if self._seen:
                raise
            return {}
        finally:
            record.close()

    def _health(self) -> str:
        record = sqlite3.connect(self._state / "runs.sqlite")
        sound = record.execute("PRAGMA integrity_check").fetchone()[0]
        record.close()
        doctor = project.start(self._root, "doctor")
        words = doctor.communicate()[0]
        if sound != "ok" or doctor.returncode:
            self._broke(f"integrity check: {sound}; doctor: {words}")
        return f"integrity {sound}, doctor {doctor.returncode}"

    def _broke(self, what: str) -> None:
        self.broken.append(what)
        self._say(f"BROKEN: {what}")

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {what}", flush=True)


def soak(work: Soak, seconds: float, draw: random.Random) -> None:
    """Ten kills at random moments, a full disk after 35 % of the time, a read-only record after 70 %."""
    began = time.monotonic()
    moments = [(began + draw.uniform(0.02, 0.98) * seconds, "kill -9") for _ in range(_KILLS)]
    moments = sorted([*moments, (began + 0.35 * seconds, "full"), (began + 0.7 * seconds, "read-only")])
    while time.monotonic() < began + seconds or moments:
        process = work.start()
        while process.poll() is None and not (moments and time.monotonic() >= moments[0][0]):
            time.sleep(0.1)
            work.look()
        if process.poll() is not None:
            process.communicate()
            work.finish(process.returncode)
            continue
        what = moments.pop(0)[1]
        if what == "full":
            work.wait_for_answers(process)
            work.fill_disk(process)
            continue
        process.kill()
        process.communicate()
        work.check("kill -9")
        if what == "read-only":
            work.make_read_only()
    process = work.start()
    process.communicate()
    work.finish(process.returncode)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cases", type=int, default=5000, help="of the suite")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, BusyServer(_MANNER) as server:
        root = Path(folder)
        state = root / ".promptbench"
        project.write(root, server.base_url, options.cases)
        with small_disk(state):
            work = Soak(root, state, server, options.cases)
            began = time.monotonic()
            soak(work, options.minutes * 60, random.Random(options.seed))
            seconds = time.monotonic() - began
    print(f"{work.finished} runs finished, {work.calls} calls in {seconds:.0f} s, {len(work.broken)} promises broken")
    return 1 if work.broken else 0


if __name__ == "__main__":
    sys.exit(main())

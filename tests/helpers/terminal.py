"""The command line in a process of its own, at a terminal of 80 columns that a test types into."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_BOOT = """
import os, sys
tty = os.open(sys.argv.pop(1), os.O_RDWR)
for stream in range(3):
    os.dup2(tty, stream)
from promptbench.__main__ import main
main()
"""


class Terminal:
    """Reads what a command shows, and types. Use it as a context manager."""

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, os.ttyname(theirs), *arguments],
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
            # The first terminal that the leader of a session opens is the one whose ^C it gets.
            start_new_session=True,
        )
        self._theirs: int | None = theirs
        self.shown = ""
        self._seen = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)

    def answer(self, question: str, typed: str) -> None:
        """Waits until `question` is shown with its `> `, and types a line."""
        self._wait_for(question)
        self._wait_for("> ")
        os.write(self._ours, f"{typed}\n".encode())

    def interrupt(self, question: str) -> None:
        """Waits until `question` is shown with its `> `, and presses ^C."""
        self._wait_for(question)
        self._wait_for("> ")
        # A signal just before Python's read() blocks is seen only after the next key: a person presses again.
        for _ in range(5):
            os.write(self._ours, b"\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
                return

    def end(self) -> int:
        """Waits for the command to end; its exit code."""
        while self._read(30):
            pass
        return self._process.wait(30)

    def _wait_for(self, question: str) -> None:
        end = time.monotonic() + 30
        while question not in self.shown[self._seen :]:
            assert self._read(30), f"{question!r} was not asked:\n{self.shown}"
            assert time.monotonic() < end, self.shown
        self._seen = self.shown.index(question, self._seen) + len(question)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], seconds)
        try:
            data = os.read(self._ours, 65536) if ready else b""
        except OSError:  # the other side is closed
            return False
        if self._theirs is not None:
            os.close(self._theirs)  # the command has it open by now; with ours open too its end would not be seen
            self._theirs = None
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

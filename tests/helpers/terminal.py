"""The command line in a process of its own, at a terminal of 80 columns that a test types into."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path


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
            [sys.executable, "-m", "promptbench", *arguments],
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
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
        """Waits until `question` is shown, and types a line."""
        self._wait_for(question)
        os.write(self._ours, f"{typed}\n".encode())

    def interrupt(self, question: str) -> None:
        """Waits until `question` is shown, and presses ^C."""
        self._wait_for(question)
        os.write(self._ours, b"\x03")

    def end(self) -> int:
        """Waits for the command to end; its exit code."""
        while self._read(30):
            pass
        return self._process.wait(30)

    def _wait_for(self, question: str) -> None:
        end = time.monotonic() + 30
        while question not in self.shown[self._seen :]:
            assert time.monotonic() < end and self._read(30), f"{question!r} was not asked:\n{self.shown}"
        self._seen = self.shown.index(question, self._seen) + len(question)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], seconds)
        try:
            data = os.read(self._ours, 65536) if ready else b""
        except OSError:  # the other side is closed
            return False
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

"""Show the progress of a run: a bar if stderr is a terminal, else a line every ten seconds."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from promptbench.cli.output import coloured, say, without_keys
from promptbench.core.events import AttemptDone, CallMeasured, Event, MoreWanted, Notice, RunStarted
from promptbench.core.types import Outcome
from promptbench.report.words import clean

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from promptbench.workflows.logs.import_logs import ImportState

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Listens to a run and shows its progress on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._total = self._done = self._failed = self._errored = 0
        self._last = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def listen(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._print(clean(event.text))
        elif self._quiet:
            return
        elif isinstance(event, RunStarted):
            self._start(event)
        elif isinstance(event, MoreWanted):
            self._total += event.count
            self._show()
        elif isinstance(event, AttemptDone):
            self._done += 1
            self._failed += event.attempt.outcome is Outcome.FAILED
            self._errored += event.attempt.outcome is Outcome.ERRORED
            self._show()
        elif isinstance(event, CallMeasured):
            self._done += 1
            self._errored += event.errored
            self._show()

    def _start(self, event: RunStarted) -> None:
        self._stop()
        self._name, self._total, self._done = event.suite, event.total, event.kept
        self._failed = self._errored = 0
        if event.kept:
            self._print(f"{event.suite}: resumes run {event.run}, {event.kept} of {event.total} attempts are recorded")
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            console = Console(stderr=True, no_color=not coloured(sys.stderr), highlight=False)
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[counts]}", markup=False),
                TimeElapsedColumn(),
            )
            self._bar = Bar(*columns, console=console, transient=True, expand=True)
            self._task = self._bar.add_task(clean(event.suite), total=self._total, completed=self._done, counts="")
            self._bar.start()

    def _show(self) -> None:
        counts = f"{self._failed} failed" + (f", {self._errored} errored" if self._errored else "")
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, total=self._total, counts=counts)
        elif time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            say(f"{self._name}: {self._done} of {self._total} attempts, {counts}")

    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(without_keys(text), markup=False, highlight=False)
        else:
            say(text)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None


class ImportProgress:
    """Shows the progress of an import on stderr: a bar over the bytes of a file, and the number of calls."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._last = time.monotonic()

    def __enter__(self) -> ImportProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def listen(self, reading: ImportState) -> None:
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._show(reading)
        elif time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            share = f", {reading.done / reading.size:.0%}" if reading.size else ""
            say(f"{clean(reading.name)}: {reading.calls:,} calls{share}")

    def _show(self, reading: ImportState) -> None:
        if self._bar is None:
            self._bar = _byte_bar()
            self._bar.start()
        if self._task is None or reading.name != self._name:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._name = reading.name
            self._task = self._bar.add_task(clean(reading.name), total=reading.size, counts="")
        self._bar.update(self._task, completed=reading.done, counts=f"{reading.calls:,} calls")


def _byte_bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TextColumn("{task.fields[counts]}", markup=False),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, no_color=not coloured(sys.stderr), highlight=False)
    return Bar(*columns, console=console, transient=True, expand=True)

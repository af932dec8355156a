"""Show the progress of a run: a bar if stderr is a terminal, else a line every ten seconds.

Both have the attempts made, the failures, the time left and the cost so far.
"""

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from promptbench.cli.output import coloured, say, without_keys
from promptbench.core.events import AttemptDone, CallMeasured, Event, MoreWanted, Notice, RunStarted
from promptbench.core.types import Attempt, Outcome
from promptbench.report.words import clean, money

if TYPE_CHECKING:
    from rich.progress import Progress as Bar, TaskID

_SECONDS_BETWEEN_LINES = 10.0
# The first calls wait for connections and models to load, so they say little about the rest.
_SECONDS_BEFORE_ESTIMATE = 2.0


class _Shown:
    """A bar for one task at a time. Without a terminal, `_is_due` is True every ten seconds."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self, name: str, total: int | None, done: int, *, in_bytes: bool = False) -> None:
        """Replace the bar by one for another task, on a terminal."""
        self._stop()
        self._name = name
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            return
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=None),
            progress.DownloadColumn() if in_bytes else progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[counts]}", markup=False),
            *([progress.TimeRemainingColumn()] if in_bytes else []),
            console=Console(stderr=True, no_color=not coloured(sys.stderr), highlight=False),
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task(clean(name), total=total, completed=done, counts="")
        self._bar.start()

    def _is_due(self) -> bool:
        if time.monotonic() - self._last < _SECONDS_BETWEEN_LINES:
            return False
        self._last = time.monotonic()
        return True

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None


class Progress(_Shown):
    """Shows the attempts of a run."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._total = self._done = self._kept = self._failed = self._errored = 0
        self._began = time.monotonic()
        self._cost: float | None = 0.0

    def listen(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._print(clean(event.text))
        elif self._quiet:
            return
        elif isinstance(event, RunStarted):
            self._total, self._done, self._kept, self._failed, self._errored = event.total, event.kept, event.kept, 0, 0
            self._began, self._cost = time.monotonic(), 0.0
            if event.kept:
                attempts = f"{event.kept} of {event.total} attempts are recorded"
                self._print(f"{event.suite}: resumes run {event.run}, {attempts}")
            self._start(event.suite, event.total, event.kept)
        elif isinstance(event, MoreWanted):
            self._total += event.count
            self._update()
        elif isinstance(event, AttemptDone | CallMeasured):
            self._done += 1
            if isinstance(event, AttemptDone):
                self._failed += event.attempt.outcome is Outcome.FAILED
                self._errored += event.attempt.outcome is Outcome.ERRORED
                self._spend(_cost_of(event.attempt))
            else:
                self._errored += event.errored
                self._spend(0.0 if event.errored else event.cost)
            self._update()

    def _update(self) -> None:
        counts = f"{self._failed} failed" + (f", {self._errored} errored" if self._errored else "")
        counts += self._time_left() + (f", {money(self._cost)}" if self._cost else "")
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, total=self._total, counts=counts)
        elif self._is_due():
            say(f"{self._name}: {self._done} of {self._total} attempts, {counts}")

    def _spend(self, cost: float | None) -> None:
        # One unknown price makes the sum unknown.
        self._cost = None if self._cost is None or cost is None else self._cost + cost

    def _time_left(self) -> str:
        made, spent = self._done - self._kept, time.monotonic() - self._began
        if made <= 0 or self._done >= self._total or spent < _SECONDS_BEFORE_ESTIMATE:
            return ""
        seconds = spent / made * (self._total - self._done)
        return f", {seconds:.0f} s left" if seconds < 120 else f", {seconds / 60:.0f} min left"

    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(without_keys(text), markup=False, highlight=False)
        else:
            say(text)


def _cost_of(attempt: Attempt) -> float | None:
    """Return what an attempt cost with its judges, in US dollars; None is unknown. Without an answer it is free."""
    own = 0.0 if attempt.cached or attempt.answer is None else attempt.cost
    judged = [judging.cost for judging in attempt.judgings if judging.answer is not None]
    return None if own is None or None in judged else own + sum(filter(None, judged))


class ImportProgress(_Shown):
    """Shows how much of a log is read, in bytes, and the number of calls in it."""

    def listen(self, name: str, done: int, size: int | None, calls: int) -> None:
        if self._quiet:
            return
        if name != self._name:
            self._start(name, size, done, in_bytes=True)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, counts=f"{calls:,} calls")
        elif self._is_due():
            share = f", {done / size:.0%}" if size else ""
            say(f"{clean(name)}: {calls:,} calls{share}")

"""The cases whose state is worth a look, as text: grouped by state, then by cause, with both answers word by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptbench.core.words import number_of
from promptbench.report.model import FlipRow, Row, RunReport, Side
from promptbench.report.word_diff import Piece, comparable, word_diff
from promptbench.report.words import Target, clean, cut, excerpt, width_of

_STATES = {
    # Each state with its colour, and whether its cases are shown with their answers.
    "broken": ("red", True),
    "unstable": ("yellow", True),
    "failing": ("yellow", True),
    "still failing": ("yellow", True),
    "no answer": ("magenta", False),
    "not reproduced": ("cyan", False),
    "flaky": ("cyan", False),
    "quarantined": ("cyan", True),
    "fixed": ("green", False),
}
_DETAILS = 10
"""Flips that are shown with their answers, unless all are wanted."""
_NAMES = 4
"""Lines for the names of the others."""
_NAME = 200
_STYLES = {"removed": "red", "added": "green"}


@dataclass(frozen=True, slots=True)
class FlipLine:
    """A line, or a paragraph that is wrapped: its indent in columns, and its parts, each a text with its style."""

    indent: int
    parts: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, indent: int, text: str, style: str = "") -> FlipLine:
        return cls(indent, [(text, style)])


def lines(report: RunReport, target: Target) -> Iterator[FlipLine]:
    """All groups, an empty line before each."""
    several = len({row.model for row in report.rows if row.gated}) > 1
    compared = any(item.mode == "comparison" for item in report.judgements)
    writer = _Writer(target, *(("A", "B") if compared else ("production", "answer")))
    for state, (colour, detailed) in _STATES.items():
        for model in dict.fromkeys(flip.model for flip in report.flips if flip.flip == state):
            group = [flip for flip in report.flips if (flip.flip, flip.model) == (state, model)]
            where = f" on {excerpt(model, _NAME)}" if several else ""
            yield FlipLine.of(0, "")
            yield FlipLine.of(0, f"{state} ({len(group)}){where}", f"bold {colour}")
            yield from writer.group(group, detailed=detailed or target.verbose)
    if writer.hidden:
        yield FlipLine.of(0, "")
        yield FlipLine.of(0, f"{number_of(writer.hidden, 'case')} not shown in full: --verbose", "dim")


def counted(report: RunReport, row: Row) -> str:
    """How many cases the judged prompt fixed and broke on a model, as +fixed −broken; empty for every other row."""
    judged = next(iter(report.judgements), None)
    if judged is None or judged.mode not in ("champion", "comparison") or not (row.gated and row.attempts):
        return ""
    is_candidate = row.side == "candidate" and row.prompt == judged.candidate.removesuffix(".prompt")
    if not (is_candidate or row.side == "B"):
        return ""
    count = Counter(flip.flip for flip in report.flips if flip.model == row.model)
    return f"+{count['fixed']} −{count['broken']}"


class _Writer:
    """Writes groups until as many flips are shown as a reader takes in."""

    def __init__(self, target: Target, theirs: str, ours: str) -> None:
        self._width = target.width
        self._verbose = target.verbose
        self._theirs = theirs
        self._ours = ours
        self._left = _DETAILS
        self.hidden = 0
        """Cases that failed, and whose answers are not shown."""

    def group(self, group: Sequence[FlipRow], *, detailed: bool) -> Iterator[FlipLine]:
        if not detailed:
            yield from self._names(2, group, "")
            return
        clusters: dict[str, list[FlipRow]] = {}
        for number, flip in enumerate(group):
            clusters.setdefault(flip.cause or str(number), []).append(flip)
        ordered = sorted(clusters.values(), key=lambda cluster: -len(cluster))
        quotas = self._quotas([len(cluster) for cluster in ordered])
        alone: list[FlipRow] = []
        for cluster, quota in zip(ordered, quotas, strict=True):
            if len(cluster) == 1 and not quota:
                alone += cluster
                continue
            indent = 2
            if len(cluster) > 1:
                yield FlipLine.of(2, excerpt(f"{len(cluster)} × {cluster[0].cause}", self._width - 2), "bold")
                indent = 4
            for flip in cluster[:quota]:
                yield from self._detail(flip, indent)
            yield from self._names(indent, cluster[quota:], f"and {len(cluster) - quota} more: " if quota else "")
        yield from self._names(2, alone, f"and {len(alone)} more: ")
        self.hidden += len(group) - sum(quotas)

    def _quotas(self, sizes: Sequence[int]) -> list[int]:
        """How many of each cluster are shown: one of each first, then the next of each, while there is room."""
        if self._verbose:
            return list(sizes)
        quotas = [0] * len(sizes)
        while self._left and (open_ := [index for index, size in enumerate(sizes) if quotas[index] < size]):
            for index in open_[: self._left]:
                quotas[index] += 1
            self._left -= min(self._left, len(open_))
        return quotas

    def _names(self, indent: int, flips: Sequence[FlipRow], before: str) -> Iterator[FlipLine]:
        if not flips:
            return
        room, names = _NAMES * (self._width - indent) - width_of(before) - 20, list[str]()
        for flip in flips:
            name = excerpt(flip.case, _NAME)
            room -= width_of(name) + 2
            if names and room < 0 and not self._verbose:
                break
            names.append(name)
        rest = f" … and {len(flips) - len(names)} more" if len(names) < len(flips) else ""
        yield FlipLine.of(indent, before + ", ".join(names) + rest)

    def _detail(self, flip: FlipRow, indent: int) -> Iterator[FlipLine]:
        marks = [mark for mark, true in (("critical", flip.critical), ("from the log", flip.logged)) if true]
        about = f" [{', '.join(marks)}]" if marks else ""
        if flip.candidate.attempts > 1:
            theirs = f", {self._theirs} {self._passes(flip.champion)}" if flip.champion else ""
            about += f" (passes {self._passes(flip.candidate)}{theirs})"
        width = self._width - indent
        yield FlipLine.of(indent, excerpt(flip.case, max(10, width - width_of(about))) + about)
        for note in flip.notes:
            yield FlipLine.of(indent + 2, clean(note))
        for reason in flip.candidate.reasons[: None if self._verbose else 2]:
            yield FlipLine.of(indent + 2, excerpt(reason, (width - 2) * (_NAMES if self._verbose else 1)))
        if flip.candidate.answer is not None:
            yield from self._answers(flip, flip.candidate.answer, indent + 2)

    def _passes(self, side: Side) -> str:
        passes = f"{side.passed}/{side.attempts}"
        if self._verbose and side.interval:
            low, high = (round(bound * 100) for bound in side.interval)
            passes += f" = {low}–{high} %"
        return passes

    def _answers(self, flip: FlipRow, answer: str, indent: int) -> Iterator[FlipLine]:
        """The answer beside what is expected, or beside the other side's where that is what differs."""
        before, label, ours = flip.expected, "expected", answer
        differs = flip.flip in ("broken", "unstable", "fixed")
        if differs and flip.champion and flip.champion.answer is not None:
            before, label = flip.champion.answer, self._theirs
        elif before is not None:
            before, ours = comparable(before, answer)
        pieces = word_diff(before, ours) if before is not None else None
        if pieces:
            first = pieces[0]
            pieces[0] = Piece(first.kind, first.text.lstrip())
            parts = [(str(piece), _STYLES.get(piece.kind, "")) for piece in pieces]
            yield FlipLine(indent, [(f"{label} → {self._ours}: ", ""), *self._fitting(parts, indent)])
            return
        if before is not None and before != ours:
            yield FlipLine.of(indent, f"{label}: " + self._excerpt(before, indent + len(label) + 2))
        yield FlipLine.of(indent, f"{self._ours}: " + self._excerpt(answer, indent + len(self._ours) + 2))

    def _excerpt(self, text: str, indent: int) -> str:
        return excerpt(text, (self._width - indent) * (_NAMES if self._verbose else 1)) or "(empty)"

    def _fitting(self, parts: Sequence[tuple[str, str]], indent: int) -> Iterator[tuple[str, str]]:
        room = (self._width - indent) * (_NAMES * 2 if self._verbose else 2)
        for text, style in parts:
            if room <= 0:
                return
            yield cut(text, room), style
            room -= width_of(text)


def check_changes(report: RunReport) -> Iterator[str]:
    """What became of each check, in a line for each model."""
    models = dict.fromkeys(change.model for change in report.checks)
    for model in models:
        changes = [change for change in report.checks if change.model == model]
        parts = [
            f"{change.check} " + ", ".join(f"{n} {what}" for what, n in _counts(change.fixed, change.broken))
            for change in sorted(changes, key=lambda change: (-change.broken, -change.fixed, change.check))
        ]
        where = f" on {model}" if len(models) > 1 else ""
        yield clean(f"checks{where}: {' · '.join(parts)}")


def _counts(fixed: int, broken: int) -> Iterator[tuple[str, int]]:
    if fixed:
        yield "fixed", fixed
    if broken:
        yield "broken", broken


def not_compared(report: RunReport) -> Iterator[str]:
    """The cases that were left out of a comparison, and why."""
    for why, names in report.left_out.items():
        yield f"not compared, {clean(why)}: " + excerpt(", ".join(names), _NAME)

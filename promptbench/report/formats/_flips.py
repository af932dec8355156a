"""The cases whose state is worth a look, as text: grouped by state, then by cause, with both answers word by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptbench.core.words import number_of
from promptbench.report.again import for_cases
from promptbench.report.model import FlipRow, Row, RunReport, Side
from promptbench.report.word_diff import Piece, comparable, word_diff
from promptbench.report.words import Target, clean, cut, excerpt, width_of

_STATES = {
    # Each state with its colour, whether its cases are shown with their answers, and what it means of A and B.
    "broken": ("red", True, "{A} passes, {B} fails"),
    "unstable": ("yellow", True, "{A} passes, {B} in some tries only"),
    "failing": ("yellow", True, ""),
    "still failing": ("yellow", True, "{A} and {B} fail"),
    "no answer": ("magenta", False, "the provider gave none"),
    "not reproduced": ("cyan", False, "{A} failed, and then no more"),
    "flaky": ("cyan", False, "some tries fail, of {B} no more than of {A}"),
    "quarantined": ("cyan", True, "set apart, decides nothing"),
    "fixed": ("green", False, "{A} fails, {B} passes"),
}
_DETAILS = 10
"""Flips that are shown with their answers, unless all are wanted."""
_NAMES = 4
"""Lines for the names of the others."""
_NAME = 200
_RIGHT, _WRONG, _NEITHER = "green", "red", "yellow"


@dataclass(frozen=True, slots=True)
class FlipLine:
    """A line, or a paragraph that is wrapped: its indent in columns, and its parts, each a text with its style.

    A `whole` one is never wrapped, so that it can be copied.
    """

    indent: int
    parts: Sequence[tuple[str, str]]
    whole: bool = False

    @classmethod
    def of(cls, indent: int, text: str, style: str = "") -> FlipLine:
        return cls(indent, [(text, style)])


def lines(report: RunReport, target: Target) -> Iterator[FlipLine]:
    """All groups, an empty line before each."""
    several = len({row.model for row in report.rows if row.gated}) > 1
    writer = _Writer(target, report.reproduce, *_sides(report))
    for state, (colour, detailed, meaning) in _STATES.items():
        for model in dict.fromkeys(flip.model for flip in report.flips if flip.flip == state):
            group = [flip for flip in report.flips if (flip.flip, flip.model) == (state, model)]
            where = f" on {excerpt(model, _NAME)}" if several else ""
            means = f": {meaning.format(A=writer.theirs, B=writer.ours)}" if meaning else ""
            yield FlipLine.of(0, "")
            yield FlipLine(0, [(f"{state} ({len(group)}){where}", f"bold {colour}"), (means, "")])
            yield from writer.group(group, detailed=detailed or target.verbose)
    about = []
    if writer.hidden:
        about.append(f"{number_of(writer.hidden, 'case')} not shown in full: --verbose")
    if writer.marked:
        about.append("[-so-] is only in what stands before the arrow, {+so+} only behind it")
    if about:
        yield FlipLine.of(0, "")
    yield from (FlipLine.of(0, line, "dim") for line in about)


def _sides(report: RunReport) -> tuple[str, str]:
    """What the two sides are called, and the only one where nothing is compared."""
    mode = next((item.mode for item in report.judgements), "")
    if mode == "comparison":
        return "A", "B"
    return "production", "candidate" if mode == "champion" else "answer"


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

    def __init__(self, target: Target, command: str, theirs: str, ours: str) -> None:
        self._width = target.width
        self._verbose = target.verbose
        self._command = command
        self.theirs = theirs
        self.ours = ours
        self._left = _DETAILS
        self.hidden = 0
        """Cases that failed, and whose answers are not shown."""
        self.marked = False
        """Whether words are marked that differ."""

    def group(self, group: Sequence[FlipRow], *, detailed: bool) -> Iterator[FlipLine]:
        if not detailed:
            yield from self._names(2, group, "")
            yield from self._again([flip for flip in group if flip.flip == "no answer"][:_DETAILS], 2)
            return
        clusters: dict[str, list[FlipRow]] = {}
        for number, flip in enumerate(group):
            clusters.setdefault(flip.cause or str(number), []).append(flip)
        ordered = sorted(clusters.values(), key=lambda cluster: -len(cluster))
        quotas = self._quotas([len(cluster) for cluster in ordered])
        shown: list[FlipRow] = []
        alone: list[FlipRow] = []
        for cluster, quota in zip(ordered, quotas, strict=True):
            if len(cluster) == 1 and not quota:
                alone += cluster
                continue
            indent, said = 2, ""
            if len(cluster) > 1:
                said = _shared_reason(cluster)
                title = f"{number_of(len(cluster), 'case')}: {said or cluster[0].cause}"
                yield FlipLine.of(2, excerpt(title, self._width - 2), "bold")
                indent = 4
            for flip in cluster[:quota]:
                yield from self._detail(flip, indent, said)
            yield from self._names(indent, cluster[quota:], f"and {len(cluster) - quota} more: " if quota else "")
            shown += cluster[:quota]
        yield from self._names(2, alone, f"and {len(alone)} more: ")
        if not self._verbose:
            yield from self._again(shown, 2)
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
        """Names in lines of their own: a name is broken only where it is longer than a line."""
        if not flips:
            return
        line, most = before, len(flips) if self._verbose else _NAMES
        for number, flip in enumerate(flips):
            last = number == len(flips) - 1
            name = excerpt(flip.case, _NAME) + ("" if last else ", ")
            if line and width_of(line) + width_of(name.rstrip()) > self._width - indent:
                yield FlipLine.of(indent, line.rstrip())
                line, most = "", most - 1
                if most <= 0 and not last:
                    yield FlipLine.of(indent, f"and {number_of(len(flips) - number, 'other')}")
                    return
            line += name
        yield FlipLine.of(indent, line)

    def _detail(self, flip: FlipRow, indent: int, said: str) -> Iterator[FlipLine]:
        """A case with its reasons, but for what is `said` of all around it, and with its answers."""
        marks = [mark for mark, true in (("critical", flip.critical), ("from the log", flip.logged)) if true]
        about = f" [{', '.join(marks)}]" if marks else ""
        if flip.candidate.attempts > 1:
            theirs = f", {self.theirs} {self._passes(flip.champion)}" if flip.champion else ""
            about += f" (passes {self._passes(flip.candidate, ' tries')}{theirs})"
        width = self._width - indent
        yield FlipLine.of(indent, excerpt(flip.case, max(10, width - width_of(about))) + about)
        for note in flip.notes:
            yield FlipLine.of(indent + 2, clean(note))
        reasons = [reason for reason in _distinct(flip.candidate.reasons) if reason != said]
        for reason in reasons[: None if self._verbose else 2]:
            yield FlipLine.of(indent + 2, excerpt(reason, (width - 2) * (_NAMES if self._verbose else 1)))
        if flip.candidate.answer is not None:
            yield from self._answers(flip, flip.candidate.answer, indent + 2)
        if self._verbose:
            yield from self._again([flip], indent + 2)

    def _again(self, flips: Sequence[FlipRow], indent: int) -> Iterator[FlipLine]:
        if names := [flip.case for flip in flips if flip.flip != "fixed"]:
            command = clean(f"again: {for_cases(self._command, names)}")
            yield FlipLine(indent, [(command, "dim")], whole=True)

    def _passes(self, side: Side, tries: str = "") -> str:
        passes = f"{side.passed} of {side.attempts}{tries}"
        if self._verbose and side.interval:
            low, high = (round(bound * 100) for bound in side.interval)
            passes += f" = {low}–{high} %"
        return passes

    def _answers(self, flip: FlipRow, answer: str, indent: int) -> Iterator[FlipLine]:
        """The answer beside the expected one, where that is known and was not given, and beside the other side's."""
        before, label, ours = flip.expected, "expected", answer
        theirs = flip.champion.answer if flip.champion else None
        if before is None or flip.flip == "fixed":
            before, label = theirs, self.theirs
        else:
            before, ours = comparable(before, answer)
        pieces = word_diff(before, ours) if before is not None else None
        if label == "expected" and not pieces and before is not None and before != ours:
            yield from self._answer(label, before, indent)
        if not pieces and theirs is not None and theirs.strip() == answer.strip():
            yield from self._answer(f"{self.theirs} and {self.ours}", answer, indent)
            return
        if theirs is not None and (label == "expected" or not pieces):
            yield from self._answer(self.theirs, theirs, indent)
        if not pieces:
            yield from self._answer(self.ours, answer, indent)
            return
        self.marked = True
        pieces[0] = Piece(pieces[0].kind, pieces[0].text.lstrip())
        styles = _styles(flip.flip, against_right=label == "expected")
        parts = [(str(piece), styles.get(piece.kind, "")) for piece in pieces]
        yield FlipLine(indent, [(f"{label} → {self.ours}: ", ""), *self._fitting(parts, indent)])

    def _answer(self, whose: str, text: str, indent: int) -> Iterator[FlipLine]:
        yield FlipLine.of(indent, f"{whose}: " + self._excerpt(text, indent + len(whose) + 2))

    def _excerpt(self, text: str, indent: int) -> str:
        return excerpt(text, (self._width - indent) * (_NAMES if self._verbose else 1)) or "(empty)"

    def _fitting(self, parts: Sequence[tuple[str, str]], indent: int) -> Iterator[tuple[str, str]]:
        room = (self._width - indent) * (_NAMES * 2 if self._verbose else 2)
        for text, style in parts:
            if room <= 0:
                return
            yield cut(text, room), style
            room -= width_of(text)


def _styles(state: str, *, against_right: bool) -> dict[str, str]:
    """The colours of words that only the one and only the other answer has."""
    if state == "fixed":
        return {"removed": _WRONG, "added": _RIGHT}
    if against_right or state in ("broken", "unstable"):
        return {"removed": _RIGHT, "added": _WRONG}
    return {"removed": _NEITHER, "added": _NEITHER}


def _shared_reason(cluster: Sequence[FlipRow]) -> str:
    """What is said of every case in it; empty where that differs in a detail."""
    first = {next(iter(flip.candidate.reasons), "") for flip in cluster}
    return first.pop() if len(first) == 1 else ""


def _distinct(reasons: Sequence[str]) -> Iterator[str]:
    """The reasons of checks, each once: an answer that is no JSON fails every check that reads it by the same words."""
    said = set[str]()
    for reason in reasons:
        text = reason.partition(": ")[2]
        if text not in said:
            yield reason
        if text:
            said.add(text)


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

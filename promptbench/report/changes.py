"""The part of a page about what changed: every case that is worth a look, with what was expected and what came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from itertools import groupby
from urllib.parse import urlencode

from promptbench.core.words import number_of
from promptbench.report.markup import shown
from promptbench.report.model import Explored, FlipRow, RunReport
from promptbench.report.word_diff import Piece, comparable, word_diff
from promptbench.report.words import clean, excerpt

STATES = {
    # Each state with the tone it is shown in, those that want a look first.
    "broken": "bad",
    "unstable": "warn",
    "failing": "bad",
    "still failing": "warn",
    "flaky": "none",
    "no answer": "none",
    "not reproduced": "none",
    "quarantined": "none",
    "fixed": "good",
    "still passing": "quiet",
    "passing": "quiet",
}
_DIFFERENT = ("broken", "unstable", "fixed")
"""States in which production's answer is what the candidate's is to be compared with."""
_DETAILS, _FIXED_DETAILS = 10, 3
"""Cases that are shown with their answers: those that want a look, and those that are fixed."""
_NAMES = 20
_LONGEST = 300
_MOST_DIFF_LINES = 400


def changed(report: RunReport, place: int) -> Iterator[str]:
    """How many cases are in each state, then those that want a look, by state and by what they fail for."""
    yield from _chips(report, place)
    left = _DETAILS
    for state, tone in STATES.items():
        group = [flip for flip in report.flips if flip.flip == state]
        if not group or state in ("still passing", "passing"):
            continue
        room = _FIXED_DETAILS if state == "fixed" else left
        yield f'<section class="state">\n<h4><span class="tag {tone}">{state}</span> {len(group):,}</h4>\n'
        yield from _Group(report, place).lines(group, room)
        yield "</section>\n"
        left -= min(left, len(group)) if state != "fixed" else 0
    if report.explored:
        yield from _prompt_changes(report.explored)


def _chips(report: RunReport, place: int) -> Iterator[str]:
    """The states with their counts; each leads to its cases where the page has them."""
    counts = {state: report.judgements[0].counts.get(state, 0) for state in STATES} if report.judgements else {}
    for flip in report.flips:
        if not counts.get(flip.flip):
            counts[flip.flip] = sum(other.flip == flip.flip for other in report.flips)
    if not any(counts.values()):
        return
    yield '<ul class="chips">\n'
    for state, count in counts.items():
        if not count:
            continue
        says = f"{shown(state)} <b>{count:,}</b>"
        tone = f"chip {STATES.get(state, 'none')}"
        if report.explored:
            yield f'<li><a class="{tone}" href="#{shown(urlencode({"run": place, "state": state}))}">{says}</a></li>\n'
        else:
            yield f'<li><span class="{tone}">{says}</span></li>\n'
    yield "</ul>\n"


class _Group:
    """Writes the cases of one state."""

    def __init__(self, report: RunReport, place: int) -> None:
        self._place = place
        self._linked = report.explored is not None
        self._several = len({row.model for row in report.rows if row.gated}) > 1
        compared = any(item.mode == "comparison" for item in report.judgements)
        self._sides = ("A", "B") if compared else ("production", "candidate")

    def lines(self, group: Sequence[FlipRow], room: int) -> Iterator[str]:
        """The cases by cause, the most frequent first; `room` of them with their answers, one of each cause first."""
        causes: dict[str, list[FlipRow]] = {}
        for number, flip in enumerate(group):
            causes.setdefault(flip.cause or f"\0{number}", []).append(flip)
        clusters = sorted(causes.values(), key=lambda cluster: (not cluster[0].critical, -len(cluster)))
        quotas = _quotas([len(cluster) for cluster in clusters], room)
        alone: list[FlipRow] = []
        for single, found in groupby(zip(clusters, quotas, strict=True), key=lambda item: len(item[0]) == 1):
            if single:
                detailed, hidden = list[FlipRow](), list[FlipRow]()
                for [flip], quota in found:
                    (detailed if quota else hidden).append(flip)
                yield self._list(detailed)
                alone += hidden
                continue
            for cluster, quota in found:
                yield f'<p class="cause"><b>{len(cluster):,} ×</b> {shown(excerpt(cluster[0].cause, _LONGEST))}</p>\n'
                yield self._list(cluster[:quota])
                yield self._names(cluster[quota:], after=quota > 0)
        yield self._names(alone, after=any(quotas))

    def _list(self, flips: Sequence[FlipRow]) -> str:
        return f'<ul class="flips">\n{"".join(map(self._flip, flips))}</ul>\n' if flips else ""

    def _names(self, flips: Sequence[FlipRow], *, after: bool) -> str:
        if not flips:
            return ""
        names = ", ".join(map(self._link, flips[:_NAMES]))
        rest = f" … and {len(flips) - _NAMES:,} more" if len(flips) > _NAMES else ""
        return f'<p class="names">{f"and {len(flips):,} more: " if after else ""}{names}{rest}</p>\n'

    def _link(self, flip: FlipRow) -> str:
        name = shown(excerpt(flip.case, _LONGEST))
        if not self._linked:
            return f"<span>{name}</span>"
        # An address cannot hold half a pair; the page looks for the name with the same sign in its place.
        case = flip.case.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return f'<a href="#{shown(urlencode({"run": self._place, "case": case, "on": flip.model}))}">{name}</a>'

    def _flip(self, flip: FlipRow) -> str:
        theirs, _ = self._sides
        tries = f"passes {flip.candidate.passed} of {flip.candidate.attempts}" if flip.candidate.attempts > 1 else ""
        if tries and flip.champion:
            tries += f", {theirs} {flip.champion.passed} of {flip.champion.attempts}"
        facts = {
            flip.model if self._several else "": True,
            tries: True,
            "critical": flip.critical,
            "from the log": flip.logged,
        }
        about = " · ".join(fact for fact, true in facts.items() if fact and true)
        rows = "".join(
            (f"<dt>{name}</dt>" if name else "") + f"<dd{kind}>{text}</dd>\n" for name, kind, text in self._said(flip)
        )
        return (
            f'<li>{self._link(flip)} <span class="small">{shown(about)}</span>\n<dl class="said">\n{rows}</dl></li>\n'
        )

    def _said(self, flip: FlipRow) -> Iterator[tuple[str, str, str]]:
        """What was expected, what production and the candidate answered, and why that is wrong: the name of each, empty
        where it is as before; the attribute of the element, and its content.
        """
        theirs, ours = self._sides
        production = flip.champion.answer if flip.champion and flip.flip in _DIFFERENT else None
        before, after = production, flip.candidate.answer
        if before is None and flip.expected is not None and after is not None:
            before, after = comparable(flip.expected, after)
        # What is right is green and what is wrong red.
        tones = ("bad", "good") if flip.flip == "fixed" else ("good", "bad")
        both = _marked(before, after, tones)
        if flip.expected is not None:
            yield "expected", ' class="mono"', both[0] if production is None else _text(flip.expected)
        if production is not None:
            yield theirs, ' class="mono"', both[0]
        if flip.candidate.answer is not None:
            yield ours, ' class="mono"', both[1]
        wrong = flip.champion if flip.flip == "fixed" and flip.champion else flip.candidate
        title = "why" if wrong is flip.candidate else "was wrong"
        for number, reason in enumerate(wrong.reasons[:2]):
            yield "" if number else title, "", shown(excerpt(reason, _LONGEST))
        for number, note in enumerate(flip.notes):
            yield "" if number else "note", "", shown(excerpt(note, _LONGEST))


def _quotas(sizes: Sequence[int], room: int) -> list[int]:
    """How many of each cluster are shown: one of each first, then the next of each, while there is room."""
    quotas = [0] * len(sizes)
    while room and (open_ := [index for index, size in enumerate(sizes) if quotas[index] < size]):
        for index in open_[:room]:
            quotas[index] += 1
        room -= min(room, len(open_))
    return quotas


def _marked(before: str | None, after: str | None, tones: tuple[str, str]) -> tuple[str, str]:
    """Two texts, in each what the other has not as an element; without that where they have too little in common."""
    pieces = word_diff(before, after) if before is not None and after is not None else None
    if not pieces:
        return _text(before), _text(after)
    return _side(pieces, "removed", tones[0]), _side(pieces, "added", tones[1])


def _side(pieces: Sequence[Piece], kind: str, tone: str) -> str:
    found, room = [], _LONGEST
    for piece in pieces:
        if piece.kind not in ("same", kind):
            continue
        if room <= 0:
            found.append("…")
            break
        text = shown(excerpt(piece.text, room))
        found.append(text if piece.kind == "same" else f'<mark class="{tone}">{text}</mark>')
        room -= len(piece.text)
    return "".join(found).strip()


def _text(text: str | None) -> str:
    return shown(excerpt(text or "", _LONGEST)) or '<span class="small">(empty)</span>'


def _prompt_changes(explored: Explored) -> Iterator[str]:
    """Each candidate's text beside that of production, as lines taken out and put in."""
    champion = next((prompt for prompt in explored.prompts if prompt.side == "champion"), None)
    for prompt in explored.prompts:
        if champion is None or prompt is champion:
            continue
        lines = list(unified_diff(champion.source.splitlines(), prompt.source.splitlines(), lineterm="", n=3))[2:]
        count = number_of(sum(line[:1] in "+-" for line in lines), "line")
        yield f"<details><summary>The prompt, from {shown(clean(champion.label))} to {shown(clean(prompt.label))}: "
        yield f'{count}</summary>\n<pre class="diff" tabindex="0">'
        yield "\n".join(map(_diff_line, lines[:_MOST_DIFF_LINES])) + "</pre>\n"
        if len(lines) > _MOST_DIFF_LINES:
            yield f'<p class="small">and {len(lines) - _MOST_DIFF_LINES:,} more lines</p>\n'
        yield "</details>\n"


def _diff_line(line: str) -> str:
    tag = {"+": "ins", "-": "del"}.get(line[:1])
    return f"<{tag}>{shown(line)}</{tag}>" if tag else shown(line)

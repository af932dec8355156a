"""Sections of a report for the cases that need attention: by state, then by cause, with both answers."""

import shlex
from collections.abc import Iterator, Sequence

from promptbench.core.words import number_of
from promptbench.report.diff import Piece, comparable, word_diff
from promptbench.report.document import Block, CodeBlock, Item, ItemLine, Section, Text, Tone
from promptbench.report.model import FlipRow, RunReport, SideResult

# Each state with its tone, whether its cases are shown with their answers, and what it means of the sides A and B.
_STATES: dict[str, tuple[Tone, bool, str]] = {
    "broken": ("bad", True, "{A} passes, {B} fails"),
    "unstable": ("warn", True, "{A} passes, {B} in some tries only"),
    "failing": ("bad", True, ""),
    "still failing": ("warn", True, "{A} and {B} fail"),
    "no answer": ("none", False, "the provider gave none"),
    "not reproduced": ("none", False, "{A} failed in the log or the screen, then passed"),
    "flaky": ("none", False, "some tries fail, of {B} no more than of {A}"),
    "quarantined": ("none", True, "in quarantine, not judged"),
    "fixed": ("good", False, "{A} fails, {B} passes"),
}
# Cases that are shown with their answers without --verbose, and reasons of each.
_DETAILS = 10
_REASONS = 2
_STEPS = 8
_NAMES = 20
# Options of the run that a command for some cases leaves out.
_SELECTING = ("--case", "--tag", "--shard")


def change_sections(run: RunReport) -> Iterator[Section]:
    """Yield a section for each state on each model, those that need attention first."""
    several = len({row.model for row in run.rows if row.gated}) > 1
    writer = _Writer(run)
    for state, (tone, detailed, meaning) in _STATES.items():
        for model in dict.fromkeys(flip.model for flip in run.flips if flip.flip == state):
            group = [flip for flip in run.flips if (flip.flip, flip.model) == (state, model)]
            yield Section(
                list(writer.group(group, detailed=detailed)),
                title=f"{state} ({len(group)})" + (f" on {model}" if several else ""),
                tone=tone,
                about=meaning.format(A=writer.theirs, B=writer.ours),
                cases=True,
                link={"state": state},
            )
    if writer.hidden:
        hint = Text(f"{number_of(writer.hidden, 'case')} not shown in full: --verbose", "quiet", detail="hint")
        yield Section([hint], cases=True)


class _Writer:
    """Writes groups of cases until as many are shown with their answers as a reader takes in."""

    def __init__(self, run: RunReport) -> None:
        mode = next((item.mode for item in run.judgements), "")
        self.theirs = "A" if mode == "comparison" else "production"
        self.ours = {"comparison": "B", "champion": "candidate"}.get(mode, "answer")
        self.hidden = 0
        self._left = _DETAILS
        self._command = run.reproduce

    def group(self, group: Sequence[FlipRow], *, detailed: bool) -> Iterator[Block]:
        if not detailed:
            yield _name_cases(group, "")
            yield from (self._entry(flip, 2, "", shown=False) for flip in group)
            yield from self._again([flip for flip in group if flip.flip == "no answer"][:_DETAILS])
            return
        causes: dict[str, list[FlipRow]] = {}
        for number, flip in enumerate(group):
            causes.setdefault(flip.cause or str(number), []).append(flip)
        clusters = sorted(causes.values(), key=lambda cluster: (not cluster[0].critical, -len(cluster)))
        quotas = self._quotas([len(cluster) for cluster in clusters])
        shown: list[FlipRow] = []
        alone: list[FlipRow] = []
        for cluster, quota in zip(clusters, quotas, strict=True):
            if len(cluster) == 1 and not quota:
                alone += cluster
                continue
            indent, shared = 2, ""
            if len(cluster) > 1:
                first, *rest = (_distinct(flip.candidate.reasons) for flip in cluster)
                shared = next((reason for reason in first if all(reason in other for other in rest)), "")
                title = f"{number_of(len(cluster), 'case')}: {shared or cluster[0].cause}"
                yield Text(title, "strong", cut=True, indent=2)
                indent = 4
            for number, flip in enumerate(cluster):
                yield self._entry(flip, indent, shared, shown=number < quota)
            if hidden := cluster[quota:]:
                yield _name_cases(hidden, f"and {len(hidden)} more: " if quota else "", indent)
            shown += cluster[:quota]
        if alone:
            yield _name_cases(alone, f"and {len(alone)} more: ")
            yield from (self._entry(flip, 2, "", shown=False) for flip in alone)
        yield from self._again(shown)
        self.hidden += len(group) - sum(quotas)

    def _quotas(self, sizes: Sequence[int]) -> list[int]:
        """Return how many of each cluster are shown: one of each first, then the next of each, while there is room."""
        quotas = [0] * len(sizes)
        while self._left and (open_ := [index for index, size in enumerate(sizes) if quotas[index] < size]):
            for index in open_[: self._left]:
                quotas[index] += 1
            self._left -= min(self._left, len(open_))
        return quotas

    def _again(self, flips: Sequence[FlipRow]) -> Iterator[CodeBlock]:
        if names := [flip.case for flip in flips if flip.flip != "fixed"]:
            words, kept = iter(shlex.split(self._command)), list[str]()
            for word in words:
                if word in _SELECTING:
                    next(words, None)
                else:
                    kept.append(word)
            for name in names:
                # A bracket would start a set of letters; * and ? also match themselves.
                kept += ["--case", name.replace("[", "[[]")]
            yield CodeBlock(shlex.join(kept), label="again", indent=2)

    def _entry(self, flip: FlipRow, indent: int, shared: str, *, shown: bool) -> Item:
        """Return a case with its answers and its reasons, except the one that all cases around it share."""
        marks = [mark for mark, true in (("critical", flip.critical), ("from the log", flip.logged)) if true]
        about = f"[{', '.join(marks)}]" if marks else ""
        if flip.candidate.attempts > 1:
            theirs = f", {self.theirs} {_passes(flip.champion)}" if flip.champion else ""
            about += f" (passes {_passes(flip.candidate)} tries{theirs})"
        reasons = [reason for reason in _distinct(flip.candidate.reasons) if reason != shared]
        lines = [ItemLine(note) for note in flip.notes]
        lines += [ItemLine(reason, verbose=number >= _REASONS) for number, reason in enumerate(reasons)]
        sides = ((self.ours, flip.candidate), (self.theirs, flip.champion))
        known = [(name, *side.interval) for name, side in sides if side and side.interval]
        bounds = ", ".join(f"{name} {low * 100:.0f}–{high * 100:.0f} %" for name, low, high in known)
        lines += [ItemLine(f"95 % interval: {bounds}", verbose=True)] if bounds else []
        lines += [ItemLine(str(item), verbose=item.step > _STEPS) for item in flip.candidate.called]
        if flip.candidate.answer is not None:
            lines += self._answers(flip, flip.candidate.answer)
        link = {"case": flip.case, "on": flip.model}
        return Item(flip.case, about.strip(), lines, link, indent, "always" if shown else "verbose")

    def _answers(self, flip: FlipRow, answer: str) -> Iterator[ItemLine]:
        """Compare the answer with the expected one if that is known and was not given, else with the other side's."""
        before, label, ours = flip.expected, "expected", answer
        theirs = flip.champion.answer if flip.champion else None
        if before is None or flip.flip == "fixed":
            before, label = theirs, self.theirs
        else:
            before, ours = comparable(before, answer)
        pieces = word_diff(before, ours) if before is not None else None
        if label == "expected" and not pieces and before is not None and before != ours:
            yield ItemLine(before, label)
        if not pieces and theirs is not None and theirs.strip() == answer.strip():
            yield ItemLine(answer, f"{self.theirs} and {self.ours}")
            return
        if theirs is not None and (label == "expected" or not pieces):
            yield ItemLine(theirs, self.theirs)
        if not pieces:
            yield ItemLine(answer, self.ours)
            return
        pieces[0] = Piece(pieces[0].kind, pieces[0].text.lstrip())
        # The tones of words that only the first and only the second answer has: good is what is right.
        tones: tuple[Tone, Tone] = ("warn", "warn")
        if flip.flip == "fixed":
            tones = ("bad", "good")
        elif label == "expected" or flip.flip in ("broken", "unstable"):
            tones = ("good", "bad")
        yield ItemLine(pieces, f"{label} → {self.ours}", *tones)


def list_names(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    rest = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f", and {number_of(rest, 'other')}" if rest > 0 else "")


def _name_cases(flips: Sequence[FlipRow], before: str, indent: int = 2) -> Text:
    return Text(before + list_names([flip.case[:200] for flip in flips]), indent=indent, detail="brief")


def _passes(side: SideResult) -> str:
    return f"{side.passed} of {side.attempts}"


def _distinct(reasons: Sequence[str]) -> list[str]:
    """Return the reasons, of those that differ only in the check's name the first."""
    found: dict[str, str] = {}
    for reason in reasons:
        found.setdefault(reason.partition(": ")[2] or reason, reason)
    return list(found.values())

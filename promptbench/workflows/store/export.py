"""Export right answers to the cases of a suite, and wrong ones next to them, as data for fine-tuning.

What leaks about a case that is held out is held out with it, and the manifest names what a model was trained on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from heapq import nlargest
from pathlib import Path
from typing import Literal

from promptbench.core.canonical import compact_encoder, escape_surrogates
from promptbench.core.errors import Code, Diagnostics, InputError, NothingSelected, Severity
from promptbench.core.types import Json, Outcome, Rung
from promptbench.core.words import percent
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedCase, PreparedSuite
from promptbench.engine.prepare.trained_on import FORMAT, MOST_ALIKE, CaseTraits, Trait, traits_of
from promptbench.project import Project
from promptbench.text.near_duplicates import MIN_SHARE, Signature, SignedTexts
from promptbench.workflows.judge.recorded_results import location_of
from promptbench.workflows.trust.mutate import AnswerSource, MutationCase, RecordedAnswers, recorded_answers
from promptbench.workflows.trust.reviews import accepted, read_marks

Layout = Literal["messages", "preference-openai", "preference-trl"]
_MOST_WRONG = 3  # wrong answers to one case
_MOST_PAIRS, _LEAST_ALIKE = 10, 0.3  # of the pairs that are reported
_dump = compact_encoder()


def export(
    project: Project,
    path: Path,
    layout: Layout,
    output: Path,
    *,
    prompts: Sequence[Path] = (),
    run: str | None = None,
    held_out: int = 20,
) -> tuple[dict[str, Json], Diagnostics]:
    """Write a line for each right answer, or for each pair of a right and a wrong one.

    The manifest, and what is known of each line, are written next to the file. Return the manifest, and warnings about
    the cases that are most alike across the split.

    Args:
        prompts: The prompt that the model is trained with, instead of the suite's.
        run: A run whose passing answers are right, and whose failing ones are wrong.
        held_out: The percentage of groups of cases that are held out.

    Raises:
        InputError: The suite has errors, or not one prompt, the run is not its own, or a file has other content.
        NothingSelected: No case can be exported.
    """
    file = project.suite_file(path)
    with project.prompts() as store, project.recordings() as runs:
        selection = Selection(paths=(file,), prompts=tuple(prompts))
        [prepared], _ = project.assemble(selection, store=store, runs=runs, without_keys=True)
        suite = prepared.suite
        prepared.require_one_prompt("export")
        record = recorded_answers(prepared, runs, run) if run else None
        if run and record is None:
            raise InputError(f"run {run} is not of the suite '{suite.name}'")
        traits = {case.name: traits_of(case, suite.common.variables) for case in prepared.cases}
        everywhere = [*traits.values(), *_of_other_suites(project, file)]
        groups, alike = _groups_of(everywhere)
        # A group is held out if a case of it is. So a case that is held out stays so when others are added.
        held = {groups[key] for (key, *_), _ in everywhere if int(key, 16) % 100 < held_out}
        group_of = {name: groups[key] for name, ((key, *_), _) in traits.items()}
        kept = {name for name, group in group_of.items() if group in held}
        marks = read_marks(suite.folder)
        refused = {name for name, accepts in accepted(marks).items() if not accepts}
        lines, discarded = list[tuple[Json, Json]](), Counter[str]()
        for case in (case for case in prepared.cases if case.name not in kept):
            made = "a reviewer says no" if case.name in refused else _lines(prepared, case, layout, record)
            lines += [] if isinstance(made, str) else made
            discarded.update([made] if isinstance(made, str) else [])
    if not lines:
        causes = ", ".join(f"{count} × {why}" for why, count in discarded.most_common())
        raise NothingSelected(f"no case can be exported: {causes or 'all are held out'}")
    exported = {about["case"]: list[str]() for _, about in lines}
    for mark in marks:
        exported.get(mark.case, []).append(mark.reviewer)
    trained = {group_of[name] for name in exported}
    content = _text(line for line, _ in lines)
    manifest = {
        "promptbench": FORMAT,
        "file": output.name,
        "sha256": sha256(content).hexdigest(),
        "layout": layout,
        "suite": suite.name,
        "suite_hash": prepared.suite_hash,
        "checks_hash": prepared.checks_hash,
        "prompt": prepared.prompt_name,
        "prompt_version": prepared.candidates[0].hash,
        "run": record.run if record else None,
        "held_out_percent": held_out,
        "counts": {"cases": len(traits), "exported": len(exported), "lines": len(lines), "held_out": len(kept)},
        "discarded": dict(sorted(discarded.items())),
        "groups": {"train": sorted(trained), "held_out": sorted({group_of[name] for name in kept})},
        "trained": {
            "keys": sorted(item for item, group in groups.items() if group in trained and isinstance(item, str)),
            "signatures": sorted(
                item for item, group in groups.items() if group in trained and not isinstance(item, str)
            ),
        },
    }
    _write(
        {
            output: content,
            output.with_suffix(".meta.jsonl"): _text(
                {**about, "reviewers": sorted({*exported[about["case"]]})} for _, about in lines
            ),
            output.with_suffix(".manifest.json"): _text([manifest]),
        }
    )
    named = {signature: name for name, (_, signatures) in traits.items() for signature in signatures}
    pairs = {
        (one, other): share
        for (new, known), share in alike.items()
        if new in named and known in named
        for one, other in [sorted((named[new], named[known]), key=kept.__contains__)]
        if one in exported and other in kept
    }
    return manifest, _report(prepared, pairs)


def _report(prepared: PreparedSuite, pairs: Mapping[tuple[str, str], float]) -> Diagnostics:
    """Return warnings about the cases that are most alike across the split."""
    found = Diagnostics()
    for one, other in nlargest(_MOST_PAIRS, pairs, key=pairs.__getitem__):
        found.add(
            Code.SPLIT_ALIKE,
            f"'{one}' is exported and {percent(pairs[one, other])} like '{other}', which is held out",
            location_of(prepared, one),
            hint="if one gives the other away, give both the same 'cluster:'",
            severity=Severity.WARNING,
            related=location_of(prepared, other),
        )
    return found


def _write(files: Mapping[Path, bytes]) -> None:
    try:
        if changed := next((file for file, text in files.items() if file.exists() and file.read_bytes() != text), None):
            hint = "name another file: a model that was trained on that one is judged by its manifest"
            raise InputError(f"{changed} exists with other content", hint=hint)
        for file, text in files.items():
            file.write_bytes(text)
    except OSError as error:
        raise InputError(f"cannot write {error.filename}: {error.strerror}") from None


def _text(lines: Iterable[Json]) -> bytes:
    return "".join(f"{escape_surrogates(_dump(line))}\n" for line in lines).encode()


def _of_other_suites(project: Project, own: Path) -> Iterator[CaseTraits]:
    """Yield the traits of the cases of other suites: what is held out there is held out here."""
    for suite in project.suites():
        if not suite.path.samefile(own):
            yield from (traits_of(case, suite.common.variables) for case in suite.cases.scan(Diagnostics()))


def _groups_of(cases: Iterable[CaseTraits]) -> tuple[dict[Trait, str], dict[tuple[Signature, Signature], float]]:
    """Return the group of each trait, by union-find, and how similar texts are.

    A group is named by the smallest of its keys. Further cases only join groups, in whatever order they come.
    """
    parents: dict[Trait, str] = {}
    alike: dict[tuple[Signature, Signature], float] = {}
    texts = SignedTexts(2, MOST_ALIKE)

    def root(trait: Trait) -> str:
        while (parent := parents[trait]) != trait:
            # Halve the path, so that later searches are short.
            trait = parents[trait] = parents[parent]
        return parent

    for keys, signatures in cases:
        parents |= {key: key for key in keys if key not in parents}
        new = [signature for signature in signatures if signature not in parents]
        near = {(item, known): share for item in new for known, share in texts.near(item, _LEAST_ALIKE).items()}
        alike |= near
        same: list[Trait] = [known for (_, known), share in near.items() if share >= MIN_SHARE]
        for trait in (*keys, *(signature for signature in signatures if signature not in new), *same):
            one, other = sorted((root(keys[0]), root(trait)))
            parents[other] = one
        for signature in new:
            parents[signature] = keys[0]
            texts.add(signature)
    return {trait: root(trait) for trait in parents}, alike


def _lines(
    prepared: PreparedSuite, case: PreparedCase, layout: Layout, record: RecordedAnswers | None
) -> list[tuple[Json, Json]] | str:
    """Return the lines of a case, each with what is known of it, or the reason why there is none."""
    prompt = prepared.candidates[0].prompt
    messages = prompt.render(case.variables, case.history)
    if case.quarantine or case.turns or prompt.tools or any(message.parts for message in messages):
        return "in quarantine" if case.quarantine else "turns, tools or files"
    tested = MutationCase(prepared, case, ())
    if record and not tested.answers:
        tested = MutationCase(prepared, case, record.of(case))
    # An answer that is right only after a repair teaches the model to need it.
    right = next((item for item in tested.answers if tested.evaluate(item).rung in (None, Rung.RAW)), None)
    if right is None:
        return "no right answer is known"
    failed = record.of(case, Outcome.FAILED) if record else ()
    bad = {**{item.text: AnswerSource.RECORD.value for item in failed}, **dict.fromkeys(case.was, "was")}
    red = [(text, source) for text, source in bad.items() if tested.fails(text)]
    wrong = [("", None)] if layout == "messages" else red[-_MOST_WRONG:]
    asked: list[Json] = [{"role": message.role, "content": message.content} for message in messages]
    about = {"case": case.name, "cluster": case.cluster, "origin": case.origin, "right": right.source.value}
    made = [(_line(layout, asked, right.text, text), {**about, "wrong": source}) for text, source in wrong]
    return made or "no wrong answer is known"


def _line(layout: Layout, asked: list[Json], right: str, wrong: str) -> Json:
    chosen, rejected = ([{"role": "assistant", "content": text}] for text in (right, wrong))
    openai = {"input": {"messages": asked}, "preferred_output": chosen, "non_preferred_output": rejected}
    trl = {"prompt": asked, "chosen": chosen, "rejected": rejected}
    return {"messages": {"messages": asked + chosen}, "preference-openai": openai, "preference-trl": trl}[layout]

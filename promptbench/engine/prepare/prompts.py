"""Load the prompts of a suite: the candidates, and what is in production."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from promptbench.core.allowed_code import pinned_problems
from promptbench.core.diagnostics import Code, Diagnostics, Location, suggest
from promptbench.core.types import Side
from promptbench.engine.prepare.chains import load_chains
from promptbench.engine.prepare.options import PrepareOptions, display_path
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.prompts.chain import Chain, parse_version, unverified
from promptbench.prompts.parser import load
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import ModelEntry, Suite
from promptbench.yaml.paths import below, matches
from promptbench.yaml.source import Source


def load_prompts(suite: Suite, options: PrepareOptions, found: Diagnostics) -> list[Variant]:
    """Return the candidates of a suite and, last, what is in production. Errors are added to `found`."""
    candidates = load_candidates(suite, options, found)
    champion = load_champion(suite, candidates, options, found)
    return [*candidates, *([champion] if champion else [])]


def load_candidates(suite: Suite, options: PrepareOptions, found: Diagnostics) -> tuple[Variant, ...]:
    """Return the candidates, each version once. Add an error to `found` if they belong to different prompts."""
    if options.compared is not None:
        file = f"{options.compared.prompt}.compared.prompt"
        read = [(item.label, parse_version(Source(file, item.source), found)) for item in options.compared.candidates]
        known = {prompt.hash: Variant(prompt, Side.CANDIDATE, label) for label, prompt in reversed(read) if prompt}
        return tuple(reversed(known.values()))
    if suite.steps:
        return load_chains(suite, lambda path, location: _load(path, location, options, found), options, found)
    prompts: dict[str, Prompt] = {}
    for path, location in _prompt_files(suite, options, found):
        prompt = _load(path, location, options, found)
        if prompt is not None:
            prompts.setdefault(prompt.hash, prompt)
    names = {prompt.name for prompt in prompts.values()}
    if len(names) > 1:
        found.add(
            Code.BAD_VALUE,
            f"the candidates belong to different prompts: {', '.join(sorted(names))}",
            suite.location(("prompt",)),
            hint="the name up to the first dot must be the same: triage.short.prompt, triage.long.prompt",
        )
    return tuple(Variant(item, Side.CANDIDATE, Path(item.file).name) for item in prompts.values())


def load_champion(
    suite: Suite, candidates: Sequence[Variant], options: PrepareOptions, found: Diagnostics
) -> Variant | None:
    """Return what is in production under the name of the candidates, or None if nothing is."""
    if not candidates:
        return None
    stored = options.compared.champion if options.compared else options.champion(candidates[0].prompt.name)
    if stored is None:
        return None
    prompt = parse_version(Source(f"{stored.label}.prompt", stored.source), found)
    for step in prompt.steps if isinstance(prompt, Chain) else ():
        for problem in pinned_problems(step.pinned, suite.folder, options.root, options.allowed_code):
            found.add(Code[problem.code], problem.message, Location(stored.label), hint=problem.hint)
    if prompt is None:
        return None
    if prompt.hash != candidates[0].hash and unverified(prompt.content) and not suite.steps[0].production:
        message = f"{stored.label}{unverified(prompt.content)} is in production, and no service answers as this version"
        where, hint = suite.steps[0].where.location("model"), "add 'production: http/NAME', where it is deployed"
        found.add(Code.BAD_VALUE, message, where, hint=hint)
    return Variant(prompt, Side.CHAMPION, stored.label + unverified(prompt.content))


def load_own(suite: Suite, entry: ModelEntry, options: PrepareOptions, found: Diagnostics) -> Variant | None:
    """Return the prompt that only this model of the suite gets, or None if its file has errors."""
    location = suite.location((*entry.path, "prompt"))
    file = below(suite.folder, entry.prompt or "", location, found)
    prompt = _load(file, location, options, found) if file else None
    return Variant(prompt, Side.BASELINE, Path(prompt.file).name) if prompt else None


def _prompt_files(suite: Suite, options: PrepareOptions, found: Diagnostics) -> Iterator[tuple[Path, Location]]:
    if options.selection.prompts:
        for path in options.selection.prompts:
            yield path, Location(display_path(path, options.root))
        return
    for index, written in enumerate(suite.prompts):
        location = suite.location(("prompt", index))
        hint = "check the names of the files next to the suite"
        if "{{" in written:
            hint = "write the prompt's text into a file of its own, and that file's name here"
        for path in matches(suite.folder, written, location, found, hint=hint, counts=_is_no_partial):
            yield path, location


def _is_no_partial(path: Path) -> bool:
    # A name with an underscore at its start is a partial.
    return not path.name.startswith("_")


def _load(path: Path, location: Location, options: PrepareOptions, found: Diagnostics) -> Prompt | None:
    if path.is_file():
        return load(path, display_path(path, options.root), found)
    near = [item.name for item in path.parent.glob("*.prompt")] if path.parent.is_dir() else []
    hint = suggest(path.name, near, f"prompts there: {', '.join(sorted(near)) or 'none'}")
    if any(char < " " for char in path.name):
        hint = "a backslash is an escape inside double quotes: write / between folders"
    found.add(Code.FILE_NOT_FOUND, f"prompt file '{path.name}' not found", location, hint=hint)
    return None

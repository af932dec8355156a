"""Load the prompts of a suite: the candidates, and what is in production."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

from promptbench.core import allowed_code
from promptbench.core.allowed_code import pinned_problems
from promptbench.core.errors import Code, Diagnostics, Location, suggest
from promptbench.core.files import NOTHING_PINNED, Pinned
from promptbench.core.types import ModelRef, Side
from promptbench.engine.prepare.options import PrepareOptions, display_path
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.prompts.chain import Chain, ChainStep, is_output, parse_version, unverified
from promptbench.prompts.parser import load, prompt_name
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import ModelEntry, Suite, SuiteStep, Where
from promptbench.yaml.source import Source, below, matches


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
        return load_chains(suite, options, found)
    prompts: dict[str, Prompt] = {}
    where, chosen = Where(suite.document, ()), options.selection.prompts
    for path, location in _prompt_files(suite, suite.prompts, chosen, where, options, found):
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


def _prompt_files(
    suite: Suite,
    prompts: Sequence[str],
    chosen: Sequence[Path],
    where: Where,
    options: PrepareOptions,
    found: Diagnostics,
) -> Iterator[tuple[Path, Location]]:
    """Yield the `chosen` prompt files, else those that match what is written under `prompt` at a place of the suite."""
    for path in chosen:
        yield path, Location(display_path(path, options.root))
    for index, written in enumerate(() if chosen else prompts):
        location, hint = where.location("prompt", index), "check the names of the files next to the suite"
        if "{{" in written:
            hint = "write the prompt's text into a file of its own, and that file's name here"
        # A name with an underscore at its start is a partial.
        for path in matches(suite.folder, written, location, found, hint=hint, counts=lambda it: it.name[0] != "_"):
            yield path, location


def _load(path: Path, location: Location, options: PrepareOptions, found: Diagnostics) -> Prompt | None:
    if path.is_file():
        return load(path, display_path(path, options.root), found)
    near = [item.name for item in path.parent.glob("*.prompt")] if path.parent.is_dir() else []
    hint = suggest(path.name, near, f"prompts there: {', '.join(sorted(near)) or 'none'}")
    if any(char < " " for char in path.name):
        hint = "a backslash is an escape inside double quotes: write / between folders"
    found.add(Code.FILE_NOT_FOUND, f"prompt file '{path.name}' not found", location, hint=hint)
    return None


def load_chains(suite: Suite, options: PrepareOptions, found: Diagnostics) -> tuple[Variant, ...]:
    """Return the candidate chains, each version once: one for every choice among the prompts of the steps."""
    chosen = _selected(suite, options, found)
    choices = [list(_choices(suite, step, chosen.get(step.name, ()), options, found)) for step in suite.steps]
    chains: dict[str, Variant] = {}
    several = [number for number, steps in enumerate(choices) if len(steps) > 1]
    for choice in product(*choices):
        chain = Chain.of(suite.chain, choice, suite.document.source.path)
        names = [Path(prompt.file).stem for number in several if (prompt := choice[number].prompt)]
        label = (" + ".join(names) or chain.name) + unverified(chain.content)
        chains.setdefault(chain.hash, Variant(chain, Side.CANDIDATE, label))
    names = [step.name for step in suite.steps]
    for number, steps in enumerate(choices):
        for prompt in (step.prompt for step in steps if step.prompt):
            _check_references(prompt, names, number, found)
    return tuple(chains.values())


def report_reference(name: str, steps: list[str], number: int, location: Location, found: Diagnostics) -> None:
    """Report `steps.NAME` in the step with this number if NAME is not an earlier one."""
    step, earlier = [*name.split("."), ""][1], steps[:number]
    if step not in earlier:
        why = f"'{step}' has not run before it" if step in steps else f"unknown step '{step}'"
        hint = suggest(step, earlier, f"steps before it: {', '.join(earlier) or 'none'}")
        message = f"{{{{{name}}}}} in the step '{steps[number]}': {why}"
        found.add(Code.MISSING_VARIABLE, message, location, hint=hint)


def _check_references(prompt: Prompt, names: list[str], number: int, found: Diagnostics) -> None:
    for name in sorted(filter(is_output, prompt.variables)):
        match = re.search(r"\{\{[^{}]*\b" + re.escape(name), prompt.source)
        source = Source(prompt.file, prompt.source)
        location = source.location_at(match.start(), len(match[0])) if match else Location(prompt.file)
        report_reference(name, names, number, location, found)


def _selected(suite: Suite, options: PrepareOptions, found: Diagnostics) -> dict[str, list[Path]]:
    chosen: dict[str, list[Path]] = {}
    patterns = {step.name: [prompt_name(Path(written).name) for written in step.prompts] for step in suite.steps}
    for path in options.selection.prompts:
        name = prompt_name(path.name)
        step = next((key for key, names in patterns.items() if any(fnmatchcase(name, item) for item in names)), None)
        if step is None:
            known = [name for names in patterns.values() for name in names]
            location = Location(display_path(path, options.root))
            hint = suggest(name, known, f"prompts of steps: {', '.join(known) or 'none'}")
            found.add(Code.BAD_VALUE, f"no step of {suite.name} has a prompt named '{name}'", location, hint=hint)
        else:
            chosen.setdefault(step, []).append(path)
    return chosen


def _choices(
    suite: Suite,
    step: SuiteStep,
    chosen: list[Path] | tuple[()],
    options: PrepareOptions,
    found: Diagnostics,
) -> Iterator[ChainStep]:
    if step.model is not None:
        yield ChainStep(step.name, None, str(step.model), _pinned(suite, step, step.model, options, found))
        return
    for path, location in _prompt_files(suite, step.prompts, chosen, step.where, options, found):
        if (prompt := _load(path, location, options, found)) is not None:
            yield ChainStep(step.name, prompt)


def _pinned(suite: Suite, step: SuiteStep, model: ModelRef, options: PrepareOptions, found: Diagnostics) -> Pinned:
    named: list[str] = []
    for index, written in enumerate(step.files):
        location, hint = step.where.location("files", index), "name files next to the suite"
        paths = list(matches(suite.folder, written, location, found, hint=hint))
        named += [path.resolve().relative_to(suite.folder.resolve()).as_posix() for path in paths]
        if not all(map(Path.is_file, paths)):
            found.add(Code.FILE_NOT_FOUND, f"file '{written}' not found", location)
    where = (suite.folder, options.root, options.allowed_code)
    if step.version:
        return Pinned({}, step.version)
    # What is wrong with the function itself is reported where its model is connected.
    if model.provider != "python" or allowed_code.problems(model.name, *where):
        return NOTHING_PINNED
    pinned, problems = allowed_code.pin(model.name.rpartition(":")[0], *where, named)
    for problem in problems:
        found.add(Code[problem.code], problem.message, step.where.location("model"), hint=problem.hint)
    return pinned

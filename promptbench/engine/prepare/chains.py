"""Load the candidates of a suite with `steps:`, and check that each step uses only what comes before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

from promptbench.core import allowed_code
from promptbench.core.diagnostics import Code, Diagnostics, Location, did_you_mean
from promptbench.core.pinned import NOTHING_PINNED, Pinned
from promptbench.core.types import Side
from promptbench.engine.prepare.options import PrepareOptions, display_path
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.prompts.chain import Chain, ChainStep, is_output
from promptbench.prompts.parser import prompt_name
from promptbench.prompts.prompt import Prompt
from promptbench.suite.models import Suite, SuiteStep
from promptbench.yaml.paths import matches
from promptbench.yaml.source import Source

# Returns the prompt in a file that is named at a location, or None if it has errors.
LoadPrompt = Callable[[Path, Location], Prompt | None]


def load_chains(suite: Suite, load: LoadPrompt, options: PrepareOptions, found: Diagnostics) -> tuple[Variant, ...]:
    """Return the candidate chains, each version once: one for every choice among the prompts of the steps."""
    chosen = _selected(suite, options, found)
    choices = [list(_choices(suite, step, chosen.get(step.name, ()), load, options, found)) for step in suite.steps]
    chains: dict[str, Variant] = {}
    several = [number for number, steps in enumerate(choices) if len(steps) > 1]
    for choice in product(*choices):
        chain = Chain.of(suite.chain, choice, suite.document.source.path)
        names = [Path(prompt.file).stem for number in several if (prompt := choice[number].prompt)]
        chains.setdefault(chain.hash, Variant(chain, Side.CANDIDATE, " + ".join(names) or chain.name))
    names = [step.name for step in suite.steps]
    for number, steps in enumerate(choices):
        for step in steps:
            _check_references(step, names, number, found)
    return tuple(chains.values())


def report_reference(name: str, steps: list[str], number: int, location: Location, found: Diagnostics) -> bool:
    """Report `steps.NAME` in the step with this number if NAME is not an earlier one. Return False if so."""
    step = name.split(".")[1] if "." in name else ""
    if step in steps[:number]:
        return True
    message, earlier = f"{{{{{name}}}}} in the step '{steps[number]}': unknown step '{step}'", steps[:number]
    hint = f"steps before it: {', '.join(earlier)}" if earlier else "it is the first step"
    if step in steps:
        message = f"{{{{{name}}}}} in the step '{steps[number]}': '{step}' has not run before it"
    elif guess := did_you_mean(step, earlier):
        hint = f"did you mean '{guess}'?"
    found.add(Code.MISSING_VARIABLE, message, location, hint=hint)
    return False


def _check_references(step: ChainStep, names: list[str], number: int, found: Diagnostics) -> None:
    prompt = step.prompt
    for name in sorted(filter(is_output, prompt.variables)) if prompt else ():
        assert prompt is not None
        match = re.search(r"\{\{[^{}]*\b" + re.escape(name), prompt.source)
        source = Source(prompt.file, prompt.source)
        location = source.location_at(match.start(), len(match[0])) if match else Location(prompt.file)
        report_reference(name, names, number, location, found)


def _selected(suite: Suite, options: PrepareOptions, found: Diagnostics) -> dict[str, list[Path]]:
    """Return the prompts that the command selects, by the step that they are candidates for."""
    chosen: dict[str, list[Path]] = {}
    patterns = {step.name: [prompt_name(Path(written).name) for written in step.prompts] for step in suite.steps}
    for path in options.selection.prompts:
        name = prompt_name(path.name)
        step = next((key for key, names in patterns.items() if any(fnmatchcase(name, item) for item in names)), None)
        if step is None:
            known = [name for names in patterns.values() for name in names]
            guess, location = did_you_mean(name, known), Location(display_path(path, options.root))
            hint = f"did you mean '{guess}'?" if guess else f"prompts of steps: {', '.join(known) or 'none'}"
            found.add(Code.BAD_VALUE, f"no step of {suite.name} has a prompt named '{name}'", location, hint=hint)
        else:
            chosen.setdefault(step, []).append(path)
    return chosen


def _choices(
    suite: Suite,
    step: SuiteStep,
    chosen: list[Path] | tuple[()],
    load: LoadPrompt,
    options: PrepareOptions,
    found: Diagnostics,
) -> Iterator[ChainStep]:
    if step.model is not None:
        yield ChainStep(step.name, None, str(step.model), _pinned(suite, step, options, found))
        return
    files = [(path, Location(display_path(path, options.root))) for path in chosen]
    for index, written in enumerate(step.prompts if not chosen else ()):
        location, hint = step.where.location("prompt", index), "check the names of the files next to the suite"
        files += [(path, location) for path in matches(suite.folder, written, location, found, hint=hint)]
    for path, location in files:
        if (prompt := load(path, location)) is not None:
            yield ChainStep(step.name, prompt)


def _pinned(suite: Suite, step: SuiteStep, options: PrepareOptions, found: Diagnostics) -> Pinned:
    """Return the code of a Python step, with the files that it reads; what is wrong with the code is found later."""
    assert step.model is not None
    named: list[str] = []
    for index, written in enumerate(step.files):
        location, hint = step.where.location("files", index), "name files next to the suite"
        paths = matches(suite.folder, written, location, found, hint=hint)
        named += [path.resolve().relative_to(suite.folder.resolve()).as_posix() for path in paths]
    where = (suite.folder, options.root, options.allowed_code)
    if step.model.provider != "python" or allowed_code.problems(step.model.name, *where):
        return NOTHING_PINNED
    pinned, problems = allowed_code.pin(step.model.name.rpartition(":")[0], *where, named)
    for problem in problems:
        found.add(Code[problem.code], problem.message, step.where.location("model"), hint=problem.hint)
    return pinned

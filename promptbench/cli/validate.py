"""`promptbench validate`: check suites and prompt files without calling a model."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import AsJson, Format, Prompts, Quiet
from promptbench.cli.output import out, say, show, without_keys
from promptbench.core.errors import Diagnostics, Exit, InputError
from promptbench.report.diagnostics import in_order


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Suite files, their folders, or prompt files (.prompt, .md, .txt). Default: all suites below suites/.",
        ),
    ] = None,
    prompt: Prompts = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="PROVIDER/NAME", help="Also the cost of a prompt file on this model."),
    ] = None,
    red: Annotated[
        bool,
        typer.Option("--red", help="Every logged answer must still fail its case. Use it in CI."),
    ] = False,
    format_: Format = "terminal",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Check suites and every file they name, or prompt files. No model is called."""
    from promptbench.cli.rendering import Rendering
    from promptbench.project import Project, Selection
    from promptbench.workflows.start.validate import (
        PromptFacts,
        is_prompt_file,
        look_at_prompts,
        validate as validate_suites,
        validation_report,
    )

    rendering = Rendering.of(format_, None, as_json=as_json, quiet=quiet)
    prompts = [path for path in files or () if is_prompt_file(path)]
    suites = [path for path in files or () if path not in prompts]
    if model and not prompts:
        raise InputError("--model needs a prompt file", hint="name one: `promptbench validate FILE.prompt --model …`")
    found = Diagnostics()
    facts: list[PromptFacts] = []
    project: Project | None = None
    try:
        project = Project.open()
        facts, problems = look_at_prompts(project, prompts, model or ())
        found.extend(problems)
        if suites or not prompts:
            selection = Selection(paths=tuple(suites), prompts=tuple(prompt or ()))
            found.extend(validate_suites(project, selection, red=red))
    except InputError as error:
        if not error.diagnostics:
            raise
        found.extend(error.diagnostics)
    items = in_order(found)
    as_text = rendering.printed in ("terminal", "plain")
    if as_text and items and not quiet:
        out(without_keys(show(items, sys.stdout)))
    report = validation_report(items, facts, with_table=not as_text)
    rendering.annotate(project, items)
    # The diagnostics say where: the command need not be repeated below them.
    rendering.write(project, [replace(report, exit=Exit.YES) if as_text else report])
    errors = [item for item in items if item.severity == "error"]
    if errors and sys.stderr.isatty():
        say(f"hint: `promptbench explain {errors[0].code.value}` explains the first one")
    return report.exit

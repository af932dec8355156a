"""`promptbench doctor`: check the installation, the settings and the stores."""

from typing import Annotated

import typer

from promptbench.cli.options import Lines, Project, prints
from promptbench.core.errors import Exit


@prints
def doctor(
    project: Project,
    online: Annotated[
        bool, typer.Option("--online", help="Also check each server that has its key, by the list of its models.")
    ] = False,
) -> Lines:
    """Show installation and settings, and what is wrong.

    Each setting with its source, each provider with its address and whether its key is set; exit 4 if something is
    wrong.
    """
    from dataclasses import asdict, replace

    from promptbench.cli.output import without_keys
    from promptbench.workflows.upkeep.doctor import doctor

    findings = [replace(item, value=without_keys(item.value)) for item in doctor(project, online=online)]
    yield {"findings": [asdict(item) for item in findings]}
    for item in findings:
        hint = f"\n     hint: {item.hint}" if item.hint else ""
        yield f"{'ok  ' if item.good else 'BAD '} {item.what}: {item.value}{hint}"
    return Exit.YES if all(item.good for item in findings) else Exit.ENVIRONMENT

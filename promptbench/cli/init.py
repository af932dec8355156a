"""`promptbench init`: a suite that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptbench.core.errors import Exit


def register(app: typer.Typer) -> None:
    app.command("init")(init)


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The task's name, for example orders.")] = "orders",
    model: Annotated[str, typer.Option("--model", metavar="PROVIDER/NAME")] = "gguf/smollm2-135m",
) -> int:
    """Write a small suite with its prompt, and the project's settings where there are none."""
    from promptbench import api
    from promptbench.cli.output import out

    written = api.init(Path.cwd(), name, model)
    for path in written:
        out(f"wrote {path}")
    out(f"next: promptbench run suites/{name}")
    return Exit.YES

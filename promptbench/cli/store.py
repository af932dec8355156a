"""`promptbench store`: the health of the store."""

from __future__ import annotations

from dataclasses import asdict

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit

store = typer.Typer(help="Look after the prompt store.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(store, name="store")


@store.callback()
def _group() -> None:
    """Look after the prompt store."""


@store.command("verify")
def verify(as_json: AsJson = False) -> int:
    """Find everything in database and text mirror that is not as it was written. Exit 5 when there is something."""
    from promptbench import api
    from promptbench.cli.output import out, out_json

    with api.Workspace.open().prompts() as opened:
        found = opened.verify()
        prompts = len(opened.prompts())
    if as_json:
        out_json({"schema_version": 1, "sound": not found, "findings": [asdict(item) for item in found]})
    else:
        for item in found:
            out(f"{item.prompt or 'store'}: {item.message}" + (f"\n  hint: {item.hint}" if item.hint else ""))
        out(
            f"{len(found)} findings"
            if found
            else f"sound: {prompts} prompts, every event, version and proof as written"
        )
    return Exit.CONFLICT if found else Exit.YES

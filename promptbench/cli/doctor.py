"""`promptbench doctor`: what is installed, what is set and by whom, and what is wrong with it."""

from __future__ import annotations

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(as_json: AsJson = False) -> int:
    """Show installation and settings, and what is wrong.

    Each with where it comes from; exit 4 when something is wrong.
    """
    from dataclasses import asdict, replace

    from promptbench import api
    from promptbench.cli.output import out, out_json, without_keys

    findings = [replace(item, value=without_keys(item.value)) for item in api.doctor(api.Project.open())]
    if as_json:
        out_json({"schema_version": 1, "findings": [asdict(item) for item in findings]})
    else:
        for item in findings:
            out(
                f"{'ok  ' if item.good else 'BAD '} {item.what}: {item.value}"
                + (f"\n     hint: {item.hint}" if item.hint else "")
            )
    return Exit.YES if all(item.good for item in findings) else Exit.ENVIRONMENT

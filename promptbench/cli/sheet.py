"""`promptbench sheet`: the cases of a suite in a spreadsheet, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.core.errors import Exit
from promptbench.core.words import number_of

if TYPE_CHECKING:
    from promptbench.api import SheetImported

sheet = typer.Typer(help="Work on the cases of a suite in a spreadsheet.", no_args_is_help=True)
_MOST_LINES = 200

OneSuite = Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")]


def register(app: typer.Typer) -> None:
    app.add_typer(sheet, name="sheet")


@sheet.callback()
def _group() -> None:
    """Work on the cases of a suite in a spreadsheet."""


@sheet.command("export")
def export(
    suite: OneSuite,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="A new .xlsx or .csv file.")] = Path(
        "cases.xlsx"
    ),
) -> int:
    """Write the cases of a suite into a spreadsheet.

    A row is a case, and checks are chosen from a list. A file that is there already is left alone.
    """
    from promptbench import api
    from promptbench.cli.output import out

    written = api.export_sheet(api.Workspace.open(), suite, output)
    out(f"wrote {number_of(written.cases, 'case')} to {written.path}")
    return Exit.YES


@sheet.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .xlsx or .csv file with a case on each row.")],
    suite: OneSuite,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take the cases that are not in the sheet out of the suite.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Bring what a spreadsheet says into a suite. Lines that it does not change stay as they are, with comments.

    A mistake is told with its cell, and shown at it in a copy of the sheet; then nothing is changed.
    """
    from promptbench import api
    from promptbench.cli.output import coloured, out_json, say
    from promptbench.report.diagnostics import render

    done = api.import_sheet(api.Workspace.open(), file, suite, remove=remove, dry_run=dry_run)
    if done.warnings:
        say(render(done.warnings, colour=coloured(sys.stderr)))
    if as_json:
        out_json(done.as_dict())
    else:
        _show(done, dry_run=dry_run)
    return Exit.YES


def _show(done: SheetImported, *, dry_run: bool) -> None:
    from promptbench.cli.output import out, out_lines, say
    from promptbench.report.words import clean

    lines = done.diff.splitlines()
    out_lines(clean(line) for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        out(f"… and {len(lines) - _MOST_LINES:,} more lines; --json has all of them")
    for old, new in done.renamed:
        out(f"renamed: '{clean(old)}' is now '{clean(new)}'")
    if done.missing:
        names = ", ".join(f"'{clean(name)}'" for name in done.missing[:5])
        more = f" and {len(done.missing) - 5:,} more" if len(done.missing) > 5 else ""
        what = "removed" if done.removed else "kept; --remove takes them out"
        say(f"not in the sheet: {names}{more} ({what})")
    counts = [
        (len(done.changed), "changed"),
        (len(done.added), "new"),
        (len(done.missing) if done.removed else 0, "removed"),
        (done.unchanged, "as before"),
    ]
    said = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    if not done.diff:
        out(f"nothing changes in {done.suite}: {said}")
        return
    what = f"would change {done.suite}" if dry_run else f"changed {done.suite}"
    out(f"{what}: {said}" + ("" if dry_run else "; `git diff` shows it"))

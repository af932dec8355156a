"""`promptbench sheet`: export the cases of a suite to a spreadsheet, and import them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from promptbench.cli.options import AsJson
from promptbench.cli.output import out, out_json, out_lines, say, show
from promptbench.core.errors import Exit
from promptbench.core.words import number_of
from promptbench.report.words import clean

sheet = typer.Typer(help="Edit the cases of a suite in a spreadsheet.", no_args_is_help=True)
_MAX_LINES = 200
_MAX_NAMES = 5

OneSuite = Annotated[Path, typer.Argument(metavar="SUITE", help="The suite's file or folder.")]


@sheet.command("export")
def export(
    suite: OneSuite,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="A new .xlsx or .csv file.")] = Path(
        "cases.xlsx"
    ),
) -> int:
    """Export the cases of a suite to a spreadsheet.

    A row is a case, and checks have a drop-down list. An existing file is never overwritten.
    """
    from promptbench.project import Project
    from promptbench.workflows.start.sheet import export_sheet

    count = export_sheet(Project.open(), suite, output)
    out(f"wrote {number_of(count, 'case')} to {output}")
    return Exit.YES


@sheet.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .xlsx or .csv file with a case on each row.")],
    suite: OneSuite,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the cases that are not in the sheet from the suite.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change, and write nothing.")] = False,
    reviewer: Annotated[
        str, typer.Option("--reviewer", metavar="NAME", help="Who reviewed the rows that name nobody.")
    ] = "",
    as_json: AsJson = False,
) -> int:
    """Import the cases of a spreadsheet into a suite. Lines that do not change stay as they are, with comments.

    Errors are printed with their cells, and a copy of the sheet shows them there. With an error, nothing changes. Of a
    sheet with a column `review`, only the cases are imported that its reviewers accept.
    """
    from promptbench.project import Project
    from promptbench.workflows.start.sheet import import_sheet

    done = import_sheet(Project.open(), file, suite, remove=remove, dry_run=dry_run, reviewer=reviewer)
    if done.warnings:
        say(show(done.warnings, sys.stderr))
    if as_json:
        out_json(done.as_dict())
        return Exit.YES
    lines = done.diff.splitlines()
    out_lines(clean(line) for line in lines[:_MAX_LINES])
    if len(lines) > _MAX_LINES:
        out(f"… and {len(lines) - _MAX_LINES:,} more lines; --json prints all")
    for old, new in done.renamed:
        out(f"renamed '{clean(old)}' to '{clean(new)}'")
    if done.missing:
        names = ", ".join(f"'{clean(name)}'" for name in done.missing[:_MAX_NAMES])
        more = f" and {len(done.missing) - _MAX_NAMES:,} more" if len(done.missing) > _MAX_NAMES else ""
        what = "removed" if done.removed else "kept; remove them with --remove"
        say(f"{'not accepted' if done.reviews else 'not in the sheet'}: {names}{more} ({what})")
    if done.reviews:
        labels = ", ".join(f"{count:,} {label}" for label, count in done.reviews.items())
        out(f"reviews: {labels}; {number_of(done.marks_added, 'new mark')}")
    for pair in done.reviewers:
        it = pair.kappa
        none = "too few for kappa" if pair.shared < 2 else "no kappa, with the same marks"
        kappa = f"kappa {it.value:.2f} ({it.low:.2f} to {it.high:.2f})" if it else none
        differing = f"; they differ on {', '.join(map(clean, pair.differing))}" if pair.differing else ""
        out(f"{' and '.join(map(clean, pair.reviewers))}: {kappa} over {number_of(pair.shared, 'case')}{differing}")
    counts = [
        (len(done.changed), "changed"),
        (len(done.added), "new"),
        (len(done.missing) if done.removed else 0, "removed"),
        (done.unchanged, "unchanged"),
    ]
    summary = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    verb = "no changes in" if not done.diff else "would change" if dry_run else "changed"
    out(f"{verb} {done.suite}: {summary or 'no case was accepted'}")
    return Exit.YES

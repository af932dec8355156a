"""`promptbench repairs`: which repairs a run's answers depend on, and the team's own repair rules."""

from pathlib import Path
from typing import Annotated, Any

import typer

from promptbench.cli.options import CommandLine, Lines, Project, Reports, Run, prints, reports
from promptbench.core.errors import Exit


class _ShowByDefault(typer.core.TyperGroup):
    """A group in which `runs repairs [RUN]` is short for `runs repairs show [RUN]`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "--help", "-h"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


repairs = typer.Typer(cls=_ShowByDefault, help="Show what answers need, and test your own repair rules.")


@repairs.command("show")
@reports
def show(
    command: CommandLine,
    run: Run = "latest",
) -> Reports:
    """Show which repairs a run's answers depend on.

    Also which failures only another prompt can fix.
    """
    from promptbench.workflows.trust.repairs import repairs

    return [repairs(command.project, run)]


@repairs.command("list")
@prints
def list_rules(project: Project) -> Lines:
    """List the project's own repair rules, and whether each counts."""
    rules, keys = project.repair_rules, ("name", "trust", "file", "hash", "advisory")
    yield {"rules": [{key: getattr(rule, key) for key in keys} for rule in rules]}
    for rule in rules:
        yield f"{rule.name} ({rule.trust}, {rule.file}): {f'advisory: {rule.advisory}' if rule.advisory else 'counts'}"
    if not rules:
        yield "this project has no repair rules; the setting `repairs` lists their files"
    return Exit.YES


@repairs.command("test")
@reports
def backtest_rule(
    command: CommandLine,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The name of a repair rule.")],
    logs: Annotated[
        list[Path] | None, typer.Option("--log", metavar="FILE", help="Replay the answers of this log.")
    ] = None,
    suites: Annotated[
        list[Path] | None,
        typer.Option("--suite", metavar="SUITE", help="Replay this suite's logged answers and newest run."),
    ] = None,
) -> Reports:
    """Back-test a repair rule on logged answers.

    The result is recorded in a file next to the rule. A rule counts only if it rescued an answer and got none wrong;
    else exit 1.
    """
    from promptbench.workflows.trust.repairs import backtest

    return [backtest(command.project, rule, logs or (), suites or ())]

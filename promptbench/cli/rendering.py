"""Reports to stdout and to files, in the formats that were asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.api import RunReport, Workspace
from promptbench.cli.output import out, say, target
from promptbench.core.errors import Exit, InputError, combine
from promptbench.report.formats import plugins
from promptbench.report.words import Target


@dataclass(frozen=True, slots=True)
class Rendering:
    """`printed` is the format for stdout, `files` are formats with the files they go to; `verbose` as in `Target`."""

    printed: str
    files: tuple[tuple[str, Path], ...]
    verbose: bool = False

    @classmethod
    def of(cls, printed: str, outputs: Sequence[str] | None, *, verbose: bool = False) -> Rendering:
        """From what `--format` and `--output` say. Raises InputError for a format that there is not."""
        files = tuple(_output(item) for item in outputs or ())
        for name in (printed, *(name for name, _ in files)):
            if name not in plugins:
                raise InputError(f"there is no format '{name}'", hint=f"known formats: {', '.join(plugins.names())}")
        return cls(printed, files, verbose)

    def wants(self, name: str) -> bool:
        return name in (self.printed, *(name for name, _ in self.files))

    def write(self, workspace: Workspace, reports: Sequence[RunReport], *, exit_zero: bool) -> Exit:
        """Writes all of it; the exit code that the verdicts mean. Raises InputError where a file cannot be written."""
        for name, path in self.files:
            _write(path, _render(reports, name, Target(verbose=self.verbose)))
            say(f"wrote {path}")
        printed = "plain" if self.printed == "terminal" and not sys.stdout.isatty() else self.printed
        if printed == "github":
            _to_github(workspace, reports, os.environ)
        else:
            out(_render(reports, printed, target(verbose=self.verbose)), end="")
        code = combine(report.exit for report in reports)
        return Exit.YES if exit_zero and code in (Exit.NO, Exit.INCONCLUSIVE) else code


def _output(written: str) -> tuple[str, Path]:
    name, equals, path = written.partition("=")
    if not (equals and path):
        raise InputError(f"'{written}' is not FORMAT=FILE", hint="for example --output json=report.json")
    return name.strip(), Path(path)


def _write(path: Path, text: str, *, mode: str = "w") -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode, encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _render(reports: Sequence[RunReport], name: str, where: Target) -> str:
    """All reports of a run in one text; a format that holds one document holds a list of them."""
    module = plugins.load(name)
    try:
        return str(module.render(reports, where))
    except ValueError as error:
        raise InputError(f"no {name} can be written: {error}") from None


def _to_github(workspace: Workspace, reports: Sequence[RunReport], environ: Mapping[str, str]) -> None:
    """Annotations to stdout, where the runner reads them; the summary to the step's file, or to stdout without one."""
    from promptbench.report.formats import github

    root, checkout = workspace.settings.root.resolve(), Path(environ.get("GITHUB_WORKSPACE") or ".").resolve()
    folder = f"{root.relative_to(checkout).as_posix()}/" if checkout in root.parents else ""
    out(github.commands(reports, folder), end="")
    if not (summary := environ.get("GITHUB_STEP_SUMMARY")):
        out(github.render(reports, Target()), end="")
        return
    path = Path(summary)
    written = path.stat().st_size if path.exists() else 0
    _write(path, github.summary(reports, github.LIMIT - written), mode="a")
    say(f"appended the summary to {path}")

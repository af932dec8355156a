"""Reports to stdout and to files, in the formats that were asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from promptbench.api import Project, RunReport
from promptbench.cli.output import out, say, target
from promptbench.core.errors import Exit, InputError, PromptbenchError, combine
from promptbench.report.formats import plugins
from promptbench.report.words import Target


@dataclass(frozen=True, slots=True)
class _File:
    """Where a report goes. A folder gets a file of evidence for each prompt that there is something to promote of."""

    format: str
    path: Path
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Rendering:
    """`printed` is the format for stdout, `files` are where reports go besides; `verbose` as in `Target`."""

    printed: str
    files: tuple[_File, ...]
    verbose: bool = False

    @classmethod
    def of(cls, printed: str, outputs: Sequence[str] | None, *, verbose: bool = False) -> Rendering:
        """From what `--format` and `--output` say. Raises InputError for a format that there is not."""
        files = tuple(_output(item) for item in outputs or ())
        for name in (printed, *(file.format for file in files)):
            if name not in plugins:
                raise InputError(f"there is no format '{name}'", hint=f"known formats: {', '.join(plugins.names())}")
        return cls(printed, files, verbose)

    def wants(self, name: str) -> bool:
        return name in (self.printed, *(file.format for file in self.files))

    @contextmanager
    def errors(self, project: Project) -> Iterator[None]:
        """Errors are shown where GitHub shows reports, at their lines, if that is the format; and raised as ever."""
        try:
            yield
        except PromptbenchError as error:
            if self.printed == "github":
                from promptbench.report.formats import github

                folder, level = _in_checkout(project, os.environ), "notice" if error.exit is Exit.NOTHING else "error"
                out(github.mistakes(error.message, error.diagnostics, folder, level=level), end="")
            raise

    def write(self, project: Project, reports: Sequence[RunReport], *, exit_zero: bool) -> Exit:
        """Writes all of it; the exit code that the verdicts mean. Raises InputError where a file cannot be written."""
        proven = any(report.proof is not None for report in reports)
        if self.wants("evidence") and not proven:
            say("no evidence is written: there is no verdict of whole suites that it could prove")
        for file in self.files:
            for path, part in _parts(file, reports):
                _write(path, _render(part, file.format, Target(verbose=self.verbose)))
                say(f"wrote {path}")
        printed = "plain" if self.printed == "terminal" and not sys.stdout.isatty() else self.printed
        if printed == "github":
            _to_github(project, reports, os.environ)
        elif printed != "evidence" or proven:
            out(_render(reports, printed, target(verbose=self.verbose)), end="")
        code = combine(report.exit for report in reports)
        return Exit.YES if exit_zero and code in (Exit.NO, Exit.INCONCLUSIVE) else code


def _output(written: str) -> _File:
    name, equals, path = written.partition("=")
    if not (equals and path):
        raise InputError(f"'{written}' is not FORMAT=FILE", hint="for example --output json=report.json")
    file = _File(name.strip(), Path(path), path.endswith(("/", os.sep)) or Path(path).is_dir())
    if file.is_folder and file.format != "evidence":
        raise InputError(f"{path} is a folder", hint=f"name a file: --output {file.format}={Path(path) / 'FILE'}")
    return file


def _parts(file: _File, reports: Sequence[RunReport]) -> Iterator[tuple[Path, Sequence[RunReport]]]:
    """The files to be written, each with the reports in it."""
    proofs = {report.prompt: report.proof for report in reports if report.proof is not None}
    if file.format != "evidence" or (proofs and not file.is_folder):
        yield file.path, reports
        return
    for prompt, proof in proofs.items():
        if proof["candidate"] == proof["champion"]:
            say(f"no evidence of {prompt} is written: the candidate is in production already")
        else:
            yield file.path / f"{prompt}.json", [report for report in reports if report.prompt == prompt]


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


def _in_checkout(project: Project, environ: Mapping[str, str]) -> str:
    """Where the project is in the repository that GitHub checked out, with a slash behind it."""
    root, checkout = project.settings.root.resolve(), Path(environ.get("GITHUB_WORKSPACE") or ".").resolve()
    return f"{root.relative_to(checkout).as_posix()}/" if checkout in root.parents else ""


def _to_github(project: Project, reports: Sequence[RunReport], environ: Mapping[str, str]) -> None:
    """Annotations to stdout, where the runner reads them; the summary to the step's file, or to stdout without one."""
    from promptbench.report.formats import github

    out(github.commands(reports, _in_checkout(project, environ)), end="")
    if not (summary := environ.get("GITHUB_STEP_SUMMARY")):
        out(github.render(reports, Target()), end="")
        return
    path = Path(summary)
    written = path.stat().st_size if path.exists() else 0
    _write(path, github.summary(reports, github.LIMIT - written), mode="a")
    say(f"appended the summary to {path}")

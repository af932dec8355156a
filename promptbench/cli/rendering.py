"""Print reports and write them to files, in the formats of `--format` and `--output`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from promptbench.cli.output import out, present_command, say, target
from promptbench.core.errors import Diagnostic, Exit, InputError, PromptbenchError, combine
from promptbench.project import Project
from promptbench.report.document import CodeBlock, Report, Section, Target
from promptbench.report.renderers import plugins


@dataclass(frozen=True, slots=True)
class Rendering:
    """What to print and write: `printed` is the format for stdout, `files` are further formats and paths.

    For evidence the path may be a folder. It gets a file for each prompt with something to promote.
    """

    printed: str
    files: tuple[tuple[str, str], ...]
    verbose: bool = False
    quiet: bool = False

    @classmethod
    def of(
        cls,
        printed: str,
        outputs: Sequence[str] | None,
        *,
        of_run: bool = False,
        as_json: bool = False,
        verbose: bool = False,
        quiet: bool = False,
    ) -> Rendering:
        """Read `--format`, `--json` and `--output`.

        Raises InputError for an unknown format, and without `of_run` for one that has the calls of a run or its proof.
        """
        printed = "json" if as_json else printed
        files = []
        for item in outputs or ():
            name, equals, path = item.partition("=")
            if not (equals and path):
                raise InputError(f"expected FORMAT=FILE, got '{item}'", hint="for example --output json=report.json")
            if _is_folder(path) and name.strip() != "evidence":
                hint = f"name a file: --output {name.strip()}={Path(path) / 'FILE'}"
                raise InputError(f"{path} is a folder", hint=hint)
            files.append((name.strip(), path))
        for name in (printed, *(name for name, _ in files)):
            if name not in plugins:
                raise InputError(f"unknown format '{name}'", hint=f"known formats: {', '.join(plugins.names())}")
            if name in ("evidence", "log", "otlp") and not of_run:
                hint = f"for a run on record: promptbench runs report RUN --output {name}=FILE"
                raise InputError(f"cannot write {name}: only a run has it", hint=hint)
        return cls(printed, tuple(files), verbose, quiet)

    def wants(self, name: str) -> bool:
        return name in (self.printed, *(format_ for format_, _ in self.files))

    @contextmanager
    def errors(self, project: Project) -> Iterator[None]:
        """Annotate errors at their lines if the format is GitHub's, and re-raise them."""
        try:
            yield
        except PromptbenchError as error:
            if self.printed == "github":
                from promptbench.report.renderers import github

                folder, level = _in_checkout(project, os.environ), "notice" if error.exit is Exit.NOTHING else "error"
                out(github.errors(error.message, error.diagnostics, folder, level=level), end="")
            raise

    def annotate(self, project: Project | None, items: Sequence[Diagnostic]) -> None:
        """Annotate errors at their lines if the format is GitHub's."""
        if self.printed == "github":
            from promptbench.report.renderers import github

            out(github.error_commands(items, _in_checkout(project, os.environ)), end="")

    def write(self, project: Project | None, reports: Sequence[Report], *, exit_zero: bool = False) -> Exit:
        """Write everything and return the exit code of the verdicts. Raises InputError if a file cannot be written.

        A failed result that names no command of its own is repeated by the present one.
        """
        reports = [_with_command(report) if report.exit and not report.command else report for report in reports]
        proven = any(report.proof is not None for report in reports)
        if self.wants("evidence") and not proven:
            say("no evidence is written: it needs a verdict on whole suites")
        for name, target_path in self.files:
            for path, part in _parts(name, target_path, reports):
                _write(path, _render(part, name, Target(verbose=self.verbose)))
                say(f"wrote {path}")
        printed = "plain" if self.printed == "terminal" and not sys.stdout.isatty() else self.printed
        if printed == "github":
            _to_github(project, reports, os.environ)
        elif printed != "evidence" or proven:
            out(_render(reports, printed, target(verbose=self.verbose, quiet=self.quiet)), end="")
        code = combine(report.exit for report in reports)
        return Exit.YES if exit_zero and code in (Exit.NO, Exit.INCONCLUSIVE) else code


def _with_command(report: Report) -> Report:
    command, document = present_command(), report.document
    sections = [*document.sections, Section([CodeBlock(command, label="again")])]
    return replace(report, command=command, document=replace(document, sections=sections))


def _is_folder(path: str) -> bool:
    return path.endswith(("/", os.sep)) or Path(path).is_dir()


def _parts(name: str, path: str, reports: Sequence[Report]) -> Iterator[tuple[Path, Sequence[Report]]]:
    """Yield the files to write, each with the reports in it."""
    proofs = {report.prompt: report.proof for report in reports if report.proof is not None}
    if name != "evidence" or (proofs and not _is_folder(path)):
        yield Path(path), reports
        return
    for prompt, proof in proofs.items():
        if proof["candidate"] == proof["champion"]:
            say(f"no evidence of {prompt} is written: the candidate is in production already")
        else:
            yield Path(path) / f"{prompt}.json", [report for report in reports if report.prompt == prompt]


def _write(path: Path, text: str, *, mode: str = "w") -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode, encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def _render(reports: Sequence[Report], name: str, where: Target) -> str:
    try:
        return str(plugins.load(name).render(reports, where))
    except ValueError as error:
        raise InputError(f"cannot write {name}: {error}") from None


def _in_checkout(project: Project | None, environ: Mapping[str, str]) -> str:
    """Return the project's folder within the repository that GitHub checked out, with a slash at its end."""
    if project is None:  # Its settings are invalid.
        return ""
    root, checkout = project.settings.root.resolve(), Path(environ.get("GITHUB_WORKSPACE") or ".").resolve()
    return f"{root.relative_to(checkout).as_posix()}/" if checkout in root.parents else ""


def _to_github(project: Project | None, reports: Sequence[Report], environ: Mapping[str, str]) -> None:
    """Write annotations to stdout, where the runner reads them, and the summary to the step's file if there is one."""
    from promptbench.report.renderers import github, markdown

    out(github.workflow_commands(reports, _in_checkout(project, environ)), end="")
    if not (summary := environ.get("GITHUB_STEP_SUMMARY")):
        out(github.render(reports, Target()), end="")
        return
    path = Path(summary)
    written = path.stat().st_size if path.exists() else 0
    _write(path, markdown.within(reports, github.LIMIT - written), mode="a")
    say(f"appended the summary to {path}")

"""Select the suites that are affected by the changes of a branch, according to git."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import EnvironmentFailure, InputError, NothingSelected
from promptbench.core.types import Json
from promptbench.engine.prepare.options import Selection
from promptbench.project import Project
from promptbench.settings.settings import find_project
from promptbench.suite.loader import load as load_suite
from promptbench.workflows.judge.affected_by import is_affected

# Variables in which CI systems name the branch that a change will be merged into.
_TARGETS = (
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "SYSTEM_PULLREQUEST_TARGETBRANCH",
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "CHANGE_TARGET",
)
_MAIN = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_SECONDS = 120
_FETCH = "fetch it with its history: `git fetch origin {branch}`, or `fetch-depth: 0` for actions/checkout"


@dataclass(frozen=True, slots=True)
class _Changes:
    """The files that differ from the commit `base`, uncommitted ones included. `label` names the commit in messages."""

    base: str
    label: str
    files: frozenset[Path]


def select_changed(project: Project, selection: Selection) -> tuple[Selection, str]:
    """Return the selection of suites that are affected by changes, and a sentence that says why.

    Raises:
        NothingSelected: No suite is affected.
        InputError: Git cannot tell what has changed.
    """
    settings = project.settings
    git = _Git(settings.root)
    found = _changes(git, project.environ, selection.since)
    suites = project.suite_files(selection.paths)
    mirror = (settings.store / "text").resolve()
    everything = _settings_changed(git, settings.root, found, settings.values.prices)
    chosen = [file for file in suites if everything or _affects(project, file, found, mirror)]
    if not chosen:
        raise NothingSelected(
            f"no suite is affected by changes since {found.label}",
            hint="run without --changed to judge all suites, or name another commit with --changed-since",
        )
    names = ", ".join(project.shown(file.parent) for file in chosen)
    why = "the settings have changed" if everything else f"changed: {names}"
    rest = len(suites) - len(chosen)
    others = f"; {rest} other {'suite is' if rest == 1 else 'suites are'} not judged" if rest else ""
    return replace(selection, paths=tuple(chosen)), f"since {found.label} {why}{others}"


def _affects(project: Project, file: Path, found: _Changes, mirror: Path) -> bool:
    suite = load_suite(file, project.shown(file), Diagnostics())
    # An invalid suite is selected, so that its errors are reported.
    return suite is None or is_affected(suite, found.files, mirror)


def _settings_changed(git: _Git, root: Path, found: _Changes, prices: str | None) -> bool:
    # Of a pyproject.toml, only our own table counts.
    if prices is not None and (root / prices).resolve() in found.files:
        return True
    file = find_project(root)
    if file is None or file.resolve() not in found.files:
        return False
    before = git.text("show", f"{found.base}:{file.resolve().relative_to(git.top).as_posix()}")
    return before is None or _ours(before, file) != _ours(file.read_text(encoding="utf-8-sig"), file)


def _ours(text: str, file: Path) -> Json:
    try:
        data: Any = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    if file.name != "pyproject.toml":
        return data
    tool = data.get("tool")
    return tool.get("promptbench") if isinstance(tool, dict) else None


def _changes(git: _Git, environ: Mapping[str, str], ref: str | None) -> _Changes:
    if not git.ok("rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
        raise InputError("this git repository has no commit", hint="run without --changed")
    name = ref or _target(git, environ)
    if not git.ok("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"):
        hint = _FETCH.format(branch=name.removeprefix("origin/"))
        raise InputError(f"commit '{name}' not found in this clone", hint=hint)
    base = (git.text("merge-base", "--end-of-options", name, "HEAD") or "").strip()
    if not base:
        hint = _FETCH.format(branch=name.removeprefix("origin/"))
        raise InputError(f"the history of this clone is too short: no common commit with '{name}'", hint=hint)
    listed = git.require("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", base, "--")
    listed += git.require("ls-files", "--others", "--exclude-standard", "-z")
    files = frozenset((git.top / file).resolve() for file in listed.split("\0") if file)
    return _Changes(base, f"{base[:9]} ({name})", files)


def _target(git: _Git, environ: Mapping[str, str]) -> str:
    """Return the branch that this one will be merged into: the one that CI names, else the main one."""
    for variable in _TARGETS:
        if branch := environ.get(variable, "").strip().removeprefix("refs/heads/"):
            return f"origin/{branch}"
    for name in _MAIN:
        if git.ok("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
            return name
    raise InputError(
        "cannot determine the branch that this one will be merged into",
        hint="name it: --changed-since origin/BRANCH",
    )


class _Git:
    """The git repository of a folder. Raises InputError if there is none."""

    def __init__(self, folder: Path) -> None:
        self.top = folder
        done = self._run("rev-parse", "--show-toplevel")
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            why = lines[0].removeprefix("fatal: ") if lines else "no repository"
            raise InputError(
                f"--changed needs git, which reports in {folder}: {why}",
                hint="run without --changed to judge all suites",
            )
        self.top = Path(done.stdout.rstrip("\n")).resolve()

    def ok(self, *words: str) -> bool:
        return self._run(*words).returncode == 0

    def text(self, *words: str) -> str | None:
        """Return what git prints, or None if it fails."""
        done = self._run(*words)
        return None if done.returncode else done.stdout

    def require(self, *words: str) -> str:
        """Return what git prints. Raise EnvironmentFailure if it fails."""
        done = self._run(*words)
        if done.returncode:
            raise EnvironmentFailure(f"git {words[0]} failed: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["git", *words],
                cwd=self.top,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise EnvironmentFailure("git is not installed", hint="run without --changed") from None
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(f"git {words[0]} took more than {_SECONDS} s") from None

"""What has changed on a branch, as git knows it, and which suites that concerns."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptbench.api.workspace import Project
from promptbench.core.diagnostics import Diagnostics
from promptbench.core.errors import EnvironmentFailure, InputError, NothingSelected
from promptbench.core.types import Json
from promptbench.project.footprint import is_affected
from promptbench.project.options import Selection
from promptbench.settings.settings import find_project
from promptbench.suite.loader import load as load_suite

# Where CI says which branch a change is to be merged into.
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
class Changes:
    """The files that differ from `base`, a commit: committed since, or not committed yet. `told` says what it is."""

    base: str
    told: str
    files: frozenset[Path]


def changed_only(project: Project, selection: Selection) -> tuple[Selection, str]:
    """The selection of those of its suites that a change concerns, and a sentence about that.

    Raises NothingSelected when there is none; InputError when git does not know what has changed.
    """
    settings = project.settings
    git = _Git(settings.root)
    found = _changes(git, project.environ, selection.since)
    suites = project.suite_files(selection.paths)
    mirror = (settings.store / "text").resolve()
    everything = _settings_changed(git, settings.root, found, settings.values.prices)
    chosen = [file for file in suites if everything or _concerns(project, file, found, mirror)]
    if not chosen:
        raise NothingSelected(
            f"nothing that a suite uses has changed since {found.told}",
            hint="without --changed all suites are judged; --changed-since names another commit to compare with",
        )
    names = ", ".join(project.shown(file.parent) for file in chosen)
    why = "the settings have changed" if everything else f"changed: {names}"
    rest = len(suites) - len(chosen)
    others = f"; {rest} other {'suite is' if rest == 1 else 'suites are'} not judged" if rest else ""
    return replace(selection, paths=tuple(chosen)), f"since {found.told} {why}{others}"


def _concerns(project: Project, file: Path, found: Changes, mirror: Path) -> bool:
    suite = load_suite(file, project.shown(file), Diagnostics())
    # Of what cannot be read nobody knows what it uses, and its mistakes are to be told.
    return suite is None or is_affected(suite, found.files, mirror)


def _settings_changed(git: _Git, root: Path, found: Changes, prices: str | None) -> bool:
    """Whether the project's settings or its prices are others than at the base; the rest of a pyproject.toml is not
    ours.
    """
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


def _changes(git: _Git, environ: Mapping[str, str], ref: str | None) -> Changes:
    if not git.ok("rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
        raise InputError("there is no commit in this git repository yet", hint="leave --changed out")
    name = ref or _target(git, environ)
    if not git.ok("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"):
        hint = _FETCH.format(branch=name.removeprefix("origin/"))
        raise InputError(f"git knows no commit '{name}' in this clone", hint=hint)
    base = (git.text("merge-base", "--end-of-options", name, "HEAD") or "").strip()
    if not base:
        hint = _FETCH.format(branch=name.removeprefix("origin/"))
        raise InputError(f"the history in this clone does not reach to where this branch left '{name}'", hint=hint)
    listed = git.asked("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", base, "--")
    listed += git.asked("ls-files", "--others", "--exclude-standard", "-z")
    files = frozenset((git.top / file).resolve() for file in listed.split("\0") if file)
    return Changes(base, f"{base[:9]} ({name})", files)


def _target(git: _Git, environ: Mapping[str, str]) -> str:
    """The branch that this one is to be merged into: what CI says, else the main one."""
    for variable in _TARGETS:
        if branch := environ.get(variable, "").strip().removeprefix("refs/heads/"):
            return f"origin/{branch}"
    for name in _MAIN:
        if git.ok("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
            return name
    raise InputError(
        "neither CI nor git says which branch this one is to be merged into",
        hint="name it: --changed-since origin/BRANCH",
    )


class _Git:
    """The repository around a folder. Raises InputError when there is none."""

    def __init__(self, folder: Path) -> None:
        self.top = folder
        done = self._run("rev-parse", "--show-toplevel")
        if done.returncode:
            said = done.stderr.strip().splitlines()
            why = said[0].removeprefix("fatal: ") if said else "no repository"
            raise InputError(
                f"what has changed is read from git, and in {folder} it says: {why}",
                hint="without --changed all suites are judged",
            )
        self.top = Path(done.stdout.rstrip("\n")).resolve()

    def ok(self, *words: str) -> bool:
        return self._run(*words).returncode == 0

    def text(self, *words: str) -> str | None:
        """What git prints; None when it fails."""
        done = self._run(*words)
        return None if done.returncode else done.stdout

    def asked(self, *words: str) -> str:
        """What git prints, which must work. Raises EnvironmentFailure."""
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
            raise EnvironmentFailure("git is not installed here", hint="without --changed it is not needed") from None
        except subprocess.TimeoutExpired:
            raise EnvironmentFailure(f"git {words[0]} took more than {_SECONDS} s") from None

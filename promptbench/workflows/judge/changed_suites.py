"""Select the suites that are affected by the changes of a branch, according to git."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import replace
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


def select_changed(project: Project, selection: Selection) -> tuple[Selection, str]:
    """Return the selection of the suites that a change affects, and a sentence about that.

    Raises:
        NothingSelected: there are none.
        InputError: git does not know what has changed.
    """
    settings = project.settings
    found = _git(settings.root, "rev-parse", "--show-toplevel")
    if found.returncode:
        reason = next(iter(found.stderr.strip().splitlines()), "no repository").removeprefix("fatal: ")
        raise InputError(
            f"--changed needs git, which reports in {settings.root}: {reason}",
            hint="run without --changed to judge all suites",
        )
    top = Path(found.stdout.rstrip("\n")).resolve()
    base, name = _base(top, project.environ, selection.since)
    since, listed = f"{base[:9]} ({name})", ""
    for words in (
        ("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", base, "--"),
        ("ls-files", "--others", "--exclude-standard", "-z"),
    ):
        done = _git(top, *words)
        if done.returncode:
            raise EnvironmentFailure(f"git {words[0]} failed: {done.stderr.strip() or done.returncode}")
        listed += done.stdout
    files = {(top / file).resolve() for file in listed.split("\0") if file}
    everything = _settings_changed(top, base, settings.root, files, settings.values.prices)
    suites, mirror, affected = project.suite_files(selection.paths), (settings.store / "text").resolve(), []
    for file in suites:
        # A suite that cannot be read may use anything, and its errors are to be reported.
        suite = None if everything else load_suite(file, project.shown(file), Diagnostics())
        if suite is None or is_affected(suite, files, mirror):
            affected.append(file)
    if not affected:
        raise NothingSelected(
            f"no suite is affected by changes since {since}",
            hint="run without --changed to judge all suites, or name another commit with --changed-since",
        )
    names = ", ".join(project.shown(file.parent) for file in affected)
    why = "the settings have changed" if everything else f"changed: {names}"
    rest = len(suites) - len(affected)
    others = f"; {rest} other {'suite is' if rest == 1 else 'suites are'} not judged" if rest else ""
    return replace(selection, paths=tuple(affected)), f"since {since} {why}{others}"


def _settings_changed(top: Path, base: str, root: Path, files: set[Path], prices: str | None) -> bool:
    if prices is not None and (root / prices).resolve() in files:
        return True
    file = find_project(root)
    if file is None or file.resolve() not in files:
        return False
    before = _git(top, "show", f"{base}:{file.resolve().relative_to(top).as_posix()}")
    return bool(before.returncode) or _settings(before.stdout, file) != _settings(
        file.read_text(encoding="utf-8-sig"), file
    )


def _settings(text: str, file: Path) -> Json:
    """Parse a settings file; of a pyproject.toml only our table. Return None if it is invalid."""
    try:
        data: Any = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    if file.name != "pyproject.toml":
        return data
    tool = data.get("tool")
    return tool.get("promptbench") if isinstance(tool, dict) else None


def _base(top: Path, environ: Mapping[str, str], ref: str | None) -> tuple[str, str]:
    """Return the commit to compare with, and the name by which it was found: `ref`, else the branch to merge into."""
    if not _is_commit(top, "HEAD"):
        raise InputError("this git repository has no commit", hint="run without --changed")
    targets = (environ.get(variable, "").strip().removeprefix("refs/heads/") for variable in _TARGETS)
    name = ref or next((f"origin/{branch}" for branch in targets if branch), None)
    name = name or next((branch for branch in _MAIN if _is_commit(top, branch)), None)
    if name is None:
        raise InputError(
            "cannot determine the branch that this one will be merged into",
            hint="name it: --changed-since origin/BRANCH",
        )
    branch = name.removeprefix("origin/")
    hint = f"fetch it with its history: `git fetch origin {branch}`, or `fetch-depth: 0` for actions/checkout"
    if not _is_commit(top, name):
        raise InputError(f"commit '{name}' not found in this clone", hint=hint)
    base = _git(top, "merge-base", "--end-of-options", name, "HEAD").stdout.strip()
    if not base:
        raise InputError(f"the history of this clone is too short: no common commit with '{name}'", hint=hint)
    return base, name


def _is_commit(top: Path, name: str) -> bool:
    return not _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").returncode


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *words],
            cwd=folder,
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

"""Which Python code a suite may name: files below the project's root that the settings list, and what they define.

Nothing here imports or runs that code.
"""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path

from promptbench.core.diagnostics import Code, did_you_mean
from promptbench.core.protocols import Problem

SHAPE = "file.py:function"


def split_name(name: str) -> tuple[str, str] | None:
    """`file.py:function` in its two parts, or None when it has another shape."""
    file, colon, function = name.rpartition(":")
    return (file, function) if colon and file.endswith(".py") and function.isidentifier() else None


def locate(file: str, folder: Path, root: Path) -> Path | None:
    """The real path of a file named from the suite's folder, symlinks followed; None when it is outside the root."""
    try:
        path = (folder / file).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
    return path if path.is_relative_to(root.resolve()) else None


def relative(path: Path, root: Path) -> str:
    return path.relative_to(root.resolve()).as_posix()


def is_allowed(path: str, globs: Sequence[str]) -> bool:
    """Whether a posix path relative to the root matches one of the globs. `*` stays inside a folder, `**` does not."""
    return any(_matches(path.split("/"), glob.strip("/").split("/")) for glob in globs)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def problems(name: str, folder: Path, root: Path, allowed: Sequence[str], *, prefix: str = "") -> list[Problem]:
    """What is wrong with a name, without running anything: at most one problem, the first that has to be mended.

    `folder` is the suite's and `root` the project's; `allowed` are globs from `root`. `prefix` stands before the name
    where people write it.
    """
    parts = split_name(name)
    if parts is None:
        return [
            Problem(
                Code.UNKNOWN_MODEL.name,
                f"{prefix}{name} does not name a function in a file",
                f"write it as {prefix}{SHAPE}, the file from the suite's folder",
            )
        ]
    file, function = parts
    path = locate(file, folder, root)
    if path is None:
        return [
            Problem(
                Code.CODE_NOT_ALLOWED.name,
                f"{file} lies outside the project {root.name}",
                "move the file into the project, beside the suite",
            )
        ]
    if not path.is_file():
        return [Problem(Code.FILE_NOT_FOUND.name, f"there is no file {file} beside the suite", _similar(path))]
    shown = relative(path, root)
    if not is_allowed(shown, allowed):
        return [
            Problem(
                Code.CODE_NOT_ALLOWED.name,
                f"{shown} may not run: the project's settings do not list it",
                f'whoever maintains the project adds to pyproject.toml: [tool.promptbench] python = ["{shown}"]',
            )
        ]
    return _function_problems(path, shown, function)


def _similar(path: Path) -> str | None:
    folder = path.parent
    meant = did_you_mean(path.name, [other.name for other in folder.glob("*.py")]) if folder.is_dir() else None
    return f"did you mean {meant}?" if meant else None


def _function_problems(path: Path, shown: str, function: str) -> list[Problem]:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        return [Problem(Code.BAD_VALUE.name, f"{shown}{line} is not readable as Python: {reason}")]
    names = set(_bound_names(tree.body))
    if function in names or "*" in names:
        return []
    meant = did_you_mean(function, names)
    known = ", ".join(sorted(name for name in names if not name.startswith("_")))
    hint = f"did you mean {meant}?" if meant else f"it defines {known}" if known else None
    return [Problem(Code.UNKNOWN_MODEL.name, f"{shown} defines no '{function}'", hint)]


def _bound_names(body: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that a module's statements bind, those inside `if` and `try` too; `*` for a star import."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
            case ast.Assign():
                yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.If() | ast.Try() | ast.With():
                yield from _bound_names(
                    [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)]
                )
                for handler in getattr(statement, "handlers", ()):
                    yield from _bound_names(handler.body)

"""Find Python functions that a suite may use: files below the project's root that the settings allow.

Nothing here imports or runs their code.
"""

import ast
import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from promptbench.core.errors import Code, did_you_mean
from promptbench.core.files import Pinned, PinnedFile, is_inside
from promptbench.core.protocols import Problem
from promptbench.core.settings_file import place

SHAPE = "file.py:function"


def split_name(name: str) -> tuple[str, str] | None:
    """Split `file.py:function` into its parts. Return None for any other shape."""
    file, colon, function = name.rpartition(":")
    return (file, function) if colon and file.endswith(".py") and function.isidentifier() else None


def locate(file: str, folder: Path, root: Path) -> Path | None:
    """Return the real path of a file relative to the suite's folder, or None if it is outside the root."""
    try:
        path = (folder / file).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
    return path if path.is_relative_to(root.resolve()) else None


def relative(path: Path, root: Path) -> str:
    return path.relative_to(root.resolve()).as_posix()


def is_allowed(path: str, globs: Sequence[str]) -> bool:
    """Return whether a POSIX path relative to the root matches a glob. `*` stays within a folder, `**` does not."""
    return any(_matches(path.split("/"), glob.strip("/").split("/")) for glob in globs)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def problems(name: str, folder: Path, root: Path, allowed: Sequence[str], *, prefix: str = "") -> list[Problem]:
    """Return the first problem with `file.py:function`, without running anything; an empty list if there is none.

    Args:
        name: as written, without its prefix.
        folder: the suite's folder.
        root: the project's root.
        allowed: globs relative to the root.
        prefix: what users write before the name, such as `python/`; for messages.
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
                f"{file} is outside the project {root.name}",
                "move the file into the project, next to the suite",
            )
        ]
    if not path.is_file():
        meant = did_you_mean(path.name, [other.name for other in path.parent.glob("*.py")])
        hint = f"did you mean {meant}?" if meant else None
        return [Problem(Code.FILE_NOT_FOUND.name, f"file not found next to the suite: {file}", hint)]
    shown = relative(path, root)
    if not is_allowed(shown, allowed):
        return [_not_listed(shown, root)]
    return _function_problems(path, shown, function)


def _not_listed(shown: str, root: Path, importer: str = "") -> Problem:
    message = f"{importer}{shown} may not run: the project's settings do not list it"
    hint = f'a maintainer of the project can allow it: python = ["{shown}"] in {place(root)}'
    return Problem(Code.CODE_NOT_ALLOWED.name, message, hint)


def _function_problems(path: Path, shown: str, function: str) -> list[Problem]:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        return [Problem(Code.BAD_VALUE.name, f"{shown}{line} is not valid Python: {reason}")]
    names = set(_bound_names(tree.body))
    if function in names or "*" in names:
        return []
    meant = did_you_mean(function, names)
    known = ", ".join(sorted(name for name in names if not name.startswith("_")))
    hint = f"did you mean {meant}?" if meant else f"it defines {known}" if known else None
    return [Problem(Code.UNKNOWN_MODEL.name, f"{shown} defines no '{function}'", hint)]


def _bound_names(body: Sequence[ast.stmt]) -> Iterator[str]:
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


def pinned_problems(pinned: Pinned, folder: Path, root: Path, allowed: Sequence[str]) -> list[Problem]:
    """Return a problem for each Python file of a version whose path in the suite's folder may not run."""
    paths = [(folder / path).resolve() for path in pinned.files if path.endswith(".py")]
    inside = [relative(path, root) if path.is_relative_to(root.resolve()) else str(path) for path in paths]
    return [_not_listed(shown, root) for shown in inside if not is_allowed(shown, allowed)]


def pin(
    file: str, folder: Path, root: Path, allowed: Sequence[str], named: Sequence[str] = ()
) -> tuple[Pinned, list[Problem]]:
    """Return a module with the modules that it imports and the `named` files, and what of them may not run.

    Missing files are left out.

    Args:
        file: the module, from the suite's `folder`.
        root: the project's root.
        allowed: globs relative to the root.
        named: data or further modules, from the suite's folder.
    """
    found: dict[str, PinnedFile] = {}
    refused: list[Problem] = []
    waiting = [(PurePosixPath(name), "") for name in (file, *named)]
    for path, importer in waiting:
        actual = locate(str(path), folder, root) if is_inside(str(path)) else None
        if str(path) in found or actual is None or not actual.is_file():
            continue
        shown = relative(actual, root)
        if path.suffix == ".py" and not is_allowed(shown, allowed):
            refused.append(_not_listed(shown, root, importer))
            continue
        found[str(path)] = PinnedFile.read(actual)
        above = [PurePosixPath(file).parent, *path.parents]
        for level, name, line in imports(actual.read_bytes()) if path.suffix == ".py" else ():
            # `import a.b` runs `a` first, and `b` in `from a import b` may be a module.
            module = above[min(level, len(above) - 1)]
            for part in name.split("."):
                module = module / part
                places = (module.parent / f"{part}.py", module / "__init__.py")
                waiting += [(place, f"{shown}:{line}: ") for place in places]
    return Pinned(dict(sorted(found.items()))), refused


def imports(source: bytes) -> Iterator[tuple[int, str, int]]:
    """Yield what a module imports: the level of a relative import, else 0, the dotted name, and the line.

    If the source is not valid Python, this is one import without a name.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield 0, "", 1
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = (f"{node.module or ''}.{alias.name}".strip(".") for alias in node.names)
            yield from ((node.level, name, node.lineno) for name in names)

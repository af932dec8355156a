"""Hash the code of a function in a Python file without running it."""

from __future__ import annotations

import ast
import hashlib
import sys

from promptbench.core.allowed_code import locate, split_name
from promptbench.core.types import Json
from promptbench.plugins import ProviderContext


def shape(name: str, context: ProviderContext) -> Json:
    """Return the hash of the function's file and the Python version.

    None if the file imports anything but the standard library: then not all of its code is hashed.
    """
    parts = split_name(name)
    path = locate(parts[0], context.folder, context.root) if parts else None
    try:
        source = path.read_bytes() if path else b""
        modules = _imported(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        return None
    if parts is None or not modules <= sys.stdlib_module_names:
        return None
    return {"function": parts[1], "sha256": hashlib.sha256(source).hexdigest(), "python": sys.version}


def _imported(tree: ast.Module) -> set[str]:
    """Return the top-level names of all imported modules; an empty one for a relative import."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("" if node.level else (node.module or "").partition(".")[0])
    return found

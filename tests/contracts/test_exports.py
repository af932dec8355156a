"""The public names: one list, each importable, and nothing else reachable."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import promptbench
from promptbench import plugins
from promptbench.core import errors

SOURCE = Path(promptbench.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", promptbench.__all__)
def test_every_listed_name_is_there_and_documented(name: str) -> None:
    value = getattr(promptbench, name)
    assert value.__name__ == name
    assert (value.__doc__ or "").strip()


def test_the_list_is_what_type_checkers_see() -> None:
    """Mypy reads the imports under TYPE_CHECKING, Python the table of homes."""
    [block] = [node for node in ast.parse(SOURCE).body if isinstance(node, ast.If)]
    seen = {
        (f"{node.module}".removeprefix("promptbench."), alias.asname)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {(home, name) for home, names in promptbench._HOMES.items() for name in names}


def test_nothing_else_is_public() -> None:
    # Names with an @ are pytest's, which rewrites the modules of installed plug-ins.
    reachable = {name for name in vars(promptbench) if not name.startswith(("_", "@"))}
    submodules = {path.stem for path in Path(promptbench.__file__).parent.iterdir()}
    imports = {"annotations", "import_module", "TYPE_CHECKING", "Any"}
    assert reachable - submodules - imports <= set(promptbench.__all__)
    assert len(promptbench.__all__) <= 28


def test_exceptions_and_plug_in_types_are_complete() -> None:
    public_errors = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
    }
    specs = {name for name in vars(plugins) if name.endswith("Spec")}
    assert public_errors | specs <= set(promptbench.__all__)


def test_no_name_is_hidden_by_a_submodule() -> None:
    """Importing a submodule sets an attribute of its name, and `__getattr__` is not called any more."""
    submodules = {path.stem for path in Path(promptbench.__file__).parent.iterdir()}
    assert not submodules & set(promptbench.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(promptbench, "no_such_name")


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, promptbench; print([n for n in sys.modules if n.startswith('promptbench.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

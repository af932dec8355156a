"""What start-up may import: `--help` is waited for by people."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "openai",
    "anthropic",
    "jsonschema",
    "sqlite_utils",
    "yaml",
    "aiohttp",
    "xllamacpp",
    "regex",
    "asyncio",
    "starlette",
    "uvicorn",
    "jinja2",
)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from promptbench.cli.app import run\n"
        f"assert run({arguments!r}) == 0\n"
        f"print(sorted(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"


def test_importing_the_package_imports_no_part_of_it() -> None:
    code = "import sys, promptbench; print([name for name in sys.modules if name.startswith('promptbench.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


CLIENT = """
import sys
from pathlib import Path
from promptbench.client import PromptClient, StoreUnreadable
client = PromptClient(Path(sys.argv[1]))
prompt = client.get("triage", fallback="Hello {{name}}")
prompt.render(name="Ada")
roots = {name.partition(".")[0] for name in sys.modules}
print(sorted(roots - set(sys.stdlib_module_names) - {"__mp_main__", "promptbench"}))
print(sorted(name for name in sys.modules if name.startswith("promptbench.") and name.count(".") == 1))
"""


def test_the_client_needs_the_standard_library_and_little_of_the_package(tmp_path: Path) -> None:
    """An application that reads a prompt must not load YAML, pydantic or a command line."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", CLIENT, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    foreign, own = done.stdout.splitlines()
    # What an editable installation brings into every process.
    assert [name for name in ast.literal_eval(foreign) if not name.startswith(("_", "distutils"))] == []
    layers = ("client", "core", "prompts", "store", "text")
    assert own == str([f"promptbench.{name}" for name in layers])

"""What start-up may import: `--help` is waited for by people."""

from __future__ import annotations

import subprocess
import sys

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

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from promptbench.checks import plugins
from promptbench.core import python_process
from promptbench.core.protocols import CheckContext
from promptbench.core.types import Json, Score
from tests.helpers.subjects import score


def judged(folder: Path, source: str, argument: Json = None, text: str = "hello", **options: Any) -> Score:
    (folder / "rules.py").write_text(source, encoding="utf-8")
    written = {"function": "rules.py:check", "argument": argument, **options}
    return score("python", written, text, folder=folder, allowed_code=("*.py",), variables={"name": "Ada", "list": [1]})


@pytest.mark.parametrize(
    ("returned", "passed", "value", "reason"),
    [
        ("True", True, 1, ""),
        ("False", False, 0, "rules.py:check returned 0"),
        ("False, 'no greeting'", False, 0, "no greeting"),
        ("True, 'ignored'", True, 1, ""),
        ("0.5", False, 0.5, "rules.py:check returned 0.5"),
        ("0.5, 'half\\nright'", False, 0.5, "half right"),
        ("1", True, 1, ""),
        ("answer == 'hello' and vars == {'name': 'Ada', 'list': [1]} and argument == {'a': [1.5, None]}", True, 1, ""),
        ("None", False, 0, "rules.py:check: TypeError: check returned NoneType, expected True, False or a number"),
        ("2", False, 0, "rules.py:check: ValueError: check returned 2.0, which is not between 0 and 1"),
        ("float('nan')", False, 0, "rules.py:check: ValueError: check returned nan, which is not between 0 and 1"),
    ],
)
def test_what_a_function_returns(tmp_path: Path, returned: str, passed: bool, value: float, reason: str) -> None:
    source = f"def check(answer, vars, argument):\n    return {returned}\n"
    result = judged(tmp_path, source, {"a": [1.5, None]})
    assert (result.passed, result.value) == (passed, value)
    assert result.reason.removesuffix(" (rules.py)") == reason


def test_a_share_can_be_enough(tmp_path: Path) -> None:
    source = "def check(answer, vars, argument):\n    return 0.8\n"
    assert judged(tmp_path, source, **{"at least": "80%"}).passed
    assert judged(tmp_path, source, **{"at least": 0.9}).reason.endswith("(score 0.80, needs 0.90)")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def check(a, v, g):\n    return {}['x']\n", "KeyError: 'x' (rules.py:2)"),
        ("def check(a, v, g):\n    raise SystemExit(3)\n", "SystemExit: 3 (rules.py:2)"),
        (
            "def check(a):\n    return True\n",
            "TypeError: check() takes 1 positional argument but 3 were given (rules.py)",
        ),
        (
            "import nothing_like_this\ndef check(a, v, g): ...\n",
            "ModuleNotFoundError: No module named 'nothing_like_this'",
        ),
        ("import os\ndef check(a, v, g):\n    os._exit(3)\n", "rules.py ended its process (exit code 3)"),
        ("if 1:\n    check = 5\n", "rules.py has no function 'check'"),
    ],
)
def test_a_fault_is_a_failure_that_names_its_place(tmp_path: Path, source: str, said: str) -> None:
    result = judged(tmp_path, source)
    assert result.reason.startswith("rules.py:check: ")
    assert said in result.reason


def test_an_endless_function_is_stopped_and_the_next_answer_is_judged(tmp_path: Path) -> None:
    source = "def check(answer, vars, argument):\n    while answer == 'endless':\n        pass\n    return True\n"
    began = time.perf_counter()
    assert judged(tmp_path, source, text="endless", seconds=0.5).reason.endswith(
        "rules.py took longer than 0.5 seconds"
    )
    assert judged(tmp_path, source, text="other").passed
    assert time.perf_counter() - began < 30


def test_it_runs_in_another_process_once_for_all_answers(tmp_path: Path) -> None:
    source = (
        "import os\nseen = []\n"
        "def check(answer, vars, argument):\n"
        "    seen.append(answer)\n"
        "    vars['name'] = 'changed'\n"
        "    print('not an answer')\n"
        "    return False, f'{os.getpid()} {len(seen)}'\n"
    )
    first, second = (judged(tmp_path, source).reason.split() for _ in range(2))
    assert first[0] == second[0] != str(os.getpid())
    assert (first[1], second[1]) == ("1", "2")


def test_modules_beside_the_checks_do_not_hide_those_of_the_standard_library(tmp_path: Path) -> None:
    source = "import json\ndef check(answer, vars, argument):\n    return json.loads('true')\n"
    assert judged(tmp_path, source).passed


@pytest.mark.parametrize("text", ["", "\ud800", "\0\n\r\u2028", "x" * 3_000_000, '{"a": 1}\n{"b"'])
def test_any_answer_arrives_as_it_is(tmp_path: Path, text: str) -> None:
    source = "def check(answer, vars, argument):\n    return False, ascii(answer[:20]) + str(len(answer))\n"
    assert judged(tmp_path, source, text=text).reason == ascii(text[:20]) + str(len(text))


@pytest.mark.parametrize(
    ("argument", "allowed", "said"),
    [
        (None, "*.py", "name a function in a file"),
        ("rules.py", "*.py", "does not name a function in a file"),
        ("none.py:check", "*.py", "file not found next to the suite: none.py"),
        ("rules.py:chek", "*.py", "did you mean check?"),
        ("rules.py:check", "other/*.py", "may not run: the project's settings do not list it"),
        ("../rules.py:check", "**", "is outside the project"),
        ("/etc/x.py:check", "**", "is outside the project"),
        ({"function": "rules.py:check", "seconds": 0}, "*.py", "expected 0 to 60"),
        ({"function": "rules.py:check", "seconds": 61}, "*.py", "expected 0 to 60"),
        ({"function": "rules.py:check", "arguments": 1}, "*.py", "did you mean 'argument'?"),
    ],
)
def test_refuses(tmp_path: Path, argument: Json, allowed: str, said: str) -> None:
    (tmp_path / "rules.py").write_text("def check(answer, vars, argument): ...\n", encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(said)):
        score("python", argument, "x", folder=tmp_path, allowed_code=(allowed,))


def test_the_fingerprint_follows_the_file_also_from_inside_other_checks(tmp_path: Path) -> None:
    context = CheckContext(tmp_path, root=tmp_path, allowed_code=("*.py",))
    seen = []
    for body in ("True", "False"):
        (tmp_path / "rules.py").write_text(f"def check(answer, vars, argument): return {body}\n", encoding="utf-8")
        seen.append(plugins.load("python").fingerprint("rules.py:check", context))
        seen.append(plugins.load("not").fingerprint({"any of": ["json", {"python": "rules.py:check"}]}, context))
    assert len({str(value) for value in seen}) == 4
    assert plugins.load("not").fingerprint({"any of": ["json"]}, context) is None


INTERRUPTED = """
import os, signal, sys, threading
from pathlib import Path
from promptbench.core.python_process import process_for
path = Path(sys.argv[1])
process = process_for(path, path.name, path.read_text(encoding="utf-8"))
print(process.score("check", "0", {}, None, 5)["reason"])
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    process.score("check", "3", {}, None, 5)
except KeyboardInterrupt:
    print("interrupted")
print(process.score("check", "0.0", {}, None, 5)["reason"])
"""


def test_after_an_interruption_no_answer_is_taken_for_another(tmp_path: Path) -> None:
    """A ^C while the function runs: its late answer must not be that to the next question."""
    path = tmp_path / "rules.py"
    source = "import time\ndef check(answer, vars, argument):\n    time.sleep(float(answer))\n    return 0, answer\n"
    path.write_text(source, encoding="utf-8")
    command = [sys.executable, "-c", INTERRUPTED, str(path)]
    # A signal that comes just before a read blocks is seen only after it.
    for _ in range(3):
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        if "interrupted" in ran.stdout:
            break
    assert ran.stdout.split() == ["0", "interrupted", "0.0"]


def test_a_function_that_outlives_the_command_ends_quietly() -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", str(Path(python_process.__file__).with_name("_python_child.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin
    assert child.stdout
    source = "import sys\ndef f():\n    sys.stdin.readline()\n"
    first = {"sys_path": sys.path, "path": "f.py", "shown": "f.py", "seconds": 9, "source": source}
    print(json.dumps(first), file=child.stdin, flush=True)
    assert child.stdout.readline() == "{}\n"
    print(json.dumps({"function": "f", "arguments": [], "seconds": 9, "plain": True}), file=child.stdin, flush=True)
    child.stdout.close()
    assert (child.communicate(timeout=9)[1], child.returncode) == ("", 0)

"""Functions as models: which code may run, what is called, and what becomes of errors."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptbench.core import allowed_code
from promptbench.core.files import KEPT_BYTES, Pinned, PinnedFile
from promptbench.core.protocols import ProviderContext
from promptbench.core.types import Answer, FailureKind, ProviderFailure
from promptbench.providers import python
from tests.helpers.asking import ask_for, context

SOURCE = """
import asyncio
import os
from dataclasses import dataclass

calls = []
value = 3

@dataclass
class Found:
    team: str

def extract(variables):
    calls.append(variables)
    return {"team": Found(variables["message"].lower()).team, "n": len(calls)}

async def slowly(variables):
    await asyncio.sleep(0.01)
    return "slow " + variables["message"]

def where(variables):
    return os.getpid()

def change(variables):
    variables["list"].append(1)
    return variables["list"]

def nothing(variables):
    return None

def weird(variables):
    return {1, 2}

def loop(variables):
    cycle = []
    cycle.append(cycle)
    return cycle

def leave(variables):
    raise SystemExit(3)

def deeper(variables):
    return int(variables["message"])

def stop(variables):
    raise StopIteration
"""


@pytest.fixture
def project(tmp_path: Path) -> ProviderContext:
    folder = tmp_path / "suites" / "entities"
    folder.mkdir(parents=True)
    (folder / "extractor.py").write_text(SOURCE)
    return context(tmp_path, folder=folder, allowed=["suites/*/*.py"])


def ask(project: ProviderContext, function: str, times: int = 1, **variables: Any) -> list[Answer]:
    async def run() -> list[Answer]:
        provider = python.SPEC.connect(f"extractor.py:{function}", project)
        request = ask_for(f"python/extractor.py:{function}", variables=variables)
        try:
            return [await provider.complete(request) for _ in range(times)]
        finally:
            await provider.close()

    return asyncio.run(run())


def failure(project: ProviderContext, function: str, **variables: Any) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        ask(project, function, **variables)
    return caught.value


def codes(name: str, project: ProviderContext) -> list[str]:
    return [problem.code for problem in python.SPEC.problems(name, project)]


def test_data_becomes_json(project: ProviderContext) -> None:
    first, second = ask(project, "extract", 2, message="BILLING")
    assert first.text == '{"n":1,"team":"billing"}'
    assert second.text == '{"n":2,"team":"billing"}'
    assert first.params["function"] == "extractor.py:extract"
    assert len(first.params["sha256"]) == 64
    assert first.model == "python/extractor.py:extract"


def test_text_stays_and_none_is_null(project: ProviderContext) -> None:
    assert ask(project, "slowly", 3, message="x")[-1].text == "slow x"
    assert ask(project, "nothing")[0].text == "null"


def test_runs_in_one_process_that_is_not_ours(project: ProviderContext) -> None:
    processes = {answer.text for answer in ask(project, "where", 3)}
    assert len(processes) == 1
    assert str(os.getpid()) not in processes


def test_a_function_cannot_change_the_case(project: ProviderContext) -> None:
    assert [answer.text for answer in ask(project, "change", 2, list=[0])] == ["[0,1]", "[0,1]"]


def test_leaves_nothing_behind(project: ProviderContext) -> None:
    path = list(sys.path)
    ask(project, "extract", message="x")
    assert sys.path == path
    assert [file.name for file in project.folder.iterdir()] == ["extractor.py"]
    time.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("python/extractor")]


def test_the_file_that_runs_is_the_file_as_it_is_now(project: ProviderContext) -> None:
    before = ask(project, "nothing")[0]
    (project.folder / "extractor.py").write_text("def nothing(variables): return 'new!'\n")
    after = ask(project, "nothing")[0]
    assert (before.text, after.text) == ("null", "new!")
    assert before.params["sha256"] != after.params["sha256"]


def test_an_error_names_the_line_in_the_file(project: ProviderContext) -> None:
    error = failure(project, "deeper", message="twelve")
    line = SOURCE.splitlines().index('    return int(variables["message"])') + 1
    assert error.kind is FailureKind.REJECTED
    assert error.message.startswith("ValueError: invalid literal")
    assert error.message.endswith(f"(suites/entities/extractor.py:{line})")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("extract", "KeyError: 'message'"),
        ("leave", "SystemExit: 3"),
        ("stop", "StopIteration ("),
        ("weird", "returned a set"),
        ("loop", "returned a list"),
    ],
)
def test_whatever_a_function_does_the_run_goes_on(project: ProviderContext, function: str, says: str) -> None:
    error = failure(project, function)
    assert error.kind is FailureKind.REJECTED
    assert says in error.message


@pytest.mark.parametrize("source", ["import nowhere_to_be_found\ndef f(v): ...", "raise SystemExit\ndef f(v): ..."])
def test_a_file_that_does_not_import_ends_the_model(project: ProviderContext, source: str) -> None:
    (project.folder / "extractor.py").write_text(source)
    assert codes("extractor.py:f", project) == []
    error = failure(project, "f")
    assert error.kind is FailureKind.FATAL
    assert "extractor.py:1)" in error.message


def test_a_name_that_is_no_function_ends_the_model(project: ProviderContext) -> None:
    assert failure(project, "value").kind is FailureKind.FATAL


def test_a_busy_function_does_not_hold_the_loop_or_the_end(project: ProviderContext) -> None:
    (project.folder / "extractor.py").write_text("import time\ndef sleep(v): time.sleep(30)\n")

    async def interrupted() -> int:
        provider = python.SPEC.connect("extractor.py:sleep", project)
        task = asyncio.create_task(provider.complete(ask_for("python/extractor.py:sleep")))
        ticks = 0
        for _ in range(20):
            await asyncio.sleep(0.01)
            ticks += 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return ticks

    began = time.monotonic()
    assert asyncio.run(interrupted()) == 20
    assert time.monotonic() - began < 20


# Which code may run


def test_only_listed_code_runs(project: ProviderContext) -> None:
    closed = context(project.root, folder=project.folder, allowed=["suites/*.py", "other/*.py"])
    (problem,) = python.SPEC.problems("extractor.py:extract", closed)
    assert problem.code == "CODE_NOT_ALLOWED"
    assert problem.hint is not None
    assert 'python = ["suites/entities/extractor.py"] in promptbench.toml' in problem.hint
    assert failure(closed, "extract", message="x").kind is FailureKind.FATAL


def test_nothing_runs_without_a_list(project: ProviderContext) -> None:
    assert codes("extractor.py:extract", context(project.root, folder=project.folder)) == ["CODE_NOT_ALLOWED"]


def test_a_path_out_of_the_project_is_refused(
    project: ProviderContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "evil.py"
    outside.write_text("raise SystemExit('it ran')\ndef f(v): ...\n")
    everything = context(project.root, folder=project.folder, allowed=["**/*.py", "**"])
    for name in (f"{outside}:f", f"../../../{outside.parent.name}/evil.py:f"):
        assert codes(name, everything) == ["CODE_NOT_ALLOWED"]
        with pytest.raises(ProviderFailure, match="outside the project"):
            asyncio.run(python.SPEC.connect(name, everything).complete(ask_for("python/x")))


def test_a_symlink_is_judged_by_where_it_leads(
    project: ProviderContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "evil.py"
    outside.write_text("def f(v): ...\n")
    (project.folder / "linked.py").symlink_to(outside)
    assert codes("linked.py:f", project) == ["CODE_NOT_ALLOWED"]
    inside = project.root / "unlisted.py"
    inside.write_text("def f(v): ...\n")
    (project.folder / "near.py").symlink_to(inside)
    (problem,) = python.SPEC.problems("near.py:f", project)
    assert problem.code == "CODE_NOT_ALLOWED"
    assert "unlisted.py" in problem.message


def test_a_listed_file_beside_other_suites_may_run(project: ProviderContext) -> None:
    shared = project.root / "suites" / "shared"
    shared.mkdir()
    (shared / "tool.py").write_text("def f(v): return 'shared'\n")
    assert codes("../shared/tool.py:f", project) == []


def test_a_missing_file_or_function_is_told_with_what_is_meant(project: ProviderContext) -> None:
    (project.folder / "extractor.py").write_text("raise SystemExit('it ran')\ndef extract(v): ...\n")
    (file,) = python.SPEC.problems("extracter.py:extract", project)
    assert (file.code, file.hint) == ("FILE_NOT_FOUND", "did you mean extractor.py?")
    (function,) = python.SPEC.problems("extractor.py:extrct", project)
    assert (function.code, function.hint) == ("UNKNOWN_MODEL", "did you mean extract?")
    (other,) = python.SPEC.problems("extractor.py:zzz", project)
    assert other.hint == "it defines extract"


@pytest.mark.parametrize(
    "name", ["extractor.py", "extractor:extract", ":f", "extractor.py:", "extractor.py:a b", "a.sh:f"]
)
def test_a_name_of_another_shape_is_told(project: ProviderContext, name: str) -> None:
    assert codes(name, project) == ["UNKNOWN_MODEL"]


@pytest.mark.parametrize("source", ["def f(:\n", "x = '\0'\ndef f(v): ...", "(" * 5000])
def test_a_file_that_does_not_parse_is_told(project: ProviderContext, source: str) -> None:
    (project.folder / "extractor.py").write_text(source)
    assert codes("extractor.py:f", project) == ["BAD_VALUE"]


@pytest.mark.parametrize(
    "source",
    [
        "def f(v): ...",
        "async def f(v): ...",
        "class f: ...",
        "f = print",
        "f: object = print",
        "from os import getcwd as f",
        "import f",
        "from os.path import *",
        "try:\n    import json\nexcept ImportError:\n    f = 1",
        "if True:\n    pass\nelse:\n    with open('x') as y:\n        def f(v): ...",
    ],
)
def test_every_way_to_define_a_name_is_seen(project: ProviderContext, source: str) -> None:
    (project.folder / "extractor.py").write_text(source)
    assert codes("extractor.py:f", project) == []


# Versions: the files of a judged function, which run again when they have changed


def pinned(project: ProviderContext, *named: str) -> Pinned:
    found, problems = allowed_code.pin("app.py", project.folder, project.root, project.allowed_code, named)
    assert problems == []
    return found


def ask_version(project: ProviderContext, *versions: Pinned) -> list[str]:
    async def run() -> list[str]:
        provider = python.SPEC.connect("app.py:answer", project)
        request = ask_for("python/app.py:answer", variables={"message": "hi"})
        try:
            return [(await provider.complete(replace(request, pinned=version))).text for version in versions]
        finally:
            await provider.close()

    return asyncio.run(run())


def write_app(project: ProviderContext, tone: str) -> None:
    (project.folder / "words").mkdir(exist_ok=True)
    (project.folder / "words" / "tone.py").write_text(f"from .loud import up\nTONE = up({tone!r})\n")
    (project.folder / "words" / "loud.py").write_text("def up(text): return text.upper()\n")
    (project.folder / "greeting.txt").write_text("Hello", newline="")
    (project.folder / "app.py").write_text(
        "import json\nfrom pathlib import Path\nfrom words.tone import TONE\n"
        "async def answer(v):\n    import words.loud as loud\n"
        "    return [Path(__file__).with_name('greeting.txt').read_text(), TONE, loud.up(v['message'])]\n"
    )


def test_two_versions_run_side_by_side(project: ProviderContext) -> None:
    project = replace(project, allowed_code=["suites/entities/**"])
    write_app(project, "old")
    old = pinned(project, "greeting.txt")
    assert sorted(old.files) == ["app.py", "greeting.txt", "words/loud.py", "words/tone.py"]
    write_app(project, "new")
    new = pinned(project, "greeting.txt")
    (project.folder / "words" / "tone.py").unlink()
    before = sorted(project.root.rglob("*.py*"))
    assert ask_version(project, old, new, old) == [
        '["Hello","OLD","HI"]',
        '["Hello","NEW","HI"]',
        '["Hello","OLD","HI"]',
    ]
    written = set(project.root.rglob("*.py*")) - set(before)
    assert {path.relative_to(project.root).parts[:2] for path in written} == {(".promptbench", "pipelines")}
    assert not [path for path in written if "__pycache__" in path.parts]
    # A file that the version does not name is not there.
    with pytest.raises(ProviderFailure, match=r"greeting\.txt.*suites/entities/app\.py:6"):
        ask_version(project, Pinned({path: file for path, file in old.files.items() if path != "greeting.txt"}))


@pytest.mark.parametrize("change", ["edited", "added"])
def test_a_changed_folder_of_a_version_is_refused(project: ProviderContext, change: str) -> None:
    write_app(project, "old")
    project = replace(project, allowed_code=["suites/**"])
    version = pinned(project, "greeting.txt")
    ask_version(project, version)
    (folder,) = (project.root / ".promptbench" / "pipelines").iterdir()
    (folder / ("app.py" if change == "edited" else "json.py")).write_text("def answer(v): return 'evil'\n")
    with pytest.raises(ProviderFailure, match=r"\.py was changed; delete the folder") as caught:
        ask_version(project, version)
    assert caught.value.kind is FailureKind.FATAL


def test_imports_that_are_not_listed_are_refused_with_their_line(project: ProviderContext) -> None:
    write_app(project, "old")
    _, problems = allowed_code.pin("app.py", project.folder, project.root, project.allowed_code)
    assert [problem.message for problem in problems] == [
        "suites/entities/app.py:3: suites/entities/words/tone.py may not run: the project's settings do not list it",
        "suites/entities/app.py:5: suites/entities/words/loud.py may not run: the project's settings do not list it",
    ]
    version = Pinned({"app.py": PinnedFile.of("def answer(v): ..."), "words/tone.py": PinnedFile.of("")})
    with pytest.raises(ProviderFailure, match=r"words/tone\.py may not run"):
        ask_version(project, version)


def test_of_a_large_or_binary_file_only_the_hash_is_kept(project: ProviderContext) -> None:
    write_app(project, "old")
    weights = project.folder / "greeting.txt"
    for content in (b"\xff\x00", b"1" * (KEPT_BYTES + 1)):
        weights.write_bytes(content)
        project = replace(project, allowed_code=["suites/**"])
        version = pinned(project, "greeting.txt")
        assert version.not_kept == ["greeting.txt"]
        weights.write_bytes(b"other")
        with pytest.raises(ProviderFailure, match=r"greeting\.txt must be the file with the SHA-256"):
            ask_version(project, version)
        weights.write_bytes(content)
        with suppress(ProviderFailure):  # The function cannot read binary text.
            ask_version(project, version)
        weights.unlink()
        with suppress(ProviderFailure):
            ask_version(project, version)
        assert version.files["greeting.txt"].matches(
            next((project.root / ".promptbench").rglob(f"{version.hash[7:]}/*.txt"))
        )

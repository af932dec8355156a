"""`promptbench validate --fix`: what it shows, when it writes, and what it never touches."""

from __future__ import annotations

import stat

import pytest

from tests.helpers.project import SUITE, Project
from tests.helpers.terminal import Terminal

FILE = "suites/triage/suite.yaml"
BAD = SUITE.replace("  - case: late", "  -case: late").replace("    expect: {team: other}", "\texpect: {team: other}")
DIFF = """\
--- a/suites/triage/suite.yaml
+++ b/suites/triage/suite.yaml
"""


@pytest.fixture
def bad(project: Project) -> Project:
    project.write(FILE, BAD)
    return project


def text(project: Project) -> str:
    return (project.root / FILE).read_bytes().decode()


def test_nobody_there_and_no_yes_writes_nothing(bad: Project) -> None:
    ended = bad.run("validate", "--fix")
    assert ended.code == 2
    assert ended.out.startswith(DIFF)
    assert "error: nothing was written: there is nobody to ask\nhint: --yes" in ended.err
    assert text(bad) == BAD


def test_diff_only_shows(bad: Project) -> None:
    ended = bad.run("validate", "--diff", "--fix", "--yes")
    assert ended.code == 2
    assert "-  -case: late parcel\n+  - case: late parcel\n" in ended.out
    assert f"{FILE}:9: there is no space after this dash" in ended.err
    assert text(bad) == BAD


def test_yes_writes_and_looks_again(bad: Project) -> None:
    (bad.root / FILE).chmod(0o640)
    ended = bad.run("validate", "--fix", "--yes")
    assert ended.code == 0
    assert ended.out.endswith(f"mended 2 mistakes in {FILE}\nall is well\n")
    assert text(bad) == SUITE
    assert stat.S_IMODE((bad.root / FILE).stat().st_mode) == 0o640
    assert [path.name for path in (bad.root / FILE).parent.iterdir() if path.name.startswith(".")] == []
    ended = bad.run("validate", "--fix", "--yes")
    assert ended.out == "there is nothing that can be mended without asking you what is meant\nall is well\n"


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_line_ends_encoding_and_mark_stay(end: str, encoding: str, bad: Project) -> None:
    (bad.root / FILE).write_bytes(BAD.replace("\n", end).encode(encoding))
    assert bad.run("validate", "--fix", "--yes").code == 0
    assert (bad.root / FILE).read_bytes() == SUITE.replace("\n", end).encode(encoding)


def test_what_is_left_is_told(bad: Project) -> None:
    bad.edit(FILE, "expect: {team: billing}", "expcts: {team: billing}")
    ended = bad.run("validate", "--fix", "--yes")
    assert ended.code == 2
    assert "'expcts' is not a known key" in ended.err
    assert ended.out.endswith("1 mistake to mend\n")


def test_somebody_is_asked(bad: Project) -> None:
    with Terminal(["validate", "--fix"], bad.root) as terminal:
        terminal.answer(f"Write this to {FILE}?", "n")
        assert terminal.end() == 2
    assert text(bad) == BAD
    assert "hint: `promptbench explain PB" in terminal.shown


def test_mistakes_in_the_settings_are_told_as_json_too(bad: Project) -> None:
    bad.write("promptbench.toml", "retrys = 2\n")
    assert [item["code"] for item in bad.run("validate", "--json").data["diagnostics"]] == ["PB701"]

"""What `validate --fix` makes of bad suites: `golden/mends.txt` has it for every file of `golden/diagnostics`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptbench.core.diagnostics import Diagnostics
from promptbench.formats.marked_yaml import parse
from promptbench.formats.readable import readable
from promptbench.formats.source import Source, SourceError, read_source
from promptbench.formats.yaml_slips import Edit
from promptbench.project.assemble import Surroundings, assemble
from promptbench.suite.loader import read
from promptbench.suite.mending import Look, mended, reads_the_same

GOLDEN = Path(__file__).parent.parent / "golden"
PROMPT = "---\noutput: {schema: {team: string}}\n---\nWhich team is this for? {{message}}\n"
GOOD = """\
# which team answers
suite: triage
prompt: triage.prompt
models: [openai/gpt-5-mini]
checks:
  - json
  - not contains: sorry
cases:
  - case: late parcel   # the easy one
    vars: {message: 'I don''t have my parcel: where is it?'}
    expect: {team: delivery}

  - case: 'INC-17: charged twice'
    vars:
      message: |
        Dear team,
        - I was charged twice
          for March: 12:30
    expect:
      team: billing
    tags: [late, urgent]
gate: {repeats: 3}
"""


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """All that `validate` finds in a text, in a folder with a prompt."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "triage.prompt").write_text(PROMPT, encoding="utf-8")
    around = Surroundings(
        root=folder,
        environ={},
        allowed_code=(),
        provider_options={"openai": {"base_url": "http://127.0.0.1:9/v1"}},
        champion=lambda _: None,
    )

    def found(text: str) -> Diagnostics:
        found = Diagnostics()
        suite = read(Source("suite.yaml", text), folder / "suite.yaml", found)
        if suite is not None:
            assemble(suite, around, found)
        return found

    return found


def data(text: str) -> Any:
    document = parse(Source("suite.yaml", text), Diagnostics())
    return document.value if document else None


def test_what_is_mended_in_every_bad_file(look: Look) -> None:
    said = []
    for path in sorted((GOLDEN / "diagnostics").glob("*.yaml")):
        try:
            text = read_source(path, path.name).text
        except SourceError:
            continue
        done = mended(text, look)
        if not done.mends:
            assert done.text == text
            continue
        assert len(done.left.errors) < len(look(text).errors) or data(text) is None
        lines = difflib.unified_diff(text.splitlines(), done.text.splitlines(), path.name, path.name, n=0, lineterm="")
        told = [f"{item.line}: {item.message}" for item in done.mends]
        said.append("\n".join([f"=== {path.name}: {len(done.left.errors)} left", *told, *list(lines)[2:]]))
    golden = GOLDEN / "mends.txt"
    if os.environ.get("PROMPTBENCH_UPDATE_GOLDEN"):
        golden.write_text("\n\n".join(said) + "\n", encoding="utf-8", newline="\n")
    assert "\n\n".join(said) + "\n" == golden.read_text(encoding="utf-8")
    assert len(said) > 60


def test_a_good_file_is_left_alone(look: Look) -> None:
    assert list(look(GOOD)) == []
    assert mended(GOOD, look).mends == ()


DAMAGES: dict[str, Callable[[str], str]] = {
    "tab": lambda line: line.replace("  ", "\t", 1) if line.startswith("  ") else line,
    "two tabs": lambda line: line.replace("    ", "\t\t", 1) if line.startswith("    ") else line,
    "non-breaking": lambda line: line.replace("  ", "\u00a0\u00a0", 1) if line.startswith("  ") else line,
    "behind the dash": lambda line: line.replace("- ", "-\u00a0", 1),
    "dash without space": lambda line: line.replace("- ", "-", 1),
    "long dash": lambda line: line.replace("- ", "– ", 1),
    "one space more": lambda line: f" {line}",
    "one space less": lambda line: line[1:] if line.startswith(" ") else line,
    "two spaces more": lambda line: f"  {line}",
    "two spaces less": lambda line: line[2:] if line.startswith("  ") else line,
    "curly": lambda line: line.replace("'INC", "“INC").replace("twice'", "twice”"),
    "no quotes": lambda line: line.replace("'INC", "INC").replace("twice'", "twice"),
    "no space": lambda line: line.replace(": ", ":", 1),
    "mark": lambda line: f"\ufeff{line}",
    "comma": lambda line: f"{line}," if line.endswith(("}", "]")) else line,
    "bracket": lambda line: f"{line}]" if line.endswith("]") else line,
    "quoted number": lambda line: line.replace("3}", "'3'}"),
    "capital": lambda line: line.capitalize() if line[:1].isalpha() else line,
    "apostrophe": lambda line: line.replace("n''t", "n't"),
}


OUTSIDE = [number for number, line in enumerate(GOOD.splitlines()) if line[:8].strip() or not line.strip()]
"""The lines that are not the text of a customer, in which everything may stand."""


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(DAMAGES)), st.sampled_from(OUTSIDE)),
        max_size=2,
        unique_by=lambda damage: damage[1],
    )
)
def test_what_is_damaged_is_mended_to_what_it_was_or_not_at_all(look: Look, damages: list[tuple[str, int]]) -> None:
    """The names and values of the good file are known: a mend that made others would be a wrong one.

    A damage that nobody can see, such as `tags` moved below `expect`, is what the file says from then on.
    """
    text = damaged(damages)
    done = mended(text, look)
    if done.mends:
        assert done.text.count("\n") == text.count("\n")
        assert data(done.text) is not None
        if not list(done.left):
            unseen = [damage for damage in damages if not list(look(damaged([damage])))]
            # Two that nobody sees may be seen together, and be mended then.
            kept = [subset for size in range(len(unseen) + 1) for subset in combinations(unseen, size)]
            assert data(done.text) in [data(damaged(subset)) for subset in kept]


def damaged(damages: Sequence[tuple[str, int]]) -> str:
    lines = GOOD.splitlines()
    for name, number in damages:
        lines[number] = DAMAGES[name](lines[number])
    return "\n".join(lines) + "\n"


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(GOOD)), st.integers(0, 6), st.sampled_from(["", "\t", " ", "- ", ": ", "'", "}", "“"])
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_was_readable_reads_the_same(look: Look, cuts: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for at, length, new in cuts:
        text = text[:at] + new + text[at + length :]
    before = {(leaf.line, leaf.value) for leaf in readable(text) if leaf.start != leaf.end}
    wrong = {item.location.line - 1 for item in look(text).errors}
    done = mended(text, look)
    after = {(leaf.line, leaf.value) for leaf in readable(done.text)}
    touched = {item.line - 1 for item in done.mends} | wrong
    assert {(line, value) for line, value in before - after if line not in touched} == set()


@pytest.mark.parametrize(
    ("before", "after", "edit", "same"),
    [
        ("a: b\nc: d\n", "a: b\nc: e\n", Edit(8, 9, "e"), True),
        ("a: b\nc: d\n", "a: x\nc: e\n", Edit(8, 9, "e"), False),
        ("a: 1\n", "a: '1'\n", Edit(3, 4, "'1'"), True),
        ("a: 1\nb: 2\n", "a: '1'\nb: 3\n", Edit(8, 9, "3"), False),
        ("a:\n  b: 1\nc: 2\n", "a:\nb: 1\nc: 2\n", Edit(3, 5, ""), True),
        ("a:\n  b: 1\nc: 2\n", "x:\n  b: 1\nc: 2\n", Edit(12, 13, "2"), False),
        ("a: |\n  one\n two\nb: 1\n", "a: |\n  one\n  two\nb: 1\n", Edit(11, 11, " "), True),
    ],
)
def test_what_reads_the_same(before: str, after: str, edit: Edit, same: bool) -> None:
    assert reads_the_same(before, after, [edit]) is same

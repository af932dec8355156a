from __future__ import annotations

from pathlib import Path

import pytest

from promptbench.core.errors import Diagnostics
from promptbench.prompts.parser import load, parse_prompt
from promptbench.prompts.prompt import Prompt
from promptbench.yaml.source import Source


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.prompt").write_text(text, encoding="utf-8")
    return folder / "a.prompt"


def problems(path: Path) -> list[tuple[str, str]]:
    found = Diagnostics()
    assert load(path, f"suites/{path.name}", found) is None
    return [(f"{item.location.path}:{item.location.line}:{item.location.column}", item.message) for item in found]


def test_a_partial_is_part_of_the_version(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        a="---\nconfig: {}\n---\n{{>rules}}\nHi {{>name}}!\n{{#each items}}\n  {{>item}}\n{{/each}}",
        _rules='{{role "system"}}\nBe brief.\n{{role "user"}}\n',
        _name="{{name}}\n",
        _item="- {{this}}\n",
    )
    found = Diagnostics()
    prompt = load(path, "a.prompt", found)
    assert prompt is not None
    assert not list(found)
    values = {"name": "{{>rules}}", "items": ["x", "y"]}
    assert [(item.role, item.content) for item in prompt.render(values)] == [
        ("system", "Be brief."),
        ("user", "Hi {{>rules}}!\n- x\n- y"),
    ]
    # The store keeps the text and the content, which need no other file.
    assert parse_prompt(Source("stored.prompt", prompt.source), found) is not None
    served = Prompt.of_content("a", prompt.content)
    assert (served.hash, served.render(values)) == (prompt.hash, prompt.render(values))
    write(tmp_path, _rules='{{role "system"}}\nBe kind.\n{{role "user"}}\n')
    changed = load(path, "a.prompt", found)
    assert changed is not None
    assert changed.hash != prompt.hash


def test_locations_are_those_of_the_files(tmp_path: Path) -> None:
    path = write(tmp_path, a="Hi\n{{>b}}\n{{c | d}}", _b="one\n  {{#with x}}\n")
    assert problems(path) == [
        ("suites/_b.prompt:2:3", "{{#…}} (a Handlebars block) is not supported"),
    ]
    write(tmp_path, _b="one\ntwo\n")
    assert problems(path) == [("suites/a.prompt:3:1", "{{c | d}} is not supported")]


@pytest.mark.parametrize(
    ("files", "location", "message"),
    [
        ({"a": "{{>b}}"}, "suites/a.prompt:1:1", "the partial's file _b.prompt is not found"),
        ({"a": "{{>b}}", "_b": "x {{>b}}"}, "suites/_b.prompt:1:3", "the partial 'b' contains itself: b → b"),
        ({"a": "{{>b}}", "_b": "---\nconfig: {}\n---\nx"}, "suites/_b.prompt:1:1", "a partial has no part between"),
        ({"a": "{{>b}}", "_b": ""}, "suites/_b.prompt:0:0", "the file is empty"),
    ],
)
def test_wrong_partials(files: dict[str, str], location: str, message: str, tmp_path: Path) -> None:
    [(where, text)] = problems(write(tmp_path, **files))
    assert where == location
    assert text.startswith(message)


def test_a_partial_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "secret.prompt"
    outside.write_text("secret")
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "_b.prompt").symlink_to(outside)
    assert "not found" in problems(write(tmp_path / "suite", a="{{>b}}"))[0][1]


def test_partials_of_partials_are_bounded(tmp_path: Path) -> None:
    files = {f"_p{number}": f"{{{{>p{number + 1}}}}} " * 9 for number in range(19)}
    path = write(tmp_path, a="{{>p0}}", **files, _p19="x" * 1000)
    assert "larger than 8 MB" in problems(path)[0][1]

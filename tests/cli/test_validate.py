"""`promptbench validate`: what it prints."""

from __future__ import annotations

import pytest

from tests.helpers.project import ProjectFolder


def test_errors_and_warnings_are_counted(project: ProjectFolder) -> None:
    assert project.run("validate").out == "no errors\n"
    project.edit("suites/triage/suite.yaml", "expect: {team: other}", "expct: {team: other}")
    ended = project.run("validate")
    assert (ended.code, ended.err) == (2, "")
    assert "error[PB201] unknown key 'expct'" in ended.out
    assert ended.out.endswith("\n\n1 error\n")
    assert project.run("validate", "-q").out == "1 error\n"


def test_errors_in_the_settings_are_data_too(project: ProjectFolder) -> None:
    project.write("promptbench.toml", "retrys = 2\n")
    assert [item["code"] for item in project.run("validate", "--json").data["diagnostics"]] == ["PB701"]


def test_of_many_unknown_keys_the_first_are_reported(project: ProjectFolder) -> None:
    project.edit("suites/triage/suite.yaml", "gate:", "".join(f"key{n}: 1\n" for n in range(5_000)) + "gate:")
    ended = project.run("validate")
    assert ended.out.count("unknown key '") == 100
    assert "4,900 more unknown keys from here on" in ended.out
    assert ended.out.endswith("\n101 errors\n")


SMALL = """\
---
config: {maxOutputTokens: 200}
input:
  schema: {message: string, lang(enum): [de, en]}
  default: {lang: en}
---
{{role "system"}}
Answer in {{lang}}.
{{role "user"}}
{{message}}
"""


def test_a_prompt_file_is_checked_without_a_suite_or_a_key(project: ProjectFolder) -> None:
    project.write("small.prompt", SMALL)
    project.write("prices.toml", '["openai/big"]\ninput = 1000\noutput = 100\n')
    project.edit("promptbench.toml", "[providers", 'prices = "prices.toml"\n[providers')
    ended = project.run("validate", "small.prompt", "--model", "openai/big", "--model", "openai/unpriced")
    assert (ended.code, ended.err) == (0, "")
    assert "2 messages, 11 characters without the values: about 3 tokens, and at most 200 for the answer" in ended.out
    [facts] = project.run("validate", "small.prompt", "--model", "openai/big", "--json").data["prompts"]
    assert facts["variables"] == {"lang": "enum", "message": "string"}
    assert facts["optional"] == ["lang"]
    # 3 tokens in and 200 out, in dollars per million.
    assert facts["models"] == [{"model": "openai/big", "cost": 0.023, "context_window": None}]


def test_a_prompt_file_with_an_error_and_an_unknown_provider(project: ProjectFolder) -> None:
    project.write("small.md", "Hello {{name}}, {{oops\n")
    project.write("good.txt", "Hello {{name}}\n")
    ended = project.run("validate", "small.md", "good.txt", "--model", "opnai/x")
    assert ended.code == 2
    assert "small.md:1:17: error[PB301]" in ended.out
    assert "--model opnai/x: error[PB401] unknown provider 'opnai'" in ended.out
    assert ended.out.endswith("\n2 errors\n")
    assert project.run("validate", "--model", "openai/x").err.startswith("error: --model needs a prompt file")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain", "^^^^^"),
        ("json", '"line": 8'),
        ("github", "::error file=suites/triage/suite.yaml,line=8,col=5,title=PB201::unknown key 'expct'"),
        ("junit", "suite.yaml:8:5: error[PB201] unknown key 'expct'"),
        ("csv", "suites/triage/suite.yaml:8:5,error PB201,unknown key 'expct',did you mean 'expect'?"),
        ("markdown", "| error PB201 | unknown key 'expct' |"),
        ("html", "unknown key"),
    ],
)
def test_diagnostics_come_in_every_format(name: str, words: str, project: ProjectFolder) -> None:
    project.edit("suites/triage/suite.yaml", "expect: {team: billing}", "expct: {team: billing}")
    ended = project.run("validate", "--format", name)
    assert (ended.code, ended.err) == (2, "")
    assert words in ended.out

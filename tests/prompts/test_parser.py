from __future__ import annotations

import time
from pathlib import Path

import pytest

from promptbench.core.errors import Code, Diagnostics, Location, Severity
from promptbench.core.types import Message
from promptbench.prompts.parser import load, prompt_name
from promptbench.prompts.prompt import HistoryPlace, Template
from tests.prompts.kit import prompt, read


def shown(text: str, name: str = "triage.prompt") -> list[tuple[str, Code, str, str]]:
    """What is wrong: the marked text with its line, the code, the message and the hint."""
    _, found = read(text, name)

    def marked(location: Location) -> str:
        start = location.column - 1
        return f"{location.line}:{location.text[start : start + location.length]}"

    return [(marked(item.location), item.code, item.message, item.hint or "") for item in found]


def test_text_before_the_first_role_is_the_users() -> None:
    parsed = prompt('Hello\n{{role "system"}}\nBe short.')
    assert parsed.render({}) == (Message("user", "Hello"), Message("system", "Be short."))


def test_a_file_without_front_matter() -> None:
    parsed = prompt("Sort {{message}}")
    assert (parsed.config, parsed.input_schema, parsed.output_schema, parsed.defaults) == ({}, None, None, {})


def test_front_matter() -> None:
    text = """---
# comments are free
config:
  temperature: 0.2
  maxOutputTokens: 100
  topP: 0.9
  topK: 40
  stopSequences: [END, "---"]
  seed: 42
input:
  schema: {message: string}
  default: {team: billing}
output:
  format: json
  schema: {team(enum): [billing, sales]}
description: sorts
---
{{message}}"""
    parsed = prompt(text)
    assert parsed.config == {
        "temperature": 0.2,
        "maxOutputTokens": 100,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["END", "---"],
        "seed": 42,
    }
    assert parsed.input_schema is not None
    assert parsed.output_schema is not None
    assert parsed.output_schema["properties"] == {"team": {"enum": ["billing", "sales"]}}
    assert parsed.defaults == {"team": "billing"}


def test_empty_front_matter() -> None:
    assert prompt("---\n---\nHello").hash == prompt("Hello").hash
    assert prompt("---\n# nothing\n---\nHello").hash == prompt("Hello").hash


@pytest.mark.parametrize("suffix", [".md", ".txt", ".MD"])
def test_a_plain_file_is_one_message_of_the_user(suffix: str) -> None:
    parsed = prompt("# Title\n\n---\n\nSort {{message}}.\n\n---\n", f"triage{suffix}")
    assert parsed.render({"message": "x"}) == (Message("user", "# Title\n\n---\n\nSort x.\n\n---"),)


@pytest.mark.parametrize("tag", ['{{role "system"}}', "{{history}}"])
def test_a_plain_file_has_no_roles(tag: str) -> None:
    assert shown(f"Hello\n{tag}\nyou", "triage.md") == [
        (f"2:{tag}", Code.PROMPT_SYNTAX, "a plain text file is one user message", "name it triage.prompt")
    ]


@pytest.mark.parametrize("text", ["---\nconfig: {}\n---\nHello", "---\nHello", "\n  ---\nHello"])
def test_a_plain_file_does_not_start_with_dashes(text: str) -> None:
    assert shown(text, "triage.few.md") == [
        (
            f"{text.count(chr(10), 0, text.index('---')) + 1}:---",
            Code.PROMPT_SYNTAX,
            "a '.md' file is plain text, without '---' lines at its start",
            "name it triage.few.prompt",
        )
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("triage.prompt", "triage"),
        ("triage.few-shot.prompt", "triage"),
        ("suites/triage/triage.v2.small.prompt", "triage"),
        ("triage.PROMPT", "triage"),
        ("größe.prompt", "größe"),
        ("with blank.prompt", "with blank"),
        ("C:/Users/me/triage.prompt", "triage"),
    ],
)
def test_names(file: str, name: str) -> None:
    assert prompt_name(file) == name
    assert prompt("x", file).name == name


@pytest.mark.parametrize("file", [".prompt", ".few-shot.prompt", "triage", "triage.json", "triage.prompt.bak", ".md"])
def test_files_that_cannot_be_prompts(file: str) -> None:
    parsed, found = read("Hello", file)
    assert parsed is None
    assert [(item.code, item.message) for item in found] == [
        (Code.PROMPT_SYNTAX, f"'{file}' is not a valid name of a prompt file")
    ]


@pytest.mark.parametrize("text", ["---\nconfig: {}\nHello", "---", "\n---\nHello", "--- \nHello\n----\n"])
def test_front_matter_that_is_not_closed(text: str) -> None:
    [(location, _, message, hint)] = shown(text)
    assert location.endswith(":---")
    assert message == "the part between '---' lines is not closed"
    assert hint == "put a line with three dashes under it"


def test_front_matter_may_stand_below_blank_lines() -> None:
    assert prompt("\n\n---\nconfig: {seed: 3}\n---\nHello").config == {"seed": 3}
    [(location, _, _, _)] = shown("\n\n---\nconfig: {seed: x}\n---\nHello")
    assert location == "4:x"


def test_front_matter_below_comments_is_not_taken_for_text() -> None:
    [(location, _, message, _)] = shown("# Copyright\n\n# Licence\n---\nmodel: x\n---\nHello")
    assert (location, message) == ("4:---", "comments belong between the '---' lines, not above them")
    assert prompt("# Title\n---\nText: yes\n---\nmore").messages[0].source.startswith("# Title\n---")  # type: ignore[union-attr]


def test_dashes_further_down_are_text() -> None:
    assert prompt("---- a ----\n---\nb").render({})[0].content == "---- a ----\n---\nb"


@pytest.mark.parametrize(
    ("front", "location", "says"),
    [
        ("config: 3", "2:3", "'config' must be 'name: value' lines"),
        ("confg: {}", "2:confg", "unknown key 'confg'"),
        ("config: {temprature: 0}", "2:temprature", "unknown key 'temprature' under 'config'"),
        ("config: {temperature: warm}", "2:warm", "'temperature' must be a number of at least 0"),
        ("config: {temperature: true}", "2:true", "'temperature' must be a number of at least 0"),
        ("config: {temperature: -1}", "2:-1", "'temperature' must be a number of at least 0"),
        ("config: {maxOutputTokens: 0}", "2:0", "'maxOutputTokens' must be a whole number above 0"),
        ("config: {topK: 1.5}", "2:1.5", "'topK' must be a whole number above 0"),
        ("config: {seed: '1'}", "2:'1'", "'seed' must be a whole number"),
        ("config: {stopSequences: END}", "2:END", "'stopSequences' must be a list of texts"),
        ("config: {stopSequences: [1]}", "2:[1]", "'stopSequences' must be a list of texts"),
        ("input: {default: 3}", "2:3", "'default' must be 'name: value' lines"),
        ("output: {format: xml}", "2:xml", "'format' must be json or text"),
        ("output: {schema: {team: strng}}", "2:strng", "'strng' is not a type; did you mean 'string'?"),
        ("output:\n  schema:\n    team(enum): A", "4:A", "an enum is a list of values"),
        ("- a", "2:- a", "expected 'name: value' lines between the '---' lines"),
        ("config: {seed: 1}\nconfig: {seed: 2}", "3:config", "duplicate key 'config'"),
    ],
)
def test_mistakes_in_the_front_matter(front: str, location: str, says: str) -> None:
    parsed, _ = read(f"---\n{front}\n---\nHello")
    assert parsed is None
    mistakes = shown(f"---\n{front}\n---\nHello")
    assert [(item[0], says in item[2]) for item in mistakes] == [(location, True)]


def test_slips_have_a_hint() -> None:
    hints = [item[3] for item in shown("---\nconfg: {}\noutput: {shema: string}\nqqq: 1\n---\nHello")]
    assert hints == [
        "did you mean 'config'?",
        "known here: config, input, output, tools, description",
        "did you mean 'schema'?",
    ]


@pytest.mark.parametrize("key", ["model", "name", "variant", "metadata", "version"])
def test_words_of_dotprompt_without_effect_are_told(key: str) -> None:
    parsed, found = read(f"---\n{key}: x\n---\nHello")
    assert parsed is not None
    assert [(item.severity, item.message) for item in found] == [(Severity.WARNING, f"'{key}' has no effect here")]
    assert parsed.hash == prompt("Hello").hash


@pytest.mark.parametrize(
    ("tag", "code", "says", "hint"),
    [
        ('{{role "sytem"}}', Code.PROMPT_SYNTAX, "'sytem' is not a role", "did you mean 'system'?"),
        ('{{role "tool"}}', Code.PROMPT_SYNTAX, "'tool' is not a role", "known roles: system, user, model, assistant"),
        ("{{role system}}", Code.PROMPT_DIALECT, "{{role system}} is not supported", '{{role "system"}}'),
        ('{{role"system"}}', Code.PROMPT_DIALECT, "is not supported", '{{role "system"}}'),
        ("{{role \"system'}}", Code.PROMPT_DIALECT, "is not supported", '{{role "system"}}'),
        ('{{Role "system"}}', Code.PROMPT_DIALECT, "is not supported", '{{role "system"}}'),
        ('{{rolle "system"}}', Code.PROMPT_DIALECT, "is not supported", '{{role "system"}}'),
        ("{{message | upper}}", Code.PROMPT_DIALECT, "{{message | upper}} is not supported", "{{name}}"),
        ('{{media url="https://x.org"}}', Code.PROMPT_DIALECT, "is not supported", "write {{media url=NAME}}, and"),
        ("{{media x}}", Code.PROMPT_DIALECT, "{{media x}} is not supported", "write {{media url=NAME}}, and"),
        ('{{media contentType="image/png" url=x}}', Code.PROMPT_DIALECT, "is not supported", "leave out contentType"),
        ('{{role "system"}}{{media url=x}}', Code.PROMPT_SYNTAX, "{{media …}} in a message of the system", "the user"),
        ('{{section "x"}}', Code.PROMPT_DIALECT, "is not supported", "{{name}}"),
        ("{{}}", Code.PROMPT_DIALECT, "{{}} is not supported", "{{name}}"),
        ("{{#with item}}", Code.PROMPT_DIALECT, "a Handlebars block", "{{#each name}}"),
        ("{{@index}}", Code.PROMPT_DIALECT, "{{@index}} is not supported", "needs an {{#each}} around it"),
        ("{{#each a}}{{../../b}}{{/each}}", Code.PROMPT_DIALECT, "{{../../b}}", "needs another {{#each}}"),
        ("{{#if a}}{{history}}{{/if}}", Code.PROMPT_SYNTAX, "inside of a block", "outside of {{#if}}"),
        ('{{#if a}}{{role "user"}}{{/if}}', Code.PROMPT_SYNTAX, "inside of a block", "outside of {{#if}}"),
        ("{{{message}}}", Code.PROMPT_DIALECT, "unescaped Handlebars", "never escaped"),
        ("{{> header}}", Code.PROMPT_DIALECT, "a partial", "_name.prompt"),
        ("{{! a note }}", Code.PROMPT_DIALECT, "a Handlebars comment", "# comment"),
        ("{{^message}}", Code.PROMPT_DIALECT, "a Mustache inverted section", "{{#unless name}}"),
    ],
)
def test_tags_that_are_not_ours(tag: str, code: Code, says: str, hint: str) -> None:
    text = f"---\nconfig: {{}}\n---\nHello\n  before {tag} after"
    [(location, found_code, message, found_hint)] = shown(text)
    assert location.removeprefix("5:") in tag
    assert found_code is code
    assert says in message
    assert hint in found_hint


def test_an_open_tag() -> None:
    [(location, code, message, hint)] = shown("Hello\n{{message} you")
    assert (location, code) == ("2:{{", Code.PROMPT_SYNTAX)
    assert message == "'{{' is opened and not closed on this line"
    assert hint == "write {{name}}, or \\{{ where two braces are meant"


def test_all_mistakes_are_told_at_once() -> None:
    locations = [item[0] for item in shown("{{#if a}}\n{{a}}\n{{else}}\n{{>b}}\n{{/if}}")]
    assert locations == ["4:{{>b}}"]
    assert [item[0] for item in shown("a\n{{#if a}}\n{{a}}")] == ["2:{{#if a}}"]
    locations = [item[0] for item in shown('{{role "sytem"}}\na\n{{a | b}}\n{{role "usr"}}\nb')]
    assert locations == ['1:{{role "sytem"}}', "3:{{a | b}}", '4:{{role "usr"}}']


def test_jinja_statements_are_text_and_told() -> None:
    parsed, found = read("Hello {% if a %}\n{{a}}\n{%- endif -%} and 50 {%} or {% 3 %}")
    assert [(item.severity, item.code, item.location.line, item.location.length) for item in found] == [
        (Severity.WARNING, Code.PROMPT_DIALECT, 1, len("{% if a %}")),
        (Severity.WARNING, Code.PROMPT_DIALECT, 3, len("{%- endif -%}")),
    ]
    assert parsed is not None
    assert parsed.render({"a": 1})[0].content == "Hello {% if a %}\n1\n{%- endif -%} and 50 {%} or {% 3 %}"


def test_empty_messages() -> None:
    assert [item[:3] for item in shown('{{role "system"}}\n \n{{role "user"}}\nHello')] == [
        ('1:{{role "system"}}', Code.EMPTY_MESSAGE, "the system message is empty")
    ]
    assert [item[2] for item in shown("---\nconfig: {}\n---\n \n")] == ["the prompt has no text"]
    assert prompt("{{history}}").messages == (HistoryPlace(),)


def test_literal_braces() -> None:
    parsed = prompt(r'Answer with \{{"a": 1}} or { {a} } for {{a}}')
    assert parsed.render({"a": "b"})[0].content == 'Answer with {{"a": 1}} or { {a} } for b'
    [message] = parsed.messages
    assert isinstance(message, Template)
    assert message.source == r'Answer with \{{"a": 1}} or { {a} } for {{a}}'


@pytest.mark.parametrize(
    "raw",
    [
        b"---\r\nconfig: {seed: 1}\r\n---\r\nHello\r\nyou {{a}}\r\n",
        b"\xef\xbb\xbf---\nconfig: {seed: 1}\n---\nHello\nyou {{a}}",
        "---\nconfig: {seed: 1}\n---\nHello\nyou {{a}}".encode("utf-16"),
        b"---\rconfig: {seed: 1}\r---\rHello\ryou {{a}}",
    ],
)
def test_whatever_the_editor_did(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "triage.few-shot.prompt"
    path.write_bytes(raw)
    found = Diagnostics()
    parsed = load(path, "suites/triage.few-shot.prompt", found)
    assert parsed is not None
    assert not len(found)
    assert parsed.file == "suites/triage.few-shot.prompt"
    assert parsed.hash == prompt("---\nconfig: {seed: 1}\n---\nHello\nyou {{a}}").hash


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    found = Diagnostics()
    assert load(tmp_path / "none.prompt", "none.prompt", found) is None
    (tmp_path / "empty.prompt").write_text("")
    assert load(tmp_path / "empty.prompt", "empty.prompt", found) is None
    assert [item.code for item in found] == [Code.FILE_NOT_FOUND, Code.EMPTY_FILE]


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", ["{{#a}}" * 200_000, "{% if a %}" * 100_000, "{{a}}" * 100_000, "---\n" * 200_000, "# \n" * 200_000]
)
def test_odd_files_take_no_time(body: str) -> None:
    start = time.process_time()
    _, found = read(body)
    assert len(found) <= 50
    assert time.process_time() - start < 30

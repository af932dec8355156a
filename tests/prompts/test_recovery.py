from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from promptbench.core.types import Message, Role
from promptbench.prompts.prompt import HistoryPlace, Prompt, Template
from promptbench.prompts.recovery import Recovered, Unrecovered, recover
from promptbench.text.templates import Tag, join
from tests.prompts.kit import prompt


def user(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


@pytest.mark.parametrize(
    ("template", "text", "variables"),
    [
        ("Which team? {{message}}", "Which team? I was charged twice", {"message": "I was charged twice"}),
        ("{{a}}", "", {"a": ""}),
        ("{{a}}", " kept\n", {"a": " kept\n"}),
        ("From {{from}}, to {{to}}.", "From Oslo, to Rome.", {"from": "Oslo", "to": "Rome"}),
        ("{{a}}, {{b}}, {{a}}", "x, y, x", {"a": "x", "b": "y"}),
        ("{{a}}{{b}}{{a}}{{a}}{{b}}", "xyxxy", {"a": "x", "b": "y"}),
        ("{{a}}, {{b}}, {{a}}", "x, y, z, x", {"a": "x", "b": "y, z"}),
        ("{{user.name}} of {{user.city}}", "Ada of Rome", {"user": {"name": "Ada", "city": "Rome"}}),
        ("{{items.0}} or {{items.1}}", "a or b", {"items.0": "a", "items.1": "b"}),
        ("{{a}} is {{a.b}}", "x is y", {"a": "x", "a.b": "y"}),
        ("{{a}}|{{b}}", "\\{{x}}|{{y", {"a": "\\{{x}}", "b": "{{y"}),
        ("no placeholder", "no placeholder", {}),
    ],
)
def test_values_stand_between_the_literal_parts(template: str, text: str, variables: dict[str, Any]) -> None:
    parsed = prompt(template, "p.md")
    found = recover(parsed, user(text))
    assert found == Recovered(variables)
    assert isinstance(found, Recovered)
    assert parsed.render(found.variables) == user(text)


@pytest.mark.parametrize(
    ("template", "text", "ambiguous"),
    [
        ("{{a}}{{b}}", "xy", ("a", "b")),
        ("{{a}}, {{b}}", "x, y, z", ("a", "b")),
        ("{{a}}-{{b}} and {{c}}", "1-2-3 and 4", ("a", "b")),
        ("{{a}}, {{b}}, {{a}}, {{c}}", "x, y, x, z, x, w", ("b", "c")),
    ],
)
def test_what_can_be_split_in_several_ways_is_said_and_not_guessed(
    template: str, text: str, ambiguous: tuple[str, ...]
) -> None:
    found = recover(prompt(template, "p.md"), user(text))
    assert isinstance(found, Unrecovered)
    assert found.ambiguous == ambiguous


def test_another_message_can_settle_what_one_leaves_open() -> None:
    parsed = prompt('{{role "system"}}Answer in {{language}}.\n{{role "user"}}{{language}}{{text}}')
    found = recover(parsed, (Message("system", "Answer in German."), Message("user", "Germany is large")))
    assert found == Recovered({"language": "German", "text": "y is large"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("What team? hi", "message 1 does not start with the prompt's text 'Which team?'"),
        ("Which team? hi. Thank you", "message 1 lacks the prompt's text '. Thanks'"),
        ("Which team? hi. Thanks!!", "message 1 does not end as the prompt does"),
    ],
)
def test_what_does_not_fit_is_named(text: str, reason: str) -> None:
    assert recover(prompt("Which team? {{m}}. Thanks", "p.md"), user(text)) == Unrecovered(reason)


def test_a_repeated_value_must_agree() -> None:
    found = recover(prompt("{{a}} = {{a}}", "p.md"), user("x = y"))
    assert found == Unrecovered("a value that occurs several times is not the same everywhere")


def test_roles_and_their_number_must_fit() -> None:
    parsed = prompt('{{role "system"}}Be kind.{{role "user"}}{{m}}')
    assert recover(parsed, user("hi")) == Unrecovered("it has 1 message, and the prompt 2")
    found = recover(parsed, (Message("user", "Be kind."), Message("user", "hi")))
    assert found == Unrecovered("message 1 is the user's, and the prompt has the system's there")


def test_a_conversation_stands_where_the_prompt_puts_it() -> None:
    parsed = prompt('{{role "system"}}Help {{name}}.{{history}}{{role "user"}}{{m}}')
    talk = (Message("user", "hi"), Message("assistant", "hello"))
    found = recover(parsed, (Message("system", "Help Ada."), *talk, Message("user", "bye")))
    assert found == Recovered({"m": "bye", "name": "Ada"}, talk)
    assert recover(parsed, talk[:1]) == Unrecovered("it has 1 message, and the prompt at least 2")
    twice = prompt('{{history}}{{role "user"}}Again: {{m}}{{history}}')
    assert recover(twice, (*talk, Message("user", "Again: x"), *talk)) == Recovered({"m": "x"}, talk)
    other = (*talk, Message("user", "Again: x"), *talk[::-1])
    assert recover(twice, other) == Unrecovered("the prompt repeats the conversation, and the messages do not")


def test_line_ends_and_white_space_around_a_message_are_tolerated_and_nothing_else() -> None:
    parsed = prompt("Read:\n{{m}}\nNow!", "p.md")
    assert recover(parsed, user("Read:\r\na\r\nb\r\nNow!")) == Recovered({"m": "a\nb"})
    assert recover(parsed, user("\n Read:\nx\nNow! \n")) == Recovered({"m": "x"}, exact=False)
    assert isinstance(recover(parsed, user("Read:  x\nNow!")), Unrecovered)


def test_values_have_the_types_of_the_input_schema_where_that_renders_the_same() -> None:
    schema = "{n: integer, x: number, b: boolean, o(object): {k: string}, s: string, l(array): string}"
    parsed = prompt(f"---\ninput: {{schema: {schema}}}\n---\n" + "{{n}}|{{x}}|{{b}}|{{o}}|{{s}}|{{l}}")
    found = recover(parsed, user('12|1.50|true|{"k": "v"}|34|["a", "b"]'))
    # 1.50 would render as 1.5, so it stays text.
    assert found == Recovered({"n": 12, "x": "1.50", "b": True, "o": {"k": "v"}, "s": "34", "l": ["a", "b"]})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{a}}{{b}}{{c}}{{d}}{{e}}{{a}}{{b}}{{c}}{{d}}{{e}}x", "a" * 4000 + "x"),
        (" ".join(f"{{{{v{i % 7}}}}}" for i in range(60)), " ".join("a" for _ in range(3000))),
        ("".join(f"{{{{v{i}}}}}a" for i in range(300)) + "{{v0}}", "a" * 20_000),
    ],
)
def test_no_text_takes_long(template: str, text: str) -> None:
    start = time.perf_counter()
    assert isinstance(recover(prompt(template, "p.md"), user(text)), Unrecovered)
    assert time.perf_counter() - start < 20


_NAMES = st.sampled_from(["a", "b", "c", "d.e", "d.f", "g.0"])
_TEXTS = st.text(alphabet="ab ,{}\\\n", max_size=6)
_PARTS = st.lists(st.one_of(_NAMES.map(lambda name: Tag(name, 0, 0)), _TEXTS.filter(bool)), min_size=1, max_size=6)
_ROLES: st.SearchStrategy[Role] = st.sampled_from(["system", "user", "assistant"])


def _template(role: Role, parts: list[Any]) -> Template:
    merged: list[Any] = []
    for part in parts:
        if merged and isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return Template(role, join(merged), tuple(merged))


@given(
    items=st.lists(st.one_of(st.builds(_template, _ROLES, _PARTS), st.just(HistoryPlace())), min_size=1, max_size=4),
    values=st.fixed_dictionaries(dict.fromkeys(("a", "b", "c", "d.e", "d.f", "g.0"), _TEXTS)),
    history=st.lists(st.builds(Message, _ROLES, _TEXTS), max_size=3),
)
def test_what_is_recovered_renders_to_the_same_messages(
    items: list[Any], values: dict[str, str], history: list[Message]
) -> None:
    made = Prompt("p", "p.prompt", "", tuple(items), {}, None, None, {})
    messages = made.render(values, history)
    found = recover(made, messages)
    if isinstance(found, Unrecovered):
        # There is a solution, so it is not the only one.
        assert found.ambiguous
        return
    assert found.exact
    assert made.render(found.variables, found.history) == messages


@given(parts=_PARTS, values=st.fixed_dictionaries(dict.fromkeys(("a", "b", "c", "d.e", "d.f", "g.0"), _TEXTS)))
def test_one_solution_is_found_and_two_are_told(parts: list[Any], values: dict[str, str]) -> None:
    template = _template("user", parts)
    made = Prompt("p", "p.prompt", "", (template,), {}, None, None, {})
    text = made.render(values)[0].content
    solutions = set(_all(list(template.parts), text, ()))
    found = recover(made, user(text))
    assert isinstance(found, Recovered) is (len(solutions) == 1)


def _all(parts: list[Any], text: str, known: tuple[tuple[str, str], ...]) -> Any:
    """Every solution, by trying everything."""
    if not parts:
        if not text:
            yield tuple(sorted(known))
        return
    part, *rest = parts
    if isinstance(part, str):
        if text.startswith(part):
            yield from _all(rest, text[len(part) :], known)
        return
    bound = dict(known).get(part.body)
    for end in range(len(text) + 1) if bound is None else [len(bound)]:
        if bound is None or text.startswith(bound):
            yield from _all(rest, text[end:], known if bound is not None else (*known, (part.body, text[:end])))

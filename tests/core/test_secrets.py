from __future__ import annotations

import pytest

from promptbench.core.secrets import Secrets, hide, variables, without_secrets
from promptbench.core.types import Answer


def test_the_name_stands_for_the_value() -> None:
    secrets = Secrets({"OPENAI_API_KEY": "sk-0123456789", "HOME": "/home/somebody", "SHORT_TOKEN": "abc"})
    assert secrets.mask("sk-0123456789 in /home/somebody, abc") == "<OPENAI_API_KEY> in /home/somebody, abc"
    assert secrets.mask("nothing here") == "nothing here"


def test_a_table_without_what_is_named_as_a_secret() -> None:
    table = {
        "api_key": "k",
        "Authorization": "k",
        "X-Api-Key": "k",
        "inner": {"token": "k", "max_tokens": 5},
        "api_key_env": "NAME",
        "monkey": 1,
        "list": [1],
    }
    assert without_secrets(table) == {"inner": {"max_tokens": 5}, "api_key_env": "NAME", "monkey": 1, "list": [1]}


def test_a_variable_that_is_named_counts_whatever_its_name() -> None:
    secrets = Secrets({"LLM_ACCESS": "0123456789"}, named=["LLM_ACCESS", "NOT_SET"])
    assert secrets.mask("Bearer 0123456789") == "Bearer <LLM_ACCESS>"


def test_the_variables_that_settings_name() -> None:
    table = {"servers": {"box": {"api_key_env": "ONE", "base_url": "http://x"}}, "list": [{"h": "a ${TWO} b ${THREE}"}]}
    assert list(variables(table)) == ["ONE", "TWO", "THREE"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the key sk-proj-0123456789abcdef.", "the key ***."),
        ("Bearer 0123456789", "Bearer ***"),
        ("Bearer ${OPENAI_API_KEY}", "Bearer ${OPENAI_API_KEY}"),
        ("http://me:secret@host/v1", "http://***@host/v1"),
        ("a task-classification-2026-suite, sk-language", "a task-classification-2026-suite, sk-language"),
    ],
)
def test_what_looks_like_a_key_is_not_shown(text: str, shown: str) -> None:
    assert hide(text) == shown


def test_the_providers_words_are_masked_and_all_else_is_kept() -> None:
    secrets = Secrets({"OPENAI_API_KEY": "sk-0123456789"})
    told = Answer("it is sk-0123456789", "m sk-0123456789", finish_reason="sk-0123456789", provider_ms=5.0)
    name = "<OPENAI_API_KEY>"
    assert secrets.mask_answer(told) == Answer(f"it is {name}", f"m {name}", finish_reason=name, provider_ms=5.0)
    clean = Answer("fine", "m")
    assert secrets.mask_answer(clean) is clean

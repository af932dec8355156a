from __future__ import annotations

from promptbench.core.secrets import Secrets, without_secrets


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

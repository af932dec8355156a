from __future__ import annotations

from promptbench.core.secrets import Secrets


def test_the_name_stands_for_the_value() -> None:
    secrets = Secrets({"OPENAI_API_KEY": "sk-0123456789", "HOME": "/home/somebody", "SHORT_TOKEN": "abc"})
    assert secrets.mask("sk-0123456789 in /home/somebody, abc") == "<OPENAI_API_KEY> in /home/somebody, abc"
    assert secrets.mask("nothing here") == "nothing here"

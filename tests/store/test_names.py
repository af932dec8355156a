from __future__ import annotations

import pytest

from promptbench.core.errors import InputError
from promptbench.store.names import check_label, check_prompt_name, is_prompt_name


@pytest.mark.parametrize("name", ["triage", "9lives", "a", "a-b_c", "a" * 80, "console", "com10"])
def test_good_prompt_names(name: str) -> None:
    check_prompt_name(name)
    assert is_prompt_name(name)


@pytest.mark.parametrize("name", ["con", "nul", "com1", "Triage", "a.b", "a b", "-a", "_a", "", "a" * 81, "a\n", "²"])
def test_bad_prompt_names(name: str) -> None:
    assert not is_prompt_name(name)
    with pytest.raises(InputError, match="invalid prompt name") as raised:
        check_prompt_name(name)
    assert raised.value.hint


@pytest.mark.parametrize("label", ["Production", "7", "7a", "sha256:ab", "a@b", "", "a\n"])
def test_bad_labels(label: str) -> None:
    with pytest.raises(InputError, match="invalid label"):
        check_label(label)

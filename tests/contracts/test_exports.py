"""The public names: what `promptbench` and `promptbench.api` offer, and that `__all__` says so."""

from __future__ import annotations

from promptbench.api import public

import promptbench
from promptbench import api


def test_the_package_exports_the_api_lazily() -> None:
    assert set(promptbench.__all__) == {"__version__", *api.__all__}
    for name in api.__all__:
        assert getattr(promptbench, name) is getattr(api, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(promptbench, "no_such_name")


def test_all_is_complete() -> None:
    found = {name for name, value in vars(public).items() if not name.startswith("_") and defined_here(value)}
    assert found <= set(api.__all__)


def defined_here(value: object) -> bool:
    return getattr(value, "__module__", "") == "promptbench.api.public"

"""The embedded model, for tests that run it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from promptbench.plugins import ProviderContext
from promptbench.providers import gguf

_HERE = ProviderContext(root=Path(), folder=Path(), environ=dict(os.environ))


def installed() -> bool:
    """Return whether the model is installed, by `promptbench models install` or by hand."""
    return not gguf.weight_problems("smollm2-135m", _HERE)


def need_model() -> None:
    """Skip the test without the model."""
    if not installed():
        pytest.skip("the embedded model is not installed: promptbench models install")

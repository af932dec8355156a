"""The checks. One file is one check, and its docstring is what people read about it."""

from promptbench.core.plugins import Plugins
from promptbench.plugins import CheckSpec

plugins = Plugins(
    "promptbench.checks",
    "checks",
    CheckSpec,
    deprecated={
        name: f"promptbench.checks._deprecated:{name}" for name in ("equals", "exact_match", "fields", "one_of")
    },
)

"""What a command, a test or a program of yours can do with promptbench: all names of `promptbench.api.public`.

project = Project.open()
for report in run(project, Selection(paths=(Path("suites/triage"),))):
    print(report.sentence)

They are imported when the first of them is used, so that a command that needs one module of this folder loads no other.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptbench.api.public import *  # noqa: F403
    from promptbench.api.public import __all__ as __all__


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(name)
    return getattr(import_module("promptbench.api.public"), name)

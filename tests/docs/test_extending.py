"""The plug-ins that the guide shows are loaded and work."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import promptbench
from promptbench.core.types import BadRecord
from promptbench.plugins import CheckContext, CheckSpec, LogFormatSpec, ProviderSpec
from tests.helpers.logs import log
from tests.helpers.subjects import subject

GUIDE = Path(promptbench.__file__).with_name("docs") / "guides" / "extending.md"


@pytest.fixture(scope="module")
def specs() -> list[object]:
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    modules = [ModuleType(f"example_{number}") for number in range(len(blocks))]
    for module, block in zip(modules, blocks, strict=True):
        exec(block, module.__dict__)
    return [module.SPEC for module in modules]


def test_the_check(specs: list[object]) -> None:
    spec = specs[0]
    assert isinstance(spec, CheckSpec)
    check = spec.build(None, CheckContext(Path()))
    assert [check.score(subject(text)).passed for text in ("Thank you", "no")] == [True, False]
    with pytest.raises(ValueError, match="no argument"):
        spec.build("x", CheckContext(Path()))


def test_the_provider(specs: list[object]) -> None:
    assert isinstance(specs[1], ProviderSpec)


def test_the_log_format(specs: list[object]) -> None:
    spec = specs[2]
    assert isinstance(spec, LogFormatSpec)
    file = log("# shop log\nwhere is it?\ton its way\ntorn\n")
    assert spec.matches(file)
    assert [item.reason if isinstance(item, BadRecord) else item.answer for item in spec.read(file)] == [
        "on its way",
        "expected a question, a tab and an answer",
    ]

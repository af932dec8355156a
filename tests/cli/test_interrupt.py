"""^C in the middle of a run, in processes of their own; `tests.bench.interrupt` measures how long it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import interrupt
from tests.helpers.local_model import need_model

LOCAL = [pytest.mark.slow, pytest.mark.local_model, pytest.mark.xdist_group("local_model")]


@pytest.mark.slow
def test_the_first_one_drains(tmp_path: Path) -> None:
    got = interrupt.drain(tmp_path)
    assert got.code == 130
    assert got.late == 0, "nothing more is sent"
    assert 60 <= got.sent == got.kept < 500, "what was in flight is kept"
    assert interrupt.state_of(tmp_path) == "ok, 1 run to go on"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=LOCAL if "local model" in name else ()) for name in interrupt.SCENES],
)
def test_the_second_one_leaves_at_once(tmp_path: Path, name: str) -> None:
    if "local model" in name:
        need_model()
    code, seconds = interrupt.SCENES[name](tmp_path)
    assert code == 130
    # Mostly under a second; a busy machine takes seconds to end the process. The calls themselves last longer.
    assert seconds < 10
    assert interrupt.state_of(tmp_path) == "ok, 1 run to go on"

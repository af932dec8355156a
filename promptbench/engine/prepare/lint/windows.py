"""Warn if a prompt with a case probably exceeds a model's context window."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from promptbench.core.errors import Code, Diagnostics, Severity
from promptbench.core.types import Role, Side
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.prompts.prompt import MissingVariable, Prompt
from promptbench.suite.models import Case
from promptbench.text.templates import literals, outer_names
from promptbench.text.tokens import CHARACTERS_PER_TOKEN, estimate

_BREAK = "\n\0\n"  # Replaces values and separates messages, so that no match spans them.


def static_text(prompt: Prompt, roles: Collection[Role] = ("system", "user", "assistant")) -> str:
    """Return the prompt's messages with these roles, without their values."""
    return _BREAK.join(_BREAK.join(literals(item.parts)) for item in prompt.templates if item.role in roles)


def texts_of(case: Case) -> Iterator[str]:
    """Yield the texts among the values of a case, and its messages."""
    for value in case.variables.values():
        if isinstance(value, str):
            yield value
    for message in case.said:
        yield message.content


@dataclass(frozen=True, slots=True)
class Window:
    """A model's context window. `size` returns its tokens, None if unknown; it is called once, for long prompts only.

    `setting` is the provider's setting that overrides it.
    """

    size: Callable[[], int | None]
    setting: str = "context_window"


_CLOSE = 0.9
_SMALLEST = 512  # No window is smaller, so that nobody is asked about a request that is.


@dataclass(slots=True)
class _Fit:
    """One prompt on one model. `largest` is the largest case, `tokens` the estimate for it without the answer."""

    window: int | None
    tokens: int = 0
    words: int = 0  # Words of the largest case if they exceed the window's tokens, else 0.
    cases: int = 0
    largest: Case | None = None


class Windows:
    """Estimates the size of each case in one prompt. `windows` are those of the models that get the prompt."""

    def __init__(self, variant: Variant, windows: Mapping[str, Window]) -> None:
        self._variant = variant
        self._windows = windows
        self._fits: dict[str, _Fit] = {}
        self._few = _SMALLEST * _CLOSE
        self._longest = _longest(variant.prompt)
        bound = variant.prompt.config.get("maxOutputTokens")
        self._answer = bound if isinstance(bound, int) else 0

    def look(self, case: Case) -> None:
        """Render the case only if it may come near a window."""
        prompt = self._variant.prompt
        if self._longest(case) / CHARACTERS_PER_TOKEN + 1 + self._answer < self._few:
            return
        try:
            messages = prompt.render(case.variables, case.said)
        except MissingVariable:
            return
        tokens = estimate(messages, prompt.config, prompt.tools).input_tokens
        if tokens + self._answer < self._few:
            return
        if not self._fits:
            self._fits = {model: _Fit(window.size()) for model, window in self._windows.items()}
            self._few = (
                min([fit.window for fit in self._fits.values() if fit.window is not None], default=math.inf) * _CLOSE
            )
        words = sum(len(message.content.split()) for message in messages)
        for fit in self._fits.values():
            if fit.window is None or tokens + self._answer < fit.window * _CLOSE:
                continue
            fit.cases += 1
            surely = words if words > fit.window else 0
            if (surely, tokens) > (fit.words, fit.tokens):
                fit.words, fit.tokens, fit.largest = surely, tokens, case

    def report(self, found: Diagnostics) -> None:
        """Add one diagnostic per model.

        It is an error only if a candidate's request has more words than the window has tokens: tokenizers in use (byte
        pairs, SentencePiece) split at white space first, so a word takes at least one token. The estimate of
        characters / 4 may be wrong by a factor of two. For the prompt in production it is a warning, because it cannot
        be fixed here.
        """
        for model, fit in self._fits.items():
            if fit.largest is None:
                continue
            surely = bool(fit.words) and self._variant.side is Side.CANDIDATE
            size = f"has {fit.words:,} words" if fit.words else f"takes about {fit.tokens:,} tokens"
            answer = f" and allows {self._answer:,} for the answer" if self._answer and not fit.words else ""
            more = f"; {fit.cases} cases come near that" if fit.cases > 1 else ""
            shorter = "shorten it, or lower 'maxOutputTokens'" if self._answer else "shorten it"
            found.add(
                Code.CONTEXT_WINDOW,
                f"{self._variant.label} with the case '{fit.largest.name}' {size}{answer}, "
                f"and {model} takes {fit.window:,} tokens{more}",
                fit.largest.where.location("vars", key=True),
                hint=f"{shorter}; if the model takes more, set '{self._windows[model].setting}'",
                severity=Severity.ERROR if surely else Severity.WARNING,
            )


def _longest(prompt: Prompt) -> Callable[[Case], float]:
    # Return a function for a quick upper bound: each text of a case counts as often as the most used variable.
    uses = Counter(name.split(".")[0] for item in prompt.templates for name in outer_names(item.parts))
    most = max(uses.values(), default=0) + prompt.takes_history
    simple = not prompt.defaults and not prompt.has_blocks
    fixed = len(static_text(prompt))

    def characters(case: Case) -> float:
        if not (simple and all(isinstance(value, str) for value in case.variables.values())):
            return math.inf
        return fixed + most * sum(map(len, texts_of(case)))

    return characters

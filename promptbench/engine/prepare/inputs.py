"""What a logged call put into its prompt: the variables of the log, or those recovered from the rendered messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptbench.core.types import Json, LoggedCall, Message
from promptbench.prompts.prompt import Prompt
from promptbench.prompts.recovery import Recovered, Unrecovered, recover


@dataclass(frozen=True, slots=True)
class CallInput:
    """What a case needs to ask the same again: `vars:` and `messages:`."""

    variables: Mapping[str, Json]
    history: tuple[Message, ...] = ()


def unusable(call: LoggedCall, prompts: Sequence[Prompt]) -> str | None:
    """Why a call cannot be asked again with `prompts`, the candidates first and what is in production last, if so."""
    given = input_of(call, prompts[::-1], prompts)
    if isinstance(given, str):
        return given
    missing = sorted({name for prompt in prompts for name in prompt.missing(given.variables)})
    if missing:
        return f"it has no value for {', '.join(f'{{{{{name}}}}}' for name in missing)}"
    homeless = given.history and not all(prompt.takes_history for prompt in prompts)
    return "a prompt has no place for its messages" if homeless else None


def input_of(call: LoggedCall, templates: Sequence[Prompt], candidates: Sequence[Prompt]) -> CallInput | str:
    """The input of a call, or why there is none, in a phrase.

    `templates` may have rendered the call's messages; the first one that fits is taken. Where none does, the messages
    are replayed as they are, if the candidates have a place for them and need nothing else. Variables of the log win,
    unless a candidate needs others: a log may have put down something else under that name.
    """
    variables = call.variables
    known = variables is not None and not any(prompt.missing(variables) for prompt in candidates)
    tried: list[Unrecovered] = []
    for prompt in templates if call.messages else ():
        if known and not prompt.takes_history:
            continue
        found = recover(prompt, call.messages)
        if isinstance(found, Recovered):
            return CallInput(variables if known and variables is not None else found.variables, found.history)
        tried.append(found)
    if variables is not None:
        return CallInput(variables)
    if not call.messages:
        return "it has neither variables nor messages"
    if candidates and all(prompt.takes_history and not prompt.missing({}) for prompt in candidates):
        return CallInput({}, call.messages)
    # A template that fits in several ways is most likely the one that was used.
    best = next((item for item in tried if item.ambiguous), tried[0] if tried else None)
    return f"its variables cannot be recovered: {best.reason}" if best else "there is no prompt to recover it with"

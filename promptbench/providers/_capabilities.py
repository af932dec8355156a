"""What models are known to take: the table `capabilities.toml`."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from promptbench.core.types import Json


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one model takes, by word of `config` and by feature. What is not there is unknown.

    `sources` says where each comes from, with the day on which it was read.
    """

    facts: Mapping[str, Json] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def takes(self, feature: str) -> bool | None:
        """Return whether the model takes a feature such as `schema`, None if that is unknown."""
        known = self.facts.get(feature)
        return None if known is None else bool(known)

    def refusal(self, word: str, config: Mapping[str, Json]) -> str | None:
        """Return what the model does not take of a word of the config, to follow its name; None if it may take it."""
        known, value = self.facts.get(word), config[word]
        if known is False:
            return f"does not take '{word}'"
        if isinstance(known, list) and value not in known:
            return f"takes '{word}' only as {', '.join(map(str, known))}; got {value}"
        if isinstance(known, dict) and value and not known.get("least", value) <= value <= known.get("most", value):
            bound = "at least {least:,}" if value < known.get("least", 0) else "at most {most:,}"
            return f"takes {bound.format(**known)} for '{word}', got {value:,}"
        if word == "thinkingBudget" and value >= config.get("maxOutputTokens", value + 1):
            return f"takes '{word}' only below 'maxOutputTokens', which is {config['maxOutputTokens']:,}"
        if word in self.facts.get("without_effort", ()) and config.get("reasoningEffort", "none") != "none":
            return f"takes '{word}' only with 'reasoningEffort' none"
        return None

    def advice(self, word: str) -> str:
        """Return what to write instead of a word that is refused, and how that is known."""
        source = self.sources.get(word) or self.sources.get("without_effort", "")
        return f"{_table()['instead'].get(word, 'leave it out, or change it')} ({source})"


def capabilities(vendor: str, name: str) -> Capabilities:
    """Return what a model of a vendor (`openai`, `anthropic`) takes. A fine-tuned one takes what its base takes."""
    # A gateway may put the vendor before the name, as in openai/o3.
    model = name.rpartition("/")[2].removeprefix("ft:").partition(":")[0]
    facts: dict[str, Json] = {}
    sources: dict[str, str] = {}
    for family in _table()[vendor]:
        if re.fullmatch(family["models"], model):
            found = {key: value for key, value in family.items() if key not in ("models", "source", "checked")}
            facts |= found
            sources |= dict.fromkeys(found, f"{family['source']}, read on {family['checked']}")
    return Capabilities(facts, sources)


def text_only(name: str) -> str | None:
    """Return why a model of OpenAI takes no images and PDFs, None if it does or that is not known."""
    return "it reads text only" if capabilities("openai", name).takes("images") is False else None


@cache
def _table() -> Mapping[str, Json]:
    return tomllib.loads(Path(__file__).with_name("capabilities.toml").read_text(encoding="utf-8"))

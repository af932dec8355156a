"""What a promotion rests on: the part of an evidence document that the store itself reads."""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.core.types import Json

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Proof:
    """`candidate` and `champion` are version hashes; `champion` is None for a first version."""

    prompt: str
    candidate: str
    champion: str | None
    result: str
    sentence: str

    @classmethod
    def read(cls, evidence: Json) -> Proof:
        """Raises ValueError, with the reason as its text, when `evidence` is no evidence document."""
        if not isinstance(evidence, dict):
            raise ValueError("it is not an object")
        if evidence.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"its schema_version is {evidence.get('schema_version')!r}, this promptbench reads {SCHEMA_VERSION}"
            )
        verdict = evidence.get("verdict")
        if not isinstance(verdict, dict):
            raise ValueError("it holds no verdict")
        fields = {
            "prompt": evidence.get("prompt"),
            "candidate": evidence.get("candidate"),
            "verdict.result": verdict.get("result"),
            "verdict.sentence": verdict.get("sentence", ""),
        }
        for name, value in fields.items():
            if not isinstance(value, str):
                raise ValueError(f"its {name} is not a text")
        champion = evidence.get("champion")
        if not isinstance(champion, str | None):
            raise ValueError("its champion is neither a text nor null")
        return cls(evidence["prompt"], evidence["candidate"], champion, verdict["result"], fields["verdict.sentence"])

    def objection(self, prompt: str, to_hash: str | None, from_hash: str | None) -> str | None:
        """Why this does not prove that `to_hash` may take the place of `from_hash`, or None when it does."""
        if self.result != "PASS":
            return f"its verdict is {self.result}"
        if self.prompt != prompt:
            return f"it is about prompt {self.prompt}"
        if self.candidate != to_hash:
            return f"it judged {self.candidate}"
        if self.champion != from_hash:
            return f"it compared with {self.champion}"
        return None

"""Read and write `agreement.json` beside a suite: how well the judges of its rubrics agree with people.

Kappa and its interval are computed from the counts each time, so the file need not be trusted for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.metrics.agreement import Confusion, Kappa
from promptbench.plugins import Json

FILE_NAME = "agreement.json"
_SCHEMA_VERSION = 1
_COUNT_NAMES = {
    "yes_yes": "person pass, judge pass",
    "yes_no": "person pass, judge fail",
    "no_yes": "person fail, judge pass",
    "no_no": "person fail, judge fail",
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement for one rubric. `check` is its identity, `judges` the names with which each judge answered.

    The lengths are correlations of the verdicts with the answer's length, or None if they are not defined.
    """

    check: str
    rubric: str
    judges: Mapping[str, Sequence[str]]
    counts: Confusion
    without_verdict: int
    made: str
    judge_length: float | None = None
    human_length: float | None = None

    @property
    def kappa(self) -> Kappa | None:
        return self.counts.kappa()

    @property
    def finding(self) -> dict[str, Json]:
        """Return all of it except its date."""
        return {key: value for key, value in self.as_dict().items() if key != "made"}

    def as_dict(self) -> dict[str, Json]:
        kappa = self.kappa
        return {
            "check": self.check,
            "rubric": self.rubric,
            "judges": {judge: sorted(names) for judge, names in sorted(self.judges.items())},
            "labelled": self.counts.total,
            "counts": {_COUNT_NAMES[name]: getattr(self.counts, name) for name in _COUNT_NAMES},
            "without_verdict": self.without_verdict,
            "kappa": _rounded(kappa.value) if kappa else None,
            "low": _rounded(kappa.low) if kappa else None,
            "high": _rounded(kappa.high) if kappa else None,
            "correlation_with_length": {"judge": _rounded(self.judge_length), "person": _rounded(self.human_length)},
            "made": self.made,
        }

    @classmethod
    def read(cls, data: Json) -> Agreement:
        """Return an entry as an agreement. Raises ValueError if it is invalid or its kappa does not match."""
        try:
            length = data["correlation_with_length"]
            found = cls(
                check=str(data["check"]),
                rubric=str(data["rubric"]),
                judges={str(judge): [str(name) for name in names] for judge, names in data["judges"].items()},
                counts=Confusion(**{name: _count(data["counts"][_COUNT_NAMES[name]]) for name in _COUNT_NAMES}),
                without_verdict=_count(data["without_verdict"]),
                made=str(data["made"]),
                judge_length=length["judge"],
                human_length=length["person"],
            )
            differs = any(data[name] != found.as_dict()[name] for name in ("labelled", "kappa", "low", "high"))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"invalid entry ({error!r})") from None
        if differs:
            raise ValueError(f"the kappa of '{found.rubric}' does not match its counts")
        return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _count(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} is not a count")
    return value


def read_all(folder: Path) -> dict[str, Agreement]:
    """Return the agreements beside a suite, by the rubric's identity. Raises ValueError if the file is invalid."""
    try:
        data = json.loads((folder / FILE_NAME).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{FILE_NAME} cannot be read: {error}; restore it from git, or delete it") from None
    if not isinstance(data, dict) or data.get("schema_version") != _SCHEMA_VERSION:
        raise ValueError(f"{FILE_NAME} is from another version of promptbench")
    try:
        return {item.check: item for item in map(Agreement.read, data["agreements"])}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{FILE_NAME} cannot be used: {error}") from None


def save(folder: Path, agreement: Agreement) -> Path:
    """Write an agreement into the file, replacing the earlier one. Raises ValueError, and OSError."""
    known = read_all(folder)
    before = known.get(agreement.check)
    # The same finding again changes nothing: evidence that contains the hash stays valid.
    if before is None or before.finding != agreement.finding:
        known[agreement.check] = agreement
    ordered = sorted(known.values(), key=lambda item: (item.rubric, item.check))
    data = {"schema_version": _SCHEMA_VERSION, "agreements": [item.as_dict() for item in ordered]}
    path = folder / FILE_NAME
    path.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8", newline="\n")
    return path

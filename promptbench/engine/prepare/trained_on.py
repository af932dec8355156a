"""What cases share that one of them leaks about the other, and the models that were trained on cases of the suite.

A model that was trained on a case has seen each case of the same document or cluster, or with nearly the same text. So
a split for fine-tuning keeps these on one side, and a fine-tuned model is not judged on any of them.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from promptbench.core.canonical import canonical, parse_json
from promptbench.core.errors import Code, Diagnostics, Location, Severity
from promptbench.core.types import Json
from promptbench.core.words import number_of
from promptbench.engine.prepare.prepared_suite import CaseTerms, PreparedCase
from promptbench.suite.models import Case, Suite
from promptbench.text.near_duplicates import LAYOUT, Signature, SignedTexts, sign
from promptbench.yaml.source import below

FORMAT = "export/1"  # of a manifest
_WORD = re.compile(r"\w+")
MOST_ALIKE = 100  # training data that a text is compared with, for each band of its signature
# Words of a value that is compared on its own, such as a question next to its context; fewer are a label or a name.
_FEWEST_WORDS = 8
# Where an `origin:` names the document that a case is from. Any other origin is compared as a whole.
_DOCUMENT = ("document", "file", "url")
_NO_MODEL = ("-",)  # Not the name of any model: a case that all models were trained on runs nowhere.
# Hashes of a case's cluster, document and texts, and signatures of its texts. The first hash decides the side of a
# split on which the case is.
CaseTraits = tuple[list[str], list[Signature]]
Trait = str | Signature


def traits_of(case: Case | PreparedCase, defaults: Mapping[str, Json]) -> CaseTraits:
    """Return the traits of a case. Values that are the `defaults` of its suite say nothing about it."""
    own = [value for name, value in case.variables.items() if name not in defaults or defaults[name] != value]
    messages = case.said if isinstance(case, Case) else case.history
    texts = [value if isinstance(value, str) else canonical(value) for value in own]
    texts += [message.content for message in messages]
    long = [text for text in texts if len(_WORD.findall(text)) >= _FEWEST_WORDS]
    texts = list(dict.fromkeys(("\n".join(texts), *long)))
    named = [case.origin[key] for key in _DOCUMENT if case.origin.get(key)] if isinstance(case.origin, dict) else []
    shared = {"cluster": case.cluster, "document": named[0] if named else case.origin}
    keys = [[kind, value] for kind, value in shared.items() if value]
    keys += [["text", sorted(_WORD.findall(text.casefold()))] for text in texts]
    return [sha256(canonical(key).encode()).hexdigest() for key in keys], [*filter(None, map(sign, texts))]


class TrainedModels:
    """The fine-tuned models among the `models` of a suite, and the cases that are like their training data."""

    def __init__(self, suite: Suite, models: Sequence[str], found: Diagnostics) -> None:
        self._suite = suite
        self._names = dict.fromkeys((*models, *(entry.name for entry in suite.models)))
        self._tuned = [entry for entry in suite.models if entry.trained_on and entry.name in models]
        self._data = {entry.name: (set[str](), SignedTexts(4, MOST_ALIKE)) for entry in self._tuned}
        self._seen: dict[str, set[str]] = {entry.name: set() for entry in self._tuned}
        for entry in self._tuned:
            for index, written in enumerate(entry.trained_on):
                location = suite.location((*entry.path, "trained_on", index))
                if path := below(suite.folder, written, location, found):
                    _read_manifest(path, location, found, *self._data[entry.name])

    def terms(self, case: Case | PreparedCase, terms: CaseTerms) -> CaseTerms:
        """Return the terms of a case without the models that were trained on it, or on one like it."""
        if not self._tuned:
            return terms
        keys, texts = traits_of(case, self._suite.common.variables)
        trained = {name for name, (known, like) in self._data.items() if known & {*keys} or any(map(like.near, texts))}
        for name in trained:
            self._seen[name].add(case.name)
        left = tuple(name for name in self._names if terms.allow(name) and name not in trained)
        return terms._replace(models=left or _NO_MODEL) if trained else terms

    def report(self, cases: Mapping[str, int], found: Diagnostics) -> None:
        """Add a warning for each model that was trained on some of the cases."""
        for entry in self._tuned:
            if count := len(self._seen[entry.name] & cases.keys()):
                message = f"{entry.name} was trained on {count:,} of {number_of(len(cases), 'case')}"
                location = self._suite.location((*entry.path, "trained_on"))
                found.add(Code.TRAINED_ON, f"{message}, which do not run on it", location, severity=Severity.WARNING)


def _read_manifest(path: Path, location: Location, found: Diagnostics, keys: set[str], texts: SignedTexts) -> None:
    try:
        data = parse_json(path.read_text(encoding="utf-8-sig"))
        keys.update(map(str, data["trained"]["keys"]))
        for signature in data["trained"]["signatures"]:
            texts.add(struct.unpack(LAYOUT, struct.pack(LAYOUT, *signature)))
        problem = "" if data["promptbench"] == FORMAT else f"expected the format '{FORMAT}'"
    except (OSError, ValueError, TypeError, LookupError, struct.error) as error:
        problem = (error.strerror or "") if isinstance(error, OSError) else "`promptbench export` did not write it"
    if problem:
        near = ", ".join(sorted(item.name for item in path.parent.glob("*.manifest.json")))
        message = f"'{path.name}' cannot be read as a manifest: {problem}"
        found.add(Code.BAD_VALUE, message, location, hint=f"manifests there: {near or 'none'}")

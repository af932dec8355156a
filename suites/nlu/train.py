"""Trains the model in `model.py`: `python suites/nlu/train.py DATA OUT`.

DATA is a file, or a folder with `train.jsonl` and perhaps `valid.jsonl` to tune by; without that a fifth at a time is
held out. A line is `{"text": …, "intent": …, "slots": [{"slot": …, "start": 0, "end": 5}]}`, a case of a suite, or a
line of `promptbench export --for messages`. Utterances with the intent `oos` are tuned by and not trained on. OUT is
the folder for the weights.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from model import OUT_OF_SCOPE, OUTSIDE, WORD, features, vectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.svm import LinearSVC

Utterances = list[dict[str, Any]]


def read(path: Path) -> Utterances:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [utterance(json.loads(line)) for line in lines if line.strip()]


def utterance(line: dict[str, Any]) -> dict[str, Any]:
    """A line of any of the three kinds, with the spans of its slots."""
    if "messages" in line:
        *_, asked, answer = line["messages"]
        line = {"vars": {"text": asked["content"]}, "expect": json.loads(answer["content"])}
    if "vars" not in line:
        return line
    text, right = line["vars"]["text"], line["expect"]
    starts = {slot: text.index(value) for slot, value in right["slots"].items()}
    spans = [{"slot": slot, "start": at, "end": at + len(right["slots"][slot])} for slot, at in starts.items()]
    return {"text": text, "intent": right["intent"], "slots": spans}


def train_intents(utterances: Utterances) -> tuple[Any, LinearSVC]:
    """The vectorizer and the classifier of the intents."""
    texts = [item["text"] for item in utterances]
    vectors = vectorizer(least=LEAST).fit(texts)
    return vectors, LinearSVC(C=1.0, random_state=1).fit(vectors.transform(texts), [u["intent"] for u in utterances])


FOLDS = 5
LEAST = 2
"""A word or piece that one utterance alone has tells nothing about others."""


def margins_of(known: Utterances, held: Utterances, labels: Any) -> Any:
    """The margins of held-out utterances, a row each, by what is learnt from the known ones; -2 for a label that none
    of them has.
    """
    vectors, classifier = train_intents([item for item in known if item["intent"] != OUT_OF_SCOPE])
    margins = np.full((len(held), len(labels)), -2.0)
    columns = np.searchsorted(labels, classifier.classes_)
    margins[:, columns] = classifier.decision_function(vectors.transform([item["text"] for item in held]))
    return margins


def tune(margins: Any, labels: Any, held: Utterances) -> tuple[float, float]:
    """How margins become shares (the scale with the best likelihood), and below which share an utterance is out of
    scope: where most held-out utterances are right, out of scope or not.
    """
    gold = np.array([item["intent"] for item in held])
    inside = np.isin(gold, labels)
    best = labels[margins.argmax(axis=1)]

    def shares(scale: float) -> Any:
        likely = np.exp(scale * (margins - margins.max(axis=1, keepdims=True)))
        return likely / likely.sum(axis=1, keepdims=True)

    def likelihood(scale: float) -> float:
        columns = np.searchsorted(labels, gold[inside])
        return float(np.log(shares(scale)[inside, columns] + 1e-12).sum())

    def right(threshold: float) -> int:
        said = np.where(top < threshold, OUT_OF_SCOPE, best)
        return int((said == gold).sum())

    scale = max(np.arange(1.0, 12.1, 0.25), key=likelihood)
    top = shares(scale).max(axis=1)
    threshold = max(np.arange(0.0, 1.0, 0.01), key=right) if (gold == OUT_OF_SCOPE).any() else 0.0
    return float(scale), round(float(threshold), 2)


def tagged(utterance: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The words of an utterance and their BIO tags."""
    words, tags = [], []
    for match in WORD.finditer(utterance["text"]):
        slot = next((s for s in utterance.get("slots", ()) if s["start"] <= match.start() < s["end"]), None)
        first = slot is not None and match.start() == slot["start"]
        words.append(match[0])
        tags.append(OUTSIDE if slot is None else f"{'B' if first else 'I'}-{slot['slot']}")
    return words, tags


def train_slots(utterances: Utterances) -> tuple[list[str], list[str], Any]:
    """The features, the tags, and the weights: a row for each feature."""
    seen, wanted = [], []
    for item in utterances:
        words, tags = tagged(item)
        before = [OUTSIDE, *tags]
        seen += [features(words, at, before[at], item["intent"]) for at in range(len(words))]
        wanted += tags
    if len(set(wanted)) < 3:
        return [], [], np.zeros((0, 0))
    counts = CountVectorizer(analyzer=list, binary=True, dtype=np.float64, min_df=LEAST)
    rows = counts.fit_transform(seen)
    rounds = max(10, LOOKS // len(seen))
    tagger = SGDClassifier(loss="hinge", alpha=1e-5, average=True, max_iter=rounds, tol=None, random_state=1)
    tagger.fit(rows, wanted)
    return list(counts.get_feature_names_out()), list(tagger.classes_), tagger.coef_.T


LOOKS = 1000000
"""How many words the tagger looks at, over and over where there are few; each at least ten times."""


def main(data: Path, out: Path) -> None:
    known, held = read(data), []
    if data.is_dir():
        known, held = read(data / "train.jsonl"), read(data / "valid.jsonl")
    inside = [item for item in known if item["intent"] != OUT_OF_SCOPE]
    vectors, classifier = train_intents(inside)
    if held:
        margins = margins_of(inside, held, classifier.classes_)
    else:
        folds = [(known[n::FOLDS], [item for m, item in enumerate(known) if m % FOLDS != n]) for n in range(FOLDS)]
        margins = np.vstack([margins_of(rest, fold, classifier.classes_) for fold, rest in folds])
        held = [item for fold, _ in folds for item in fold]
    scale, threshold = tune(margins, classifier.classes_, held)
    names, tags, slots = train_slots(inside)
    parts = dict(vectors.transformer_list)
    about = {
        "labels": list(classifier.classes_),
        "scale": scale,
        "threshold": threshold,
        "tags": tags,
        "features": names,
        **{name: list(part.get_feature_names_out()) for name, part in parts.items()},
    }
    weights = {
        "intent": classifier.coef_.T,
        "intent_bias": classifier.intercept_,
        "slots": slots,
        **{f"{name}_idf": part.idf_ for name, part in parts.items()},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8", newline="\n")
    np.savez_compressed(out / "weights.npz", **{name: value.astype(np.float16) for name, value in weights.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

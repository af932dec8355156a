"""A small model of our own: the intent of an utterance and its slots, without a language model.

The intent: TF-IDF over words and over pieces of words, and a linear SVM. The slots: each word gets a BIO tag, from left
to right, by a linear model over the words around it and the intent. `train.py` makes the weights: numbers and JSON,
never pickle.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

OUT_OF_SCOPE = "oos"
OUTSIDE = "O"
WORD = re.compile(r"\w+|[^\w\s]")


def vectorizer(words: Any = None, pieces: Any = None, least: int = 1) -> FeatureUnion:
    """Return the features of an intent model: given `words` and `pieces`, or those of `least` utterances."""
    of_words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, vocabulary=words, min_df=least)
    of_pieces = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, vocabulary=pieces, min_df=least
    )
    return FeatureUnion([("words", of_words), ("pieces", of_pieces)])


def features(words: list[str], at: int, before: str, intent: str) -> list[str]:
    """Return the features of a word's tag: the word, its ends and shape, its neighbours, the tag before, the intent."""
    near = ["<s>", "<s>", *(word.lower() for word in words), "</s>", "</s>"][at : at + 5]
    word, (left2, left, low, right, right2) = words[at], near
    shape = re.sub(r"[A-Z]", "X", re.sub(r"[a-z]", "x", re.sub(r"\d", "9", word)))[:6]
    return [
        "bias", f"w={low}", f"shape={shape}", f"end={low[-3:]}", f"start={low[:3]}", f"end2={low[-2:]}",
        f"l={left}", f"r={right}", f"ll={left2}", f"rr={right2}", f"l,w={left} {low}", f"w,r={low} {right}",
        f"l,ll={left2} {left}", f"r,rr={right} {right2}", f"tag={before}", f"tag,w={before} {low}",
        f"tag,l={before} {left}", f"tag,r={before} {right}", f"i={intent}", f"i,w={intent} {low}",
        f"i,tag={intent} {before}",
    ]  # fmt: skip


class Model:
    """The model in a folder, as `train.py` saved it."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        with np.load(folder / "weights.npz", allow_pickle=False) as weights:
            self.weights = {name: weights[name].astype(np.float32) for name in weights.files}
        self.labels, self.tags = about["labels"], about["tags"]
        self.scale, self.threshold = about["scale"], about["threshold"]
        self.known = {name: index for index, name in enumerate(about["features"])}
        self.vectorizer = vectorizer(about["words"], about["pieces"])
        for name, part in self.vectorizer.transformer_list:
            part.idf_ = self.weights[f"{name}_idf"].astype(float)

    def intent(self, text: str) -> tuple[str, float]:
        """The likeliest intent, and how sure that is, in [0, 1]."""
        # One part after the other: the union would start threads for each text.
        row = hstack([part.transform([text]) for _, part in self.vectorizer.transformer_list]).tocsr()
        # Gathering the few rows that count is faster than a product of whole matrices.
        margins = row.data @ self.weights["intent"][row.indices] + self.weights["intent_bias"]
        likely = np.exp(self.scale * (margins - margins.max()))
        best = int(margins.argmax())
        return self.labels[best], float(likely[best] / likely.sum())

    def slots(self, text: str, intent: str) -> list[dict[str, Any]]:
        """The slots in their order, each with its value and where that is, in characters."""
        found = list(WORD.finditer(text))
        words, tag, spans = [match[0] for match in found], OUTSIDE, []
        for at, match in enumerate(found):
            rows = [self.known[name] for name in features(words, at, tag, intent) if name in self.known]
            before, tag = (
                tag,
                self.tags[int(self.weights["slots"][rows].sum(axis=0).argmax())] if self.tags else OUTSIDE,
            )
            if tag.startswith("I-") and before[2:] == tag[2:]:
                spans[-1]["end"] = match.end()
            elif tag != OUTSIDE:
                spans.append({"slot": tag[2:], "start": match.start(), "end": match.end()})
        return [{**span, "value": text[span["start"] : span["end"]]} for span in spans]


@cache
def model(folder: str = "trained") -> Model:
    """The model in a folder beside this file."""
    return Model(Path(__file__).parent / folder)


def located(variables: dict[str, Any], folder: str = "trained") -> dict[str, Any]:
    """The likeliest intent of `variables["text"]`, however unsure that is, and the slots with their places."""
    text = variables["text"]
    label, confidence = model(folder).intent(text)
    return {"intent": label, "confidence": round(confidence, 4), "slots": model(folder).slots(text, label)}


def predict(variables: dict[str, Any], folder: str = "trained") -> dict[str, Any]:
    """The intent, out of scope where it is too unsure, and the slots by their names."""
    answer = located(variables, folder)
    if answer["confidence"] < model(folder).threshold:
        return {**answer, "intent": OUT_OF_SCOPE, "slots": {}}
    return {**answer, "slots": {slot["slot"]: slot["value"] for slot in answer["slots"]}}


def first(variables: dict[str, Any]) -> dict[str, Any]:
    """`predict` by the model in `first`, which the guide on fine-tuning trains on a few cases."""
    return predict(variables, "first")


def tuned(variables: dict[str, Any]) -> dict[str, Any]:
    """`predict` by the model in `tuned`, which the guide trains on more of them."""
    return predict(variables, "tuned")

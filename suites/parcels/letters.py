"""A program that answers letters about parcels by their words, to compare language models with."""

from __future__ import annotations

ANSWERS = {
    "money": "We have transferred the money to your account today.",
    "parcel": "We are sorry. The parcel is lost; a new one leaves today and arrives on Thursday.",
}


def answer(vars: dict[str, str]) -> str:
    message = vars["message"].lower()
    return next((text for word, text in ANSWERS.items() if word in message), "We have received your message.")

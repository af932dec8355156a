"""A small HTTP server on loopback that answers at every address: a text of the script goes out as it is."""

from __future__ import annotations

from tests.helpers.fake_openai import FakeOpenAI, Step


class FakeHttp(FakeOpenAI):
    """The server. A script's function gets the decoded body, empty for a request without one."""

    root = ""
    lists_models = False

    def say(self, path: str, text: str) -> Step | None:
        return Step(text.encode())

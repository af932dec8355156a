"""A cache of answers, keyed by the hash of everything that shapes an answer, the repeat included.

A cached answer says nothing new about a model, so it never enters a gate's statistics.
"""

import json
from collections.abc import Mapping

from promptbench.core.canonical import digest_text, map_values
from promptbench.core.protocols import KeptAnswers
from promptbench.core.secrets import Secrets
from promptbench.core.types import Answer, CacheMode, Json, Request


class Cache:
    """One run's use of the stored answers.

    `shapes` holds what shapes the answers of each model besides the request; a model without it is never cached.
    """

    def __init__(self, mode: CacheMode, kept: KeptAnswers, shapes: Mapping[str, Json], secrets: Secrets) -> None:
        self._mode = mode
        self._kept = kept
        self._shapes = shapes
        self._secrets = secrets

    def find(self, request: Request) -> Answer | None:
        """Return the stored answer, None if a call is needed."""
        key = self._key(request) if self._mode is CacheMode.READ else None
        return None if key is None else self._kept.find(key)

    def keep(self, request: Request, answer: Answer) -> None:
        """Store an answer, unless it repeats a secret: masked it would be another answer."""
        key = self._key(request) if self._mode is not CacheMode.OFF else None
        if key is not None and self._secrets.mask_answer(answer) is answer:
            self._kept.keep(key, str(request.model), answer)

    def _key(self, request: Request) -> str | None:
        shape = self._shapes.get(str(request.model))
        return None if shape is None else key_of(request, shape)


def key_of(request: Request, shape: Json) -> str:
    """Return `sha256:<hex>` over the request and `shape`, what else shapes its answer.

    This is not the request's hash, which equates CRLF with LF and 1.50 with 1.5, and leaves out the variables behind a
    prompt: an endpoint that sees the prompt may receive them too.
    """
    return digest_text(
        json.dumps(
            {"request": request.as_dict(), "variables": map_values(request.variables, _as_written), "shape": shape},
            sort_keys=True,
        )
    )


def _as_written(value: Json) -> Json:
    # Return a fraction as its source text, distinct from any string.
    return {"number": str(value)} if isinstance(value, float) else value

"""Map failed HTTP calls to ProviderFailure: the kind, a message, and how long to wait.

Classified by status and base class, because the SDKs' own exception classes come and go.
"""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from promptbench.core.types import FailureKind, Json, ProviderFailure

_OUT_OF_CREDIT = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_error",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
    }
)
_LONGEST = 300


def _code_and_message(body: Json) -> tuple[str | None, str | None]:
    while isinstance(body, dict) and isinstance(body.get("error"), (dict, str)):
        body = body["error"]
    if isinstance(body, str):
        return None, body
    if not isinstance(body, dict):
        return None, None
    code = _first_text(body["details"] if isinstance(body.get("details"), dict) else {}, "error_code") or _first_text(
        body, "code", "type"
    )
    return code, _first_text(body, "message", "detail")


def _first_text(data: Mapping[str, Json], *names: str) -> str | None:
    return next((data[name] for name in names if isinstance(data.get(name), str)), None)


@dataclass(frozen=True, slots=True)
class CallTarget:
    """The model that was called, its host and the variable that holds the key, for messages."""

    model: str
    host: str
    key_variable: str
    secrets: tuple[str, ...]

    def clean(self, text: str) -> str:
        """Return a server's message in one line of bounded length, without the keys, which some servers echo."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        # JSON can carry a lone surrogate; neither a database nor a terminal can.
        text = text.encode("utf-8", "replace").decode()
        line = " ".join(text.split())
        return line if len(line) <= _LONGEST else line[:_LONGEST] + " …"


def from_status(target: CallTarget, status: int, headers: Mapping[str, str], body: Json) -> ProviderFailure:
    """Return the failure for an HTTP status other than 2xx. `body` is the decoded reply, None if it is not JSON.

    `refused` of the failure is the field of the request that the server names, by its own name.
    """
    code, message = _code_and_message(body)
    kind, sentence = _classify(target, status, code)
    detail = f": {target.clean(message)}" if message else ""
    return ProviderFailure(
        kind,
        f"{sentence} ({status}){detail}",
        status=status,
        retry_after=retry_after(headers),
        limits=rate_limits(headers),
        refused=_named_field(body),
    )


def error_body(kind: str, content: bytes) -> Json:
    """Return the body of an error as data, None if its content `kind` is not JSON, text if its JSON is broken."""
    try:
        return json.loads(content) if kind.endswith("json") else None
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")


def _named_field(body: Json) -> str | None:
    error = body.get("error", body) if isinstance(body, dict) else None
    return _first_text(error, "param") if isinstance(error, dict) else None


def decoded(target: CallTarget, content: bytes, kind: str, status: int = 200) -> Json:
    """Return a reply's body as plain data. Raises ProviderFailure if it is not JSON; `kind` is its content type."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise not_an_answer(
            target,
            "broken JSON" if kind.endswith("json") else f"'{kind}' instead of JSON" if kind else "no JSON",
            status,
        ) from None


def _classify(target: CallTarget, status: int, code: str | None) -> tuple[FailureKind, str]:
    model, host, variable = target.model, target.host, target.key_variable
    if code in _OUT_OF_CREDIT or status == 402:
        return FailureKind.FATAL, f"the account behind {variable} has no credit left for {model}"
    if status == 429:
        return FailureKind.RATE_LIMIT, f"{host} limits the rate of calls to {model}"
    if status >= 500 or status in (408, 409, 425):
        return FailureKind.TRANSIENT, f"{host} failed to answer for {model}"
    if status == 401:
        return FailureKind.FATAL, f"{host} refuses the key in {variable}; set {variable} to a valid key"
    if status == 403:
        return FailureKind.FATAL, f"the key in {variable} may not use {model}; ask for access, or use another key"
    if status == 404:
        return (
            FailureKind.FATAL,
            f"{host} does not know {model}; check the model's name, and the base URL if you set one",
        )
    if status in (400, 413, 415, 422):
        return FailureKind.REJECTED, f"{host} refuses this request to {model}"
    if 300 <= status < 400:
        return FailureKind.FATAL, f"{host} redirects elsewhere; set the base URL to the address that it redirects to"
    return FailureKind.REJECTED, f"{host} refuses this request to {model}"


def rate_limits(headers: Mapping[str, str]) -> dict[str, str] | None:
    """Return the rate-limit headers, names in lower case; None if there are none."""
    return {name.lower(): value for name, value in headers.items() if "ratelimit-" in name.lower()} or None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, from `retry-after-ms` or `retry-after` (seconds or an HTTP date); None if absent."""
    for text, unit in ((headers.get("retry-after-ms"), 0.001), (headers.get("retry-after"), 1.0)):
        if text is None:
            continue
        try:
            seconds = float(text) * unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - time.time()
            except (ValueError, OverflowError):
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def broken_connection(target: CallTarget, error: BaseException) -> ProviderFailure:
    """Return the failure for a connection that could not be made or broke. The innermost cause is the clearest."""
    cause = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    words = target.clean(str(cause)) or type(cause).__name__
    return ProviderFailure(FailureKind.TRANSIENT, f"the connection to {target.host} failed: {words}")


def timed_out(target: CallTarget, seconds: float) -> ProviderFailure:
    return ProviderFailure(FailureKind.TRANSIENT, f"no answer from {target.model} within {seconds:g} s")


def not_an_answer(target: CallTarget, what: str, status: int = 200) -> ProviderFailure:
    """Return the failure for a success status whose body is not a completion: a proxy's page, a broken stream."""
    return ProviderFailure(
        FailureKind.TRANSIENT, f"{target.host} answered {status} with {target.clean(what)}", status=status
    )

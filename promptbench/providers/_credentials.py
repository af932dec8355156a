"""Keys and addresses of providers that are reached by HTTP. Keys come from the environment only."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from promptbench.core.diagnostics import Code
from promptbench.core.protocols import Problem

PLACEHOLDER_KEY = "no-key"
"""Sent to servers on this machine that want no key: the SDK insists on some text."""


def read_key(environ: Mapping[str, str], variable: str) -> str | None:
    """The key without the line end that a CI secret is often pasted with, or None."""
    return environ.get(variable, "").strip() or None


def host(url: str) -> str:
    """The host and port of an address, never its user part; empty when it is no address."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return f"{name}:{port}" if port else name


def without_user(url: str) -> str:
    """The address without the name and password that may stand before its host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def is_loopback(url: str) -> bool:
    """Whether the address can only be this machine."""
    name = urlsplit(url).hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def key_problem(model: str, environ: Mapping[str, str], variable: str) -> Problem | None:
    """What is wrong with the key of `model` in the environment variable, with the line that mends it."""
    key = read_key(environ, variable)
    if key is None:
        return Problem(
            Code.MISSING_CREDENTIAL.name,
            f"{model} needs a key, and the environment variable {variable} is not set",
            f"in sh: export {variable}='your key'   in PowerShell: $env:{variable} = 'your key'",
            absent=variable,
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        return Problem(
            Code.MISSING_CREDENTIAL.name,
            f"the environment variable {variable} holds characters that no key has, such as spaces",
            f"set {variable} again to exactly the key that {model.partition('/')[0]} gave you",
        )
    return None


def address_problem(where: str, url: str) -> Problem | None:
    """What is wrong with an address; `where` says where it was written."""
    try:
        parts = urlsplit(url)
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        ok = False
    if ok:
        return None
    return Problem(
        Code.SETTINGS.name,
        f"{where} is not a web address that a model can be reached at",
        "write it in full, such as http://127.0.0.1:8080/v1",
    )

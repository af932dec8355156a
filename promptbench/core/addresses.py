"""Hosts in addresses: which servers a text names."""

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from promptbench.core.canonical import texts_in

# Where the providers themselves answer, with everything below these names.
_PROVIDERS = (
    "api.openai.com",
    "api.anthropic.com",
    "openai.azure.com",
    "cognitiveservices.azure.com",
    "services.ai.azure.com",
)


def host(url: str) -> str:
    """Return the host and port of an address, never its user part; empty if the address is invalid."""
    try:
        parts = urlsplit(url.strip())
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return f"{name}:{port}" if port else name


def hosts_in(value: Any) -> Iterator[str]:
    """Yield the hosts of all addresses in plain data."""
    return (host(text) for text in texts_in(value) if "://" in text)


def is_loopback(url: str) -> bool:
    """Return whether the address can only be this machine."""
    name = urlsplit(url).hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_providers_own(url: str) -> bool:
    """Return whether an address is one where a provider itself answers, by HTTPS."""
    name = host(url)
    return url.strip().lower().startswith("https:") and any(f".{name}".endswith(f".{known}") for known in _PROVIDERS)

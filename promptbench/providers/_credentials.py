"""Keys and addresses of HTTP providers. Keys come from the environment only."""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from promptbench.core.addresses import host
from promptbench.core.errors import Code
from promptbench.core.protocols import Problem, ProviderContext

PLACEHOLDER_KEY = "no-key"  # for servers that need no key: the SDK requires some text


def read_key(environ: Mapping[str, str], variable: str) -> str | None:
    """Return the key without the line end that pasted CI secrets often have; None if unset."""
    return environ.get(variable, "").strip() or None


def without_user(url: str) -> str:
    """Return the address without user name and password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def key_problem(model: str, context: ProviderContext, url: str, variable: str) -> Problem | None:
    """Return what is wrong with the key of `model` in a variable, or with sending it to `url`, and what to write."""
    key = read_key(context.environ, variable)
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
            f"the environment variable {variable} contains characters that no key has, such as spaces",
            f"set {variable} again to exactly the key that {model.partition('/')[0]} gave you",
        )
    if context.may_receive_key(url, variable):
        return None
    return Problem(
        Code.UNTRUSTED_ADDRESS.name,
        f"{model} would send {variable} to {host(url)}, which only the project's files name",
        f'if you trust it, write trusted-hosts = ["{host(url)}"] in your own settings (`promptbench doctor` names the '
        f"file), or set PROMPTBENCH_TRUSTED_HOSTS={host(url)}",
    )


def address_problem(where: str, url: str) -> Problem | None:
    """Return what is wrong with an address; `where` names the setting."""
    try:
        parts = urlsplit(url)
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        ok = False
    if ok:
        return None
    return Problem(
        Code.SETTINGS.name,
        f"{where} is not a valid HTTP address",
        "write it in full, such as http://127.0.0.1:8080/v1",
    )

"""One file per provider. Its SDK is imported by the first call."""

from promptbench.core.plugins import Plugins
from promptbench.plugins import ProviderSpec

plugins = Plugins("promptbench.providers", "providers", ProviderSpec)


def provider_spec(name: str) -> ProviderSpec:
    """Return the spec of a provider. Raises KeyError if it is unknown, EnvironmentFailure if it does not load."""
    return plugins.load(name)

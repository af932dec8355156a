"""One file is one provider; its SDK is imported when the first question is asked."""

from promptbench.core.plugins import Plugins

plugins = Plugins("promptbench.providers", "providers")

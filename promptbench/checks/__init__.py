"""One file is one check; its docstring is what people read about it."""

from promptbench.core.plugins import Plugins

plugins = Plugins("promptbench.checks", "checks")

"""The way to the models."""

from promptbench.gateway.circuit import ModelDown
from promptbench.gateway.gateway import Gateway, Reply, Try

__all__ = ["Gateway", "ModelDown", "Reply", "Try"]

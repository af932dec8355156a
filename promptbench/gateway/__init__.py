"""The way to the models."""

from promptbench.gateway.budget import Budget, BudgetReached
from promptbench.gateway.cache import Cache
from promptbench.gateway.circuit import ModelDown
from promptbench.gateway.gateway import Gateway, Reply, Stopped
from promptbench.gateway.limits import Pacer
from promptbench.gateway.price_file import PriceFile
from promptbench.gateway.prices import Market, Prices, listed

__all__ = [
    "Budget",
    "BudgetReached",
    "Cache",
    "Gateway",
    "Market",
    "ModelDown",
    "Pacer",
    "PriceFile",
    "Prices",
    "Reply",
    "Stopped",
    "listed",
]

"""Calls to models: cache, budget, rate limits, retries, outages and prices."""

from promptbench.gateway.budget import Budget, BudgetReached
from promptbench.gateway.cache import Cache
from promptbench.gateway.gateway import Gateway, Stopped
from promptbench.gateway.model_state import ModelDown
from promptbench.gateway.prices import Market, PriceFile, Prices, listed
from promptbench.gateway.rate_limiter import RateLimiter
from promptbench.gateway.reply import Reply

__all__ = [
    "Budget",
    "BudgetReached",
    "Cache",
    "Gateway",
    "Market",
    "ModelDown",
    "PriceFile",
    "Prices",
    "RateLimiter",
    "Reply",
    "Stopped",
    "listed",
]

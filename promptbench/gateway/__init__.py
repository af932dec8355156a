"""Calls to models: cache, budget, rate limits, retries, outages and prices."""

from promptbench.gateway.budget import Budget, BudgetReached
from promptbench.gateway.cache import Cache
from promptbench.gateway.gateway import Deferred, Gateway, Stopped
from promptbench.gateway.model_state import ModelDown
from promptbench.gateway.prices import BATCH_SHARE, Market, PriceFile, Prices, listed
from promptbench.gateway.rate_limiter import RateLimiter
from promptbench.gateway.reply import Reply

__all__ = [
    "BATCH_SHARE",
    "Budget",
    "BudgetReached",
    "Cache",
    "Deferred",
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

"""The part of a list that `--first`, `--sample` and `--seed` select."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from heapq import nsmallest
from itertools import islice
from typing import TypeVar

from promptbench.core.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subset:
    """The first items, or a random sample of them; all without either. A sample without a seed has the seed 0.

    Raises:
        InputError: the numbers exclude each other, or are below 1.
    """

    first: int | None = None
    sample: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.sample is not None:
            raise InputError("--first and --sample exclude each other", hint="leave one of them out")
        if self.seed is not None and self.sample is None:
            raise InputError("--seed needs --sample", hint="write --sample 20 --seed 1")
        if min(number for number in (self.first, self.sample, 1) if number is not None) < 1:
            raise InputError("--first and --sample select at least 1")

    @classmethod
    def read(cls, flags: Mapping[str, Sequence[str]]) -> Subset:
        """Return the subset that a run records among its flags."""
        return cls(**{name: int(flags[name][0]) for name in ("first", "sample", "seed") if name in flags})

    def __bool__(self) -> bool:
        return self != EVERYTHING

    def __str__(self) -> str:
        return f"the first {self.first}" if self.first else f"a sample of {self.sample}, seed {self.seed or 0}"

    def of(self, items: Iterable[T], name: Callable[[T], str]) -> Iterator[T]:
        """Yield the selected items in their order.

        Whether an item is in a sample depends on the hashes of the names alone, so items that are added later displace
        a few others at most, wherever in the list they are. A sample is yielded after the last item was read.
        """
        if self.sample is None:
            yield from islice(items, self.first)
            return

        def rank(item: tuple[int, T]) -> bytes:
            return blake2b(f"{self.seed or 0} {name(item[1])}".encode("utf-8", "surrogatepass")).digest()

        chosen = nsmallest(self.sample, enumerate(items), key=rank)
        yield from (item for _, item in sorted(chosen, key=lambda item: item[0]))

    @property
    def flags(self) -> dict[str, list[str]]:
        """The options that select it, by name, as a run records them."""
        return {name: [str(number)] for name, number in asdict(self).items() if number is not None}


EVERYTHING = Subset()

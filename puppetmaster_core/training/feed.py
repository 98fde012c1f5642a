"""Batches made ahead by threads while the model works, in order; and the randomness of each of their rows.

Everything that row r of step i draws comes from (seed, i, r): a killed run goes on exactly as if it had not been, and an update
is the same however many processes and rounds it is split over.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

Batch = dict[str, Tensor]


def row_rng(seed: int, step: int, row: int) -> np.random.Generator:
    """NumPy's generator for one row."""
    return np.random.default_rng([seed, step, row])


def row_generator(seed: int, step: int, row: int) -> torch.Generator:
    """PyTorch's generator for one row."""
    mixed = np.random.SeedSequence([seed, step, row, 1]).generate_state(1)[0]  # PyTorch's takes 32 bits of a seed
    return torch.Generator().manual_seed(int(mixed))


def row_noise(seed: int, step: int, rows: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise (rows, *shape)."""
    return torch.stack([torch.randn(shape, generator=row_generator(seed, step, row)) for row in rows])


def as_pictures(frames: Tensor) -> Tensor:
    """What `to_tensor` makes of arrays, of a tensor (…, H, W, 3) uint8 on any device: (…, 3, H, W) float32 in [−1, 1]."""
    return frames.movedim(-1, -3).float() / 127.5 - 1


class Feed:
    """Batches make(step, rows) for `jobs` in their order, up to `ahead` of them made before they are asked for.

    waited: seconds that were spent waiting for a batch. What `make` raises is raised where its batch is asked for.
    """

    def __init__(self, make: Callable[[int, range], Batch], jobs: Iterator[tuple[int, range]], workers: int = 2,
                 ahead: int | None = None):
        self.waited = 0.0
        self._make, self._jobs = make, jobs
        self._pool, self._pending = ThreadPoolExecutor(workers, "feed"), deque()
        for _ in range(ahead or 2 * workers):
            self._ask()

    def __next__(self) -> Batch:
        began = time.perf_counter()
        batch = self._pending.popleft().result()
        self.waited += time.perf_counter() - began
        self._ask()
        return batch

    def _ask(self) -> None:
        job = next(self._jobs, None)
        if job is not None:
            self._pending.append(self._pool.submit(self._make, *job))

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

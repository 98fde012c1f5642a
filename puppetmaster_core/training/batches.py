"""Batches made ahead by threads while the model works, in order; and the randomness of each of their rows.

Everything that row r of step i draws comes from (seed, i, r): a killed run goes on exactly as if it had not been, and an update
is the same however many processes and rounds it is split over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

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


def prefetch(make: Callable[[int, range], Batch], jobs: Iterator[tuple[int, range]], workers: int = 2) -> Iterator[Batch]:
    """Batches make(step, rows) of `jobs` in their order, twice as many as `workers` made before they are asked for."""
    with ThreadPoolExecutor(workers, "batches") as pool:
        pending = deque(pool.submit(make, *job) for job in islice(jobs, 2 * workers))
        try:
            while pending:
                batch = pending.popleft().result()
                pending.extend(pool.submit(make, *job) for job in islice(jobs, 1))
                yield batch
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

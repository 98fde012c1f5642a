"""Means over clips with 95 % intervals: percentile bootstraps over clips by scipy; a jackknife for FVD, which no clip has alone.

An interval is {"mean", "low", "high", "clips"}, None where no clip has the number. Only what is drawn from `generator` is random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import bootstrap

from puppetmaster_core.evaluation.perceptual import frechet_distance


def interval(values: Sequence[float | None], generator: np.random.Generator) -> dict | None:
    """Of the mean of the values that are there."""
    there = [v for v in values if v is not None and np.isfinite(v)]
    if not there:
        return None
    low, high = _bounds([there], np.mean, generator)
    return {"mean": float(np.mean(there)), "low": float(low), "high": float(high), "clips": len(there)}


def shares(counts: Sequence[Sequence[int]], generator: np.random.Generator) -> list[dict]:
    """Of pooled shares: counts has a row for each clip, some of its items' kinds and then the number of its items.

    A share for each kind, all of the same draws, with the number of "items"; clips that have none are left out. Empty
    where none has any.
    """
    table = np.array([row for row in counts if row[-1]], float)
    if not len(table):
        return []

    def pooled(*columns, axis=-1):
        return np.stack([kind.sum(axis) / columns[-1].sum(axis) for kind in columns[:-1]])

    low, high = _bounds(table.T, pooled, generator)
    return [{"mean": float(mean), "low": float(a), "high": float(b), "clips": len(table), "items": int(table[:, -1].sum())}
            for mean, a, b in zip(pooled(*table.T), low, high, strict=True)]


def fvd(pairs: Sequence[tuple]) -> dict | None:
    """Fréchet distance of features (own, true) of clips; interval: ±1.96 jackknife standard errors. None for fewer than 3 clips.

    A bootstrap would draw some clips twice, and fewer distinct clips make the distance larger: its interval would miss the value.
    """
    if len(pairs) < 3:
        return None
    own, true = (np.array(side, float) for side in zip(*pairs, strict=True))
    value, n = frechet_distance(own, true), len(pairs)
    without = np.array([frechet_distance(np.delete(own, i, 0), np.delete(true, i, 0)) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    return {"mean": value, "low": value - 1.96 * error, "high": value + 1.96 * error, "clips": n}


def minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def plain(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def _bounds(columns: Sequence, statistic: Callable, generator: np.random.Generator) -> tuple:
    """Lower and upper end for a statistic of clips, which have an element in each of the columns."""
    columns = [np.asarray(column, float) for column in columns]
    if len(columns[0]) == 1:
        return (statistic(*columns, axis=-1),) * 2
    found = bootstrap(columns, statistic, paired=True, vectorized=True, n_resamples=10_000, method="percentile", rng=generator)
    return found.confidence_interval

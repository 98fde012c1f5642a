"""What curating many assets would cost: a simulation from the measured costs of a few."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bill:
    """A simulated run."""

    assets: int
    cores: int
    hours: float  # from the first asset to the last
    core_hours: float  # of work
    dollars_cores: float
    dollars_judge: float

    @property
    def dollars(self) -> float:
        return self.dollars_cores + self.dollars_judge


def simulate(seconds: Sequence[float], assets: int, cores: int, *, dollars_a_core_hour: float, kept: float = 0.0,
             dollars_an_answer: float = 0.0, start: float = 5.0, seed: int = 0) -> Bill:
    """A run over `assets` assets with times drawn from the measured `seconds`, with replacement, each on the first free core.

    kept: judged animations an asset; start: seconds before a core does its first asset. A core that waits is paid for too.
    Raises ValueError where nothing was measured.
    """
    seconds = np.asarray([s for s in seconds if s is not None and np.isfinite(s)], float)
    if not len(seconds) or assets < 1 or cores < 1:
        raise ValueError(f"got {len(seconds)} measured times, {assets} assets and {cores} cores, expected one of each at least")
    drawn = np.random.default_rng(seed).choice(seconds, assets)
    free = [start] * min(cores, assets)
    for one in drawn:
        heapq.heapreplace(free, free[0] + one)
    hours = max(free) / 3600
    return Bill(assets, cores, hours, float(drawn.sum()) / 3600, hours * cores * dollars_a_core_hour,
                assets * kept * dollars_an_answer)


def seconds_an_asset(assets: Sequence[Mapping], animations: Sequence[Mapping]) -> list[float]:
    """A core's seconds for each asset of a run's tables, to read it and to measure all of its animations.

    What was not read is left out. Not by the clock: what else a machine did meanwhile is no cost of the asset's.
    """
    out = {row["number"]: row["cpu_seconds"] for row in assets if row["cpu_seconds"] is not None}
    for row in animations:
        if row["number"] in out:
            out[row["number"]] += row["cpu_seconds"] or 0.0
    return list(out.values())


def answers_cost(bill: Mapping, dollars_in: float, dollars_out: float) -> float:
    """Dollars an answer, from a run's bill and the prices of a million tokens. Raises ValueError where nobody answered."""
    if not bill["answers"]:
        raise ValueError("got a bill without answers, expected one to know what they cost")
    return (bill["tokens_in"] * dollars_in + bill["tokens_out"] * dollars_out) / 1e6 / bill["answers"]

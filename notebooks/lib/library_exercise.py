"""The exercise of the chapter on the procedural library: which kind of bad animation is it?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lib.exercises import WAITING
from puppetmaster_core.assets.library import make_asset

KINDS = ("static", "translation", "spin", "scaling")


def judge(answer: Callable[[np.ndarray], str] | None, seeds: int = 5) -> str:
    """How many of 4 · `seeds` animations `answer` names rightly, given their vertices over time (N, V, 3)."""
    if answer is None:
        return WAITING
    wrong = []
    for seed in range(100, 100 + seeds):
        for kind in KINDS:
            asset = make_asset(kind, seed)
            said = answer(asset.trajectories(0, asset.sample_times(0, 9)))
            if said not in KINDS:
                return f"{said!r} came, wanted one of {', '.join(KINDS)}."
            if said != kind:
                wrong.append(f"{kind} {seed} is not {said}")
    total = seeds * len(KINDS)
    return f"All {total} are right." if not wrong else f"{total - len(wrong)} of {total} are right; {wrong[0]}."

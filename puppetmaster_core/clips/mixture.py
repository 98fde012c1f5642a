"""The training mixture of App. C.1: which clip comes next, in an order that the seed alone decides.

Draw number i is the same whether one process makes all draws, several share them, or a stopped run goes on from i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets import asset_source

# App. C.1: p(Drag-a-Move), then Objaverse-Animation-HQ by GObjaverse's category. Our procedural furniture stands for
# Drag-a-Move, which is not ours to ship.
WEIGHTS = {"Drag-a-Move": 0.3, "Human-Shape": 0.25, "Animals": 0.25, "Daily-Used": 0.05, "Other": 0.15}
BLOCK = 4096  # draws made at once


def group_of(category: str, provenance: Mapping | None = None) -> str:
    """The group of WEIGHTS that an asset of `category`, a label of GObjaverse's, belongs to.

    provenance: of the asset. Furniture made here (its "source" is "procedural:…") counts as Drag-a-Move; furniture from
    elsewhere is one of Objaverse-Animation-HQ's other categories.
    """
    provenance = provenance or {}
    maker, _, kind = str(provenance.get("source", "")).partition(":")
    ours = maker == "procedural" and provenance.get("shape", kind) in ("cabinet", *asset_source().GROUPS["furniture"])
    if ours or category == "Drag-a-Move":
        return "Drag-a-Move"
    return category if category in WEIGHTS else "Other"


@dataclass(frozen=True)
class Mixture:
    """Clips by group, drawn in proportion to WEIGHTS; within a group each clip is as likely (with replacement)."""

    members: dict[str, np.ndarray]  # clip numbers of each group that has some; the others give their weight to these
    seed: int = 0

    @classmethod
    def of(cls, groups: Sequence[str], seed: int = 0) -> Mixture:
        """The mixture of clips 0 … n − 1 whose groups are `groups`: `Mixture.of(store.column("group"))`. Raises ValueError
        where none is of a group in WEIGHTS."""
        groups = np.asarray(groups)
        members = {name: own for name in WEIGHTS if len(own := np.flatnonzero(groups == name))}
        if not members:
            raise ValueError(f"got no clips of {', '.join(WEIGHTS)}: render some")
        return cls(members, seed)

    def draws(self, first: int, number: int) -> np.ndarray:
        """The clips (number,) of draws first … first + number − 1."""
        blocks = [self._block(b) for b in range(first // BLOCK, -(-(first + number) // BLOCK))]
        start = first % BLOCK
        return np.concatenate([*blocks, np.empty(0, int)])[start : start + number].astype(int)

    def _block(self, number: int) -> np.ndarray:
        """Draws number · BLOCK … (number + 1) · BLOCK − 1."""
        rng = np.random.default_rng([self.seed, number])
        names = list(self.members)
        share = np.array([WEIGHTS[name] for name in names])
        groups = rng.choice(len(names), BLOCK, p=share / share.sum())
        places = rng.random(BLOCK)
        clips = np.empty(BLOCK, int)
        for g, name in enumerate(names):
            own = groups == g
            clips[own] = self.members[name][(places[own] * len(self.members[name])).astype(int)]
        return clips

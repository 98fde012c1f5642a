"""The training mixture of App. C.1: which clip comes next, in an order that the seed alone decides.

Draw number i is the same whether one process makes all draws, several share them, or a stopped run goes on from i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    """Clips by group, drawn in proportion to the weights; within a group each clip is as likely (with replacement)."""

    members: dict[str, np.ndarray]  # clip numbers of each group
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    seed: int = 0

    def __post_init__(self):
        empty = [name for name, weight in self.weights.items() if weight > 0 and not len(self.members.get(name, ()))]
        if empty:
            raise ValueError(f"got no clips of {', '.join(empty)}: render some, or take Mixture.of(…, allow_missing=True)")
        if not sum(self.weights.values()) > 0 or min(self.weights.values()) < 0:
            raise ValueError(f"got the weights {self.weights}, expected shares of at least 0, some of them more")

    @classmethod
    def of(cls, groups: Sequence[str], weights: Mapping[str, float] = WEIGHTS, seed: int = 0, *,
           allow_missing: bool = False) -> Mixture:
        """The mixture of clips 0 … n − 1 whose groups are `groups`: `Mixture.of(store.column("group"))`.

        allow_missing: groups without clips give their weight to the others, in proportion. Raises ValueError.
        """
        groups = np.asarray(groups)
        members = {name: np.flatnonzero(groups == name) for name in weights}
        kept = {name: weight for name, weight in weights.items() if len(members[name]) or not allow_missing}
        return cls(members, kept, seed)

    def draws(self, first: int, number: int) -> np.ndarray:
        """The clips (number,) of draws first … first + number − 1."""
        blocks = [self._block(b) for b in range(first // BLOCK, -(-(first + number) // BLOCK))]
        start = first % BLOCK
        return np.concatenate([*blocks, np.empty(0, int)])[start : start + number].astype(int)

    def _block(self, number: int) -> np.ndarray:
        """Draws number · BLOCK … (number + 1) · BLOCK − 1."""
        rng = np.random.default_rng([self.seed, number])
        names = list(self.weights)
        share = np.array([self.weights[name] for name in names])
        groups = rng.choice(len(names), BLOCK, p=share / share.sum())
        places = rng.random(BLOCK)
        clips = np.empty(BLOCK, int)
        for g, name in enumerate(names):
            own = groups == g
            clips[own] = self.members[name][(places[own] * len(self.members[name])).astype(int)]
        return clips

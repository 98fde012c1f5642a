"""A glTF asset that can be asked where its vertices are: nodes, skins and morph targets evaluated in numpy.

Letters: V vertices, N nodes, K influences of a vertex, R rows of the table of matrices, M morph targets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset
from puppetmaster_core.assets.gltf.animation import Animation
from puppetmaster_core.assets.gltf.errors import AssetError
from puppetmaster_core.assets.gltf.nodes import NodeTree
from puppetmaster_core.assets.gltf.parts import Skin


@dataclass(frozen=True)
class Influences:
    """Vertices that the same number of matrices moves."""

    vertices: np.ndarray | slice  # which ones
    rows: np.ndarray  # (V, K) int64 into the table of matrices
    weights: np.ndarray | None  # (V, K); None = K is 1 and the weight too


@dataclass(frozen=True)
class Morph:
    """Vertices that a node's morph weights move."""

    vertices: slice
    node: int
    targets: np.ndarray  # (M, V, 3)
    weights: np.ndarray  # (M,) at rest


@dataclass
class GltfAsset(AnimatedAsset):
    """An asset read from a glTF file. `report` lists what was mended or left out on the way, [] for a sound file."""

    report: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what the report is about: of errors.KINDS
    tree: NodeTree = None
    animations: list[Animation] = field(default_factory=list)  # as many as clips
    positions: np.ndarray = None  # (V, 3) float64 in each mesh's own space
    rigid: np.ndarray = None  # nodes that move vertices by themselves: their matrices head the table
    skins: list[Skin] = field(default_factory=list)  # their joints' matrices follow in the table
    influences: list[Influences] = field(default_factory=list)
    morphs: list[Morph] = field(default_factory=list)

    def vertices(self, clip: int | str, t: float) -> np.ndarray:
        """Positions (V, 3) float64 of all vertices of animation `clip` at `t` seconds, in the scene's space.

        Vertex v is the same point of the surface at all times. Before the first key and after the last the pose rests.
        Raises ValueError for a clip that is not there, AssetError where the file's numbers overflow.
        """
        animation = self.animations[self.clip_index(clip)]
        t = float(t)
        if not np.isfinite(t):
            raise ValueError(f"got time {t}, expected seconds: 0 to {animation.duration:g} for this animation")
        with np.errstate(all="ignore"):  # what overflows is found at the end
            tree = self.tree.without_matrices(animation.nodes)
            positions = self._pose(tree.world(*animation.pose(tree, t)), animation.weights_at(t))
        if not np.isfinite(positions).all():
            raise AssetError(f"animation {clip!r} at {t:g} s puts vertices at places that are not finite: leave it out")
        return positions

    def rest(self) -> np.ndarray:
        """Positions (V, 3) float64 of all vertices as the file stands, before any animation."""
        with np.errstate(all="ignore"):
            return self._pose(self.tree.rest(), {})

    def _pose(self, world: np.ndarray, weights: dict[int, np.ndarray]) -> np.ndarray:
        positions = self._morphed(weights)
        table = np.concatenate([world[self.rigid], *(world[s.joints] @ s.inverse_bind for s in self.skins)])[:, :3]
        out = np.empty_like(positions)
        for some in self.influences:
            matrices = blend(table, some.rows, some.weights)
            out[some.vertices] = np.einsum("vij,vj->vi", matrices[:, :, :3], positions[some.vertices]) + matrices[:, :, 3]
        return out

    def _morphed(self, weights: dict[int, np.ndarray]) -> np.ndarray:
        """Positions (V, 3) with the morph targets added (glTF 2.0, section 3.7.2.2)."""
        if not self.morphs:
            return self.positions
        positions = self.positions.copy()
        for morph in self.morphs:
            own = weights.get(morph.node, morph.weights)
            used = np.flatnonzero(own)
            if len(used):
                targets = morph.targets if len(used) == len(own) else morph.targets[used]
                positions[morph.vertices] += np.tensordot(own[used], targets, 1)
        return positions


def blend(table: np.ndarray, rows: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The matrix (V, 3, 4) of each vertex: Σ_k weights[v, k] · table[rows[v, k]] (glTF 2.0, section 3.7.3.3)."""
    if weights is None:
        return table[rows[:, 0]]
    flat = table.reshape(len(table), 12)
    total = weights[:, :1] * flat[rows[:, 0]]
    for k in range(1, rows.shape[1]):
        total += weights[:, k:k + 1] * flat[rows[:, k]]
    return total.reshape(-1, 3, 4)

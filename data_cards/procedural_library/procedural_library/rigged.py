"""What the library makes: a tree of nodes with keyed animation, rigid parts, skinned parts and morphing parts.

It means what the same things mean in glTF 2.0, so that an asset moves in memory as it does from its file.
Letters: V vertices, F triangles, N times, J bones, T morph targets, K keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from procedural_library.turns import STILL, matrices, slerp
from puppetmaster_core.assets import AnimatedAsset


@dataclass(frozen=True)
class Node:
    """A place that things hang on, with its rest pose relative to its parent."""

    name: str
    parent: int  # index into nodes, smaller than the node's own; -1 = none
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float, float] = STILL
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Channel:
    """One keyed property. `target` is a node, for "weights" a part."""

    target: int
    path: str  # "translation", "rotation", "scale" or "weights"
    times: np.ndarray  # (K,) float32 seconds, rising
    values: np.ndarray  # (K, C) float32
    interpolation: str = "LINEAR"  # or "STEP"

    def at(self, times: np.ndarray) -> np.ndarray:
        """Values (N, C) at `times` (N,); before the first key and after the last one these keys' own."""
        keys, values = self.times.astype(float), self.values.astype(float)
        i = np.clip(np.searchsorted(keys, times, side="right") - 1, 0, len(keys) - 1)
        j = np.minimum(i + 1, len(keys) - 1)
        if self.interpolation == "STEP":
            return values[i]
        u = np.clip((times - keys[i]) / np.where(j > i, keys[j] - keys[i], 1.0), 0.0, 1.0)
        if self.path == "rotation":
            return slerp(values[i], values[j], u)
        return values[i] + u[:, None] * (values[j] - values[i])


@dataclass(frozen=True)
class Surface:
    """A run of vertices and triangles with one part, material and shading: a primitive of glTF."""

    part: int
    material: int
    smooth: bool
    vertices: slice
    faces: slice


@dataclass(frozen=True)
class Part:
    """A sub-model: rigid on `node`, or skinned to `bones`, or morphing on `node`."""

    name: str
    node: int
    vertices: slice
    bones: tuple[int, ...] = ()  # nodes; empty = rigid
    influences: np.ndarray | None = None  # (V, 4) int, indices into bones
    weights: np.ndarray | None = None  # (V, 4) float32, sum 1
    morphs: np.ndarray | None = None  # (T, V, 3) float32 displacements


@dataclass
class RiggedAsset(AnimatedAsset):
    """An asset of the library. `rest` is relative to a part's node, for skinned parts to the first node."""

    nodes: list[Node] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    surfaces: list[Surface] = field(default_factory=list)
    rest: np.ndarray = None  # (V, 3) float32
    vertex_uv: np.ndarray = None  # (V, 2) float32

    def vertices(self, clip: int | str, t: float) -> np.ndarray:
        """Positions (V, 3) float64 at time `t` seconds; before the first key and after the last one these keys' own."""
        return self.trajectories(clip, np.array([t]))[0]

    def trajectories(self, clip: int | str, times: np.ndarray) -> np.ndarray:
        """Vertices (N, V, 3) float64 at all `times` (N,) seconds at once: what `vertices` gives, some ten times faster."""
        self.clip_index(clip)
        return self._posed(np.asarray(times, float), self.channels)

    def rest_positions(self) -> np.ndarray:
        """Vertices (V, 3) with nothing animated."""
        return self._posed(np.zeros(1), [])[0]

    @property
    def moving(self) -> list[str]:
        """Names of the parts that have a changing channel on them or above them, bones included."""
        stirred = {c.target for c in self.channels if c.path != "weights" and np.ptp(c.values, axis=0).max() > 0}
        shaped = {c.target for c in self.channels if c.path == "weights" and np.ptp(c.values, axis=0).max() > 0}
        for i, node in enumerate(self.nodes):
            if node.parent in stirred:
                stirred.add(i)
        return [part.name for p, part in enumerate(self.parts)
                if p in shaped or stirred.intersection(part.bones or (part.node,))]

    def _posed(self, times: np.ndarray, channels: list[Channel]) -> np.ndarray:
        world = self._worlds(times, channels)
        weights = {c.target: c.at(times) for c in channels if c.path == "weights"}
        out = np.empty((len(times), len(self.rest), 3))
        for p, part in enumerate(self.parts):
            local = self.rest[part.vertices].astype(float)
            if part.morphs is not None and p in weights:
                local = local + np.einsum("nt,tvc->nvc", weights[p], part.morphs)
            if part.bones:
                out[:, part.vertices] = self._skinned(part, local, world)
            else:
                m = world[:, part.node]
                out[:, part.vertices] = local @ m[:, :3, :3].transpose(0, 2, 1) + m[:, None, :3, 3]
        return out

    def _worlds(self, times: np.ndarray, channels: list[Channel]) -> np.ndarray:
        """World matrices (N, nodes, 4, 4)."""
        keyed = {(c.target, c.path): c.at(times) for c in channels if c.path != "weights"}
        world = np.zeros((len(times), len(self.nodes), 4, 4))
        for i, node in enumerate(self.nodes):
            t, r, s = (keyed.get((i, path), np.asarray(getattr(node, path), float)[None])
                       for path in ("translation", "rotation", "scale"))
            local = np.zeros((len(times), 4, 4))
            local[:, :3, :3] = matrices(r) * s[:, None]
            local[:, :3, 3], local[:, 3, 3] = t, 1.0
            world[:, i] = local if node.parent < 0 else world[:, node.parent] @ local
        return world

    def bind_places(self) -> np.ndarray:
        """Where each node rests (nodes, 3) below the first one; no node of a skeleton is turned or scaled at rest."""
        places = np.zeros((len(self.nodes), 3))
        for i, node in enumerate(self.nodes):
            if node.parent >= 0:
                places[i] = places[node.parent] + np.float32(node.translation)
        return places

    def _skinned(self, part: Part, local: np.ndarray, world: np.ndarray) -> np.ndarray:
        """Linear blend skinning: Σ w_j · M_j · B_j · v, where B_j takes bone j's resting place to the origin."""
        bones = world[:, list(part.bones), :3]  # (N, J, 3, 4)
        places = self.bind_places()[list(part.bones)].astype(np.float32).astype(float)
        bones = np.concatenate([bones[..., :3], bones[..., 3:] - bones[..., :3] @ places[:, :, None]], -1)
        dense = np.zeros((len(part.weights), len(part.bones)))
        np.add.at(dense, (np.arange(len(dense))[:, None], part.influences), part.weights)
        blended = (dense @ bones.reshape(len(world), len(part.bones), 12)).reshape(len(world), -1, 3, 4)
        return np.einsum("nvij,...vj->nvi", blended[..., :3], local) + blended[..., 3]

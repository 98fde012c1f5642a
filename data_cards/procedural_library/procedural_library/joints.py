"""Rigid parts on joints: drawers slide, doors turn.

Letters: J joints, V vertices. Angles in radians, lengths in the asset's units.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from puppetmaster_core.assets import AnimatedAsset


@dataclass(frozen=True)
class Joint:
    """How one sub-model moves: along `axis` ("prismatic"), about `axis` through `origin` ("revolute"), or "fixed".

    `start` and `end` are the joint's positions at the beginning and the end of the animation.
    """

    kind: str
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    start: float = 0.0
    end: float = 0.0

    def __post_init__(self):
        if self.kind not in ("fixed", "prismatic", "revolute"):
            raise ValueError(f"got joint kind {self.kind!r}, expected 'fixed', 'prismatic' or 'revolute': use one of them")

    @property
    def moves(self) -> bool:
        return self.kind != "fixed" and self.start != self.end

    def apply(self, points: np.ndarray, q: float) -> np.ndarray:
        """Move rest-pose `points` (V, 3) to joint position `q`."""
        if self.kind == "fixed":
            return points
        axis = np.asarray(self.axis, dtype=np.float64)
        if self.kind == "prismatic":
            return points + q * axis
        x, y, z = axis
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        rotation = np.eye(3) + np.sin(q) * cross + (1 - np.cos(q)) * cross @ cross  # Rodrigues
        return (points - self.origin) @ rotation.T + self.origin


@dataclass
class ArticulatedAsset(AnimatedAsset):
    """An asset of rigid sub-models, one joint each; its one animation drives every joint from `start` to `end`."""

    rest: np.ndarray = None  # (V, 3) float64, vertices with every joint at 0
    vertex_submodel: np.ndarray = None  # (V,) int32
    joints: list[Joint] = field(default_factory=list)  # one per sub-model
    easing: str = "linear"  # "linear" or "smooth" (slow start and stop)

    def progress(self, clip: int | str, t: float) -> float:
        """How far along its travel every joint is at time t, from 0 to 1."""
        s = float(np.clip(t / self.clips[self.clip_index(clip)].duration, 0.0, 1.0))
        return s if self.easing == "linear" else s * s * (3 - 2 * s)

    def vertices(self, clip: int | str, t: float) -> np.ndarray:
        return self.pose(np.full(len(self.joints), self.progress(clip, t)))

    def pose(self, progress: np.ndarray) -> np.ndarray:
        """Vertices (V, 3) with joint j at `start + progress[j]·(end − start)`; progress (J,) may leave [0, 1].

        Negative progress is motion against the animation: evaluation uses it to ask which way a part went.
        """
        out = np.empty_like(self.rest)
        for j, joint in enumerate(self.joints):
            own = self.vertex_submodel == j
            out[own] = joint.apply(self.rest[own], joint.start + progress[j] * (joint.end - joint.start))
        return out

    @property
    def moving(self) -> list[int]:
        """The sub-models whose joint moves in the animation."""
        return [j for j, joint in enumerate(self.joints) if joint.moves]

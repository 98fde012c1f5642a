"""Known corruptions of good animations: labels whose truth is known, for the forest (REFERENCE: no manual labels are public).

Each takes an animation's own motion away and puts in what its name says, as the library's bad animations do, but for any asset,
read from a file or made. Letters: V vertices, S sub-models.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from puppetmaster_core.assets.asset import AnimatedAsset, AnimationClip

Motion = Callable[[np.ndarray, float], np.ndarray]  # (vertices at the frozen moment, share of the clip) → vertices


@dataclass
class Corrupted(AnimatedAsset):
    """An asset with one animation, whose vertices a motion moves."""

    base: AnimatedAsset = None
    clip: int = 0
    motion: Callable[[float], np.ndarray] = None  # share of the clip → vertices (V, 3)

    def vertices(self, clip: int | str, t: float) -> np.ndarray:
        self.clip_index(clip)
        return self.motion(float(np.clip(t / self.clips[0].duration, 0, 1)))


def corrupt(asset: AnimatedAsset, clip: int | str, kind: str, seed: int = 0) -> Corrupted:
    """Animation `clip` of an asset, spoilt in the way `kind` of CORRUPTIONS. Raises ValueError.

    Explode needs three sub-models; the frozen moment, axes, ways and speeds are drawn from `seed`.
    """
    if kind not in CORRUPTIONS:
        raise ValueError(f"got corruption {kind!r}, expected one of {', '.join(CORRUPTIONS)}")
    index = asset.clip_index(clip)
    duration = asset.clips[index].duration
    rng = np.random.default_rng([zlib.crc32(kind.encode()), seed])
    motion = CORRUPTIONS[kind](rng, asset, index, duration)
    return Corrupted(asset.faces, asset.uv, asset.material, asset.submodel, asset.materials, asset.submodels,
                     [AnimationClip(kind, duration)], asset.category, {**asset.provenance, "kind": kind, "good": False},
                     asset.smooth, asset.colors, asset.emission_uv, base=asset, clip=index, motion=motion)


def _frozen(rng: np.random.Generator, asset: AnimatedAsset, clip: int, duration: float) -> np.ndarray:
    """One pose of the animation."""
    return asset.vertices(clip, float(rng.random() * duration))


def _extent(vertices: np.ndarray) -> float:
    return float(np.ptp(vertices, axis=0).max()) or 1.0


def _way(rng: np.random.Generator) -> np.ndarray:
    way = rng.normal(size=3)
    return way / np.linalg.norm(way)


def _profile(rng: np.random.Generator) -> Callable[[float], float]:
    """From 0 to 1, evenly or slow at both ends, or there and back."""
    kind = rng.integers(3)
    return (lambda s: s, lambda s: s * s * (3 - 2 * s), lambda s: np.sin(np.pi * s))[kind]


def static(rng, asset, clip, duration):
    """Nothing moves."""
    pose = _frozen(rng, asset, clip, duration)
    return lambda s: pose


def tiny(rng, asset, clip, duration):
    """A hundredth or less of its own motion."""
    first, share = asset.vertices(clip, 0.0), 10 ** rng.uniform(-4, -2)
    return lambda s: first + share * (asset.vertices(clip, s * duration) - first)


def translation(rng, asset, clip, duration):
    """The whole object glides."""
    pose, go = _frozen(rng, asset, clip, duration), _profile(rng)
    way = _way(rng) * rng.uniform(0.4, 2.5) * _extent(pose)
    return lambda s: pose + go(s) * way


def spin(rng, asset, clip, duration):
    """The whole object turns about an axis through its middle."""
    pose, go = _frozen(rng, asset, clip, duration), _profile(rng)
    middle = (pose.min(0) + pose.max(0)) / 2
    axis = np.array((0, 1, 0)) if rng.random() < 0.75 else _way(rng)
    angle = rng.choice([-1, 1]) * rng.uniform(0.7, 2 * np.pi)
    return lambda s: (pose - middle) @ Rotation.from_rotvec(axis * angle * go(s)).as_matrix().T + middle


def scaling(rng, asset, clip, duration):
    """The whole object swells or shrinks, in all directions or in one."""
    pose, go = _frozen(rng, asset, clip, duration), _profile(rng)
    middle = (pose.min(0) + pose.max(0)) / 2
    end = rng.uniform(1.4, 3.0) if rng.random() < 0.5 else rng.uniform(0.02, 0.6)
    axes = np.ones(3) if rng.random() < 0.75 else np.eye(3)[rng.integers(3)]
    return lambda s: (pose - middle) * end ** (go(s) * axes) + middle


def explode(rng, asset, clip, duration):
    """The sub-models fly apart, some turning as they go, or come together from afar."""
    part = _vertex_parts(asset)
    if part.max() < 2:
        raise ValueError(f"got {part.max() + 1} sub-models, expected 3 or more to fly apart")
    pose, go = _frozen(rng, asset, clip, duration), _profile(rng)
    back, size = rng.random() < 0.25, _extent(pose)
    moves = [(_way(rng) * rng.uniform(0.5, 2.0) * size, _way(rng) * rng.uniform(0.5, 5) * (rng.random() < 0.6))
             for _ in range(part.max() + 1)]
    own = [np.flatnonzero(part == p) for p in range(part.max() + 1)]

    def motion(s: float) -> np.ndarray:
        share, out = (1 - go(s) if back else go(s)), pose.copy()
        for vertices, (way, turn) in zip(own, moves, strict=True):
            middle = pose[vertices].mean(0)
            out[vertices] = (pose[vertices] - middle) @ Rotation.from_rotvec(turn * share).as_matrix().T + middle + way * share
        return out

    return motion


def teleport(rng, asset, clip, duration):
    """The whole object, or one sub-model, jumps from place to place with nothing between."""
    pose, part = _frozen(rng, asset, clip, duration), _vertex_parts(asset)
    chosen = part == rng.integers(part.max() + 1) if part.max() > 0 and rng.random() < 0.5 else np.ones(len(part), bool)
    jumps = int(rng.integers(2, 5))
    places = np.concatenate([np.zeros((1, 3)), rng.normal(size=(jumps, 3)) * rng.uniform(0.2, 0.8) * _extent(pose)])
    return lambda s: pose + np.outer(chosen, places[min(int(s * len(places)), jumps)])


def jitter(rng, asset, clip, duration):
    """The whole object, or each sub-model by itself, trembles at random: a new place at every one of 49 keys."""
    pose, part = _frozen(rng, asset, clip, duration), _vertex_parts(asset)
    together = part.max() == 0 or rng.random() < 0.3
    keys = rng.normal(size=(49, 1 if together else part.max() + 1, 3)) * _extent(pose) * rng.uniform(0.02, 0.15)
    which = np.zeros(len(part), int) if together else part

    def motion(s: float) -> np.ndarray:
        early, share = min(int(s * 48), 47), s * 48 - min(int(s * 48), 47)
        return pose + ((1 - share) * keys[early] + share * keys[early + 1])[which]

    return motion


def _vertex_parts(asset: AnimatedAsset) -> np.ndarray:
    """The sub-model (V,) of each vertex, counted from 0 without gaps; vertices that no triangle uses are of the first."""
    count = int(asset.faces.max()) + 1
    part = np.zeros(max(count, len(asset.vertices(0, 0.0))), int)
    part[asset.faces] = np.unique(asset.submodel, return_inverse=True)[1].reshape(-1, 1)
    return part


CORRUPTIONS: dict[str, Callable] = {f.__name__: f for f in (static, tiny, translation, spin, scaling, explode, teleport, jitter)}

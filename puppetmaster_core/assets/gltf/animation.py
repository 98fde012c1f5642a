"""Animations: the file's channels made into tracks, and the pose of the node tree at a time (glTF 2.0, 3.11 and Appendix C).

Letters: N nodes, C channels of one kind, k keys of a channel, W numbers a key, M morph targets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.document import CHANNEL, SAMPLER, checked, short
from puppetmaster_core.assets.gltf.errors import MOTION, Report, damaged
from puppetmaster_core.assets.gltf.nodes import NodeTree, unit

PATHS = {"translation": ("VEC3", 3), "rotation": ("VEC4", 4), "scale": ("VEC3", 3)}
MODES = ("STEP", "LINEAR", "CUBICSPLINE")


@dataclass(frozen=True)
class Keys:
    """One channel: times (k,) rising, values (k, W), and for CUBICSPLINE its tangents (k, W), else zeros."""

    node: int
    mode: str  # of MODES
    times: np.ndarray
    values: np.ndarray
    incoming: np.ndarray
    outgoing: np.ndarray


class Tracks:
    """Many channels of one kind laid end to end, so that one look-up serves them all."""

    def __init__(self, channels: list[Keys], *, rotation: bool = False):
        self.rotation = rotation
        self.nodes = np.array([c.node for c in channels], np.int64)
        self.mode = np.array([MODES.index(c.mode) for c in channels])
        self.times, self.values, self.incoming, self.outgoing = (
            np.concatenate([getattr(c, name) for c in channels]) for name in ("times", "values", "incoming", "outgoing"))
        self.count = np.array([len(c.times) for c in channels])
        self.first = np.concatenate([[0], np.cumsum(self.count)[:-1]])

    def at(self, t: float) -> np.ndarray:
        """Values (C, W) at time `t` seconds; before its first key and after its last a channel rests at that key."""
        passed = np.add.reduceat(self.times <= t, self.first, dtype=np.int64)
        before = self.first + np.maximum(passed - 1, 0)
        after = self.first + np.minimum(passed, self.count - 1)
        span = self.times[after] - self.times[before]
        p = np.divide(t - self.times[before], span, out=np.zeros(len(span)), where=span > 0)[:, None]
        p = np.where(self.mode[:, None] == MODES.index("STEP"), 0.0, p)
        a, b = self.values[before], self.values[after]
        value = slerp(a, b, p) if self.rotation else a + p * (b - a)
        cubic = self.mode == MODES.index("CUBICSPLINE")
        if cubic.any():
            spline = hermite(a, b, span[:, None] * self.outgoing[before], span[:, None] * self.incoming[after], p)
            if self.rotation:
                length = np.linalg.norm(spline, axis=-1, keepdims=True)
                spline = np.where(length > 1e-12, spline / np.where(length > 1e-12, length, 1), a)
            value[cubic] = spline[cubic]
        return value


def hermite(a, b, leaving, arriving, p):
    """The cubic from `a` to `b` with these derivatives over p in [0, 1] (glTF 2.0, C.5)."""
    p2, p3 = p * p, p * p * p
    return (2 * p3 - 3 * p2 + 1) * a + (p3 - 2 * p2 + p) * leaving + (3 * p2 - 2 * p3) * b + (p3 - p2) * arriving


def slerp(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Unit quaternions (C, 4) a share p (C, 1) of the way from `a` to `b`, the short way round (glTF 2.0, C.4)."""
    cosine = (a * b).sum(-1, keepdims=True)
    b = np.where(cosine < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    sine = np.sin(angle)
    near = sine < 1e-6  # so close that a straight line is exact
    safe = np.where(near, 1.0, sine)
    mixed = np.where(near, 1 - p, np.sin((1 - p) * angle) / safe) * a + np.where(near, p, np.sin(p * angle) / safe) * b
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Animation:
    """One clip of a file."""

    name: str
    duration: float  # seconds, the last key's time
    moves: dict[str, Tracks]  # by path: "translation", "rotation", "scale"
    weights: list[Tracks] = field(default_factory=list)  # one per node whose morph weights change

    @property
    def nodes(self) -> set[int]:
        """The nodes whose place the clip sets."""
        return {int(n) for tracks in self.moves.values() for n in tracks.nodes}

    @property
    def modes(self) -> list[str]:
        """The kinds of interpolation in use."""
        used = {int(m) for tracks in [*self.moves.values(), *self.weights] for m in tracks.mode}
        return [name for code, name in enumerate(MODES) if code in used]

    def pose(self, tree: NodeTree, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Translation (N, 3), rotation (N, 4) and scale (N, 3) of all nodes at `t` seconds."""
        local = {"translation": tree.translation, "rotation": tree.rotation, "scale": tree.scale}
        for path, tracks in self.moves.items():
            local[path] = local[path].copy()
            local[path][tracks.nodes] = tracks.at(t)
        return local["translation"], local["rotation"], local["scale"]

    def weights_at(self, t: float) -> dict[int, np.ndarray]:
        """Morph weights (M,) by node, for the nodes the clip gives any."""
        return {int(tracks.nodes[0]): tracks.at(t)[0] for tracks in self.weights}


def read_animations(accessors: Accessors, targets: dict[int, int], report: Report) -> list[Animation]:
    """All animations of a file, in file order. `targets`: the number of morph targets of each node that has any."""
    document, animations, names = accessors.document, [], set()
    for a in range(len(document.json["animations"])):
        where, channels, name = f"animation {a}", {}, ""
        with report.leaving_out(where, MOTION):
            animation = document.get("animations", a, "the file")
            name = animation["name"]
            for c, channel in enumerate(animation["channels"]):
                with report.leaving_out(f"channel {c} of {where}", MOTION):
                    keys = _keys(accessors, animation, channel, targets, f"channel {c} of {where}", report)
                    place = keys.node, channel["target"]["path"]
                    if place in channels:
                        report(f"{where} sets the {place[1]} of node {keys.node} twice: the last one counts")
                    channels[place] = keys
        name, n = name or where, 1
        unique = name
        while unique in names:
            unique, n = f"{name} ({n + 1})", n + 1
        names.add(unique)
        moves = {path: Tracks([k for _, k in own], rotation=path == "rotation")
                 for path in PATHS if (own := [c for c in channels.items() if c[0][1] == path])}
        weights = [Tracks([keys]) for (_, path), keys in channels.items() if path == "weights"]
        duration = max((float(keys.times[-1]) for keys in channels.values()), default=0.0)
        if duration <= 0:
            report(f"animation {short(unique)} lasts 0 s: nothing moves in it", MOTION)
        animations.append(Animation(unique, max(duration, 0.0), moves, weights))
    if not animations:
        report("no animation in the file: nothing moves", MOTION)
    return animations


def _keys(accessors, animation, channel, targets, name, report) -> Keys:
    """One channel's keys. Raises AssetError where it drives nothing that moves here, or has no usable key."""
    channel = checked(channel, CHANNEL, name, report)
    node, path = channel["target"]["node"], channel["target"]["path"]
    kind, width = ("SCALAR", targets.get(node, 0)) if path == "weights" else PATHS.get(path, ("", 0))
    if node is None or not width:
        raise damaged(name, f"{short(path)} of node {node}", "a node's place, or weights of the morph targets it has")
    accessors.document.get("nodes", node, name)
    if channel["sampler"] >= len(animation["samplers"]):
        raise damaged(name, f"sampler {channel['sampler']}", f"one of the {len(animation['samplers'])} in the animation")
    sampler = checked(animation["samplers"][channel["sampler"]], SAMPLER, name, report)
    times = accessors.numbers(sampler["input"], name, "SCALAR")[:, 0]
    values = accessors.numbers(sampler["output"], name, kind).reshape(-1)
    parts = 3 if sampler["interpolation"] == "CUBICSPLINE" else 1
    count = min(len(times), len(values) // (parts * width))
    if count != len(times) or count * parts * width != len(values):
        report(f"{name} has {len(times)} times for {len(values)} numbers, {parts * width} each: the ones too many are left out")
    times, values = times[:count], values[:count * parts * width].reshape(count, parts, width)
    good = np.flatnonzero(np.isfinite(times) & np.isfinite(values).all((1, 2)))
    order = good[np.argsort(times[good], kind="stable")]
    if len(order) < count or (order != good).any():
        report(f"{name} has keys that are not finite or out of order: left out or sorted")
    if not len(order):
        raise damaged(name, "no usable keys", "one at least")
    values = values[order]
    middle = values[:, parts // 2]
    middle = unit(middle, name, report) if path == "rotation" else middle
    tangents = (values[:, 0], values[:, 2]) if parts == 3 else (np.zeros_like(middle),) * 2
    return Keys(node, sampler["interpolation"], times[order], middle, *tangents)

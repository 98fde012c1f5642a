"""Animations: the file's channels made into tracks, and the pose of the node tree at a time (glTF 2.0, section 3.11).

Letters: N nodes, k keys of a channel, W numbers a key, M morph targets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.document import Document, integer, label, mapping, objects, short, text
from puppetmaster_core.assets.gltf.errors import MOTION, AssetError, Report
from puppetmaster_core.assets.gltf.keyframes import MODES, Keys, Tracks
from puppetmaster_core.assets.gltf.nodes import NodeTree, unit

PATHS = {"translation": 3, "rotation": 4, "scale": 3}


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
        return [name for name, code in MODES.items() if code in used]

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


def read_animations(document: Document, accessors: Accessors, targets: dict[int, int], report: Report) -> list[Animation]:
    """All animations of a file, in file order. `targets`: the number of morph targets of each node that has any."""
    animations, names = [], set()
    for a, animation in enumerate(document.all("animations")):
        name = label(animation, f"animation {a}")
        unique, n = name, 2
        while unique in names:
            unique, n = f"{name} ({n})", n + 1
        names.add(unique)
        channels = {}
        with report.leaving_out(f"animation {a}", MOTION):
            channels = _channels(document, accessors, animation, targets, f"animation {a}", report)
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


def _channels(document, accessors, animation, targets, where, report) -> dict[tuple[int, str], Keys]:
    """The usable channels by (node, path)."""
    samplers, found = objects(animation, "samplers", where), {}
    for c, channel in enumerate(objects(animation, "channels", where)):
        name, keys = f"channel {c} of {where}", None
        try:
            keys = _channel(document, accessors, channel, samplers, targets, (name, where), report)
        except AssetError as error:
            report.lose(name, MOTION, error)
        if keys is None:
            continue
        place = keys.node, channel["target"]["path"]
        if place in found:
            report(f"{where} sets the {place[1]} of node {keys.node} twice: the last one counts")
        found[place] = keys
    return found


def _channel(document, accessors, channel, samplers, targets, names, report) -> Keys | None:
    """One channel, or None (reported) where it drives nothing that moves here. Raises AssetError."""
    name, where = names
    target = mapping(channel, "target", name)
    path, node = text(target, "path", name), integer(target, "node", name, default=None)
    if node is None or path not in (*PATHS, "weights"):
        report(f"{where} drives {short(path)}, which is not a node's place or shape: left out", MOTION)
        return None
    document.get("nodes", node, name)
    width = targets.get(node, 0) if path == "weights" else PATHS[path]
    if not width:
        report(f"{where} gives weights to node {node}, which has no morph targets: left out", MOTION)
        return None
    index = integer(channel, "sampler", name)
    if index >= len(samplers):
        raise AssetError(f"{name} asks for sampler {index}, there are {len(samplers)}: it is damaged, export it again")
    return _keys(accessors, samplers[index], node, width, path, name, report)


def _keys(accessors, sampler, node, width, path, name, report) -> Keys | None:
    """One channel's keys, or None where none is usable."""
    mode = text(sampler, "interpolation", name, "LINEAR")
    if mode not in MODES:
        raise AssetError(f"{name} interpolates by {short(mode)}, wanted one of {list(MODES)}")
    times = accessors.numbers(integer(sampler, "input", name), name, "SCALAR")[:, 0]
    kind = {"weights": ("SCALAR",), "rotation": ("VEC4",)}.get(path, ("VEC3",))
    values = accessors.numbers(integer(sampler, "output", name), name, *kind).reshape(-1)
    parts = 3 if mode == "CUBICSPLINE" else 1
    fit = len(values) // (parts * width)
    if fit * parts * width != len(values) or fit != len(times):
        report(f"{name} has {len(times)} times for {len(values)} numbers, {parts * width} each: the ones too many are left out")
        times = times[:fit]
        if not len(times):
            return None
    values = values[:len(times) * parts * width].reshape(len(times), parts, width)
    good = np.isfinite(times) & np.isfinite(values).all((1, 2))
    if not good.all():
        report(f"{name} has {int((~good).sum())} keys that are not finite: left out")
        times, values = times[good], values[good]
    if not len(times):
        return None
    if (np.diff(times) < 0).any():
        report(f"{name} has times out of order: sorted")
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    middle = values[:, parts // 2]
    middle = unit(middle, name, report) if path == "rotation" else middle
    return Keys(node, mode, times, middle, *((values[:, 0], values[:, 2]) if parts == 3 else ()))

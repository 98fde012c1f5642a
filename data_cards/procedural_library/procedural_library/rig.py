"""The builder: nodes, parts and keys go in, a finished asset that fits the unit cube comes out.

Everything is placed in the model's own coordinates (+y up, the front towards +z), whatever hangs on what.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from procedural_library.mesh import Mesh
from procedural_library.rigged import Channel, Node, Part, RiggedAsset, Surface
from procedural_library.roundness import smooth_groups
from procedural_library.turns import STILL, turn
from puppetmaster_core.assets import AnimationClip, Material

KEYS = 25  # keys of a motion: dense enough that every way of interpolating rotations agrees


@dataclass
class _Node:
    name: str
    parent: int
    place: np.ndarray  # (3,) in the model
    rotation: tuple = STILL


@dataclass
class _Part:
    name: str
    node: int
    pieces: list = field(default_factory=list)  # (mesh, material, {bone: weight (V,)} or None, morphs (T, V, 3) or None)


class Rig:
    """Collects one asset. Node 0 is the whole object, standing at the origin and heading `heading` degrees."""

    def __init__(self, name: str, duration: float = 1.5, heading: float = 0.0):
        self.name, self.duration = name, float(np.float32(duration))  # as the file has it
        self.nodes = [_Node(name, -1, np.zeros(3), tuple(turn((0, 1, 0), np.deg2rad(heading))))]
        self.parts: list[_Part] = []
        self.materials: list[Material] = []
        self.channels: dict[tuple[int, str], Channel] = {}

    @property
    def clock(self) -> np.ndarray:
        """The keys' places in the animation, (KEYS,), 0 to 1."""
        return np.linspace(0.0, 1.0, KEYS)

    def material(self, material: Material) -> int:
        """The number to `add` meshes with. Textures are drawn smoothly, as from a file."""
        self.materials.append(replace(material, filtering="linear"))
        return len(self.materials) - 1

    def node(self, name: str, place=(0.0, 0.0, 0.0), parent: int = 0) -> int:
        """A joint or a bone at `place`."""
        self.nodes.append(_Node(name, parent, np.asarray(place, float)))
        return len(self.nodes) - 1

    def part(self, name: str, node: int = 0) -> int:
        """A sub-model on `node`; the second "door" is called "door 2"."""
        same = sum(p.name == name or p.name.rsplit(" ", 1)[0] == name for p in self.parts)
        self.parts.append(_Part(f"{name} {same + 1}" if same else name, node))
        return len(self.parts) - 1

    def add(self, part: int, mesh: Mesh, material: int, *, bones: dict | None = None, morphs: np.ndarray | None = None) -> None:
        """Put a mesh on a part. `bones`: weights (V,) by bone, for a skinned part; `morphs` (T, V, 3) displacements."""
        self.parts[part].pieces.append((mesh, material, bones, morphs))

    def pose(self, node: int, rotation) -> None:
        """How a node that carries rigid parts is turned when nothing turns it."""
        self.nodes[node].rotation = tuple(np.asarray(rotation, float))

    def rotate(self, node: int, rotations: np.ndarray) -> None:
        """Key a node's turns, quaternions (K, 4) spread evenly over the animation."""
        self.key(node, "rotation", rotations)

    def slide(self, node: int, offsets: np.ndarray) -> None:
        """Key a node's way from where it rests, (K, 3)."""
        own = self.nodes[node]
        origin = own.place - (self.nodes[own.parent].place if own.parent >= 0 else 0)
        self.key(node, "translation", origin + offsets)

    def key(self, target: int, path: str, values: np.ndarray, interpolation: str = "LINEAR") -> None:
        """Key "translation", "rotation", "scale" of a node, or "weights" of a part, evenly over the animation."""
        values = np.asarray(values, np.float32)
        times = np.linspace(0.0, self.duration, len(values), dtype=np.float32)
        self.channels[target, path] = Channel(target, path, times, values, interpolation)

    def finish(self, category: str, provenance: dict) -> RiggedAsset:
        """The asset, scaled so that its rest pose fits the unit cube around the origin."""
        if not self.channels:  # an animation that does nothing is still one
            self.rotate(0, np.repeat(np.array([self.nodes[0].rotation]), 2, 0))
        asset = self._assembled()
        asset.category, asset.provenance = category, provenance
        rest = asset.rest_positions()
        low, high = rest.min(0), rest.max(0)
        _weights_within_one(asset)
        _fit(asset, 1.0 / (high - low).max(), (low + high) / 2)
        asset.smooth = _smooth(asset)
        return asset

    def _assembled(self) -> RiggedAsset:
        """Everything in the model's own size and place."""
        vertices, uvs, faces, surfaces, parts, submodel = [], [], [], [], [], []
        v = f = 0
        for p, part in enumerate(self.parts):
            begin, begin_f, gathered = v, f, []
            for (material, smooth), pieces in _grouped(part.pieces).items():
                first_v, first_f = v, f
                for piece in pieces:
                    mesh = piece[0]
                    vertices.append(mesh.vertices - (0 if piece[2] else self.nodes[part.node].place))
                    uvs.append(mesh.uv)
                    faces.append(mesh.faces + v)
                    v, f = v + len(mesh.vertices), f + len(mesh.faces)
                gathered += pieces
                surfaces.append(Surface(p, material, smooth, slice(first_v, v), slice(first_f, f)))
            parts.append(_attached(part, slice(begin, v), gathered))
            submodel.append(np.full(f - begin_f, p, np.int32))
        uv, corners = np.concatenate(uvs).astype(np.float32), np.concatenate(faces).astype(np.int32)
        material = np.concatenate([np.full(s.faces.stop - s.faces.start, s.material, np.int32) for s in surfaces])
        return RiggedAsset(
            faces=corners, uv=uv[corners], material=material, submodel=np.concatenate(submodel), materials=self.materials,
            submodels=[p.name for p in self.parts], clips=[AnimationClip("move", self.duration)], nodes=self._placed(),
            channels=list(self.channels.values()), parts=parts, surfaces=surfaces, rest=np.concatenate(vertices), vertex_uv=uv,
        )

    def _placed(self) -> list[Node]:
        return [Node(n.name, n.parent, tuple((n.place - (self.nodes[n.parent].place if n.parent >= 0 else 0)).tolist()),
                     tuple(map(float, n.rotation))) for n in self.nodes]


def _fit(asset: RiggedAsset, scale: float, centre: np.ndarray) -> None:
    """Scale the model and move `centre` to the origin: vertices, nodes, keys, morphs. Vertices become float32."""
    asset.rest = np.round(asset.rest * scale, 7).astype(np.float32)  # places that are one become one
    shift = -centre * scale
    asset.nodes = [replace(n, translation=tuple((np.array(n.translation) * scale + (0 if i else shift)).tolist()))
                   for i, n in enumerate(asset.nodes)]
    asset.channels = [
        replace(c, values=(c.values * scale + (0 if c.target else shift)).astype(np.float32)) if c.path == "translation" else c
        for c in asset.channels
    ]
    asset.parts = [p if p.morphs is None else replace(p, morphs=(p.morphs * scale).astype(np.float32)) for p in asset.parts]


def _weights_within_one(asset: RiggedAsset) -> None:
    """Rewrite morph targets so that their weights run from 0 to 1: some readers, Blender among them, cut off what lies outside.

    A weight that goes below 0 becomes two targets, there and opposite; targets that are never used go.
    """
    for i, channel in enumerate(asset.channels):
        if channel.path != "weights":
            continue
        morphs, targets, weights = asset.parts[channel.target].morphs, [], []
        for k, weight in enumerate(channel.values.T):
            for way in (1.0, -1.0):
                share = np.maximum(way * weight, 0)
                if share.max() > 1e-6:  # of a length that is 1 or so: less is rounding
                    targets.append(way * share.max() * morphs[k])
                    weights.append(share / share.max())
        if not targets:  # it never moves, and is still a part with a shape to change
            targets, weights = [morphs[0]], [0 * channel.values[:, 0]]
        asset.parts[channel.target] = replace(asset.parts[channel.target], morphs=np.stack(targets))
        asset.channels[i] = replace(channel, values=np.stack(weights, 1).astype(np.float32))


def _smooth(asset: RiggedAsset) -> np.ndarray:
    """`AnimatedAsset.smooth`: numbers (F, 3) of the normals that corners share, −1 on flat surfaces."""
    out, count = np.full(asset.faces.shape, -1, np.int32), 0
    for s in asset.surfaces:
        if s.smooth:
            faces = asset.faces[s.faces] - s.vertices.start
            group = smooth_groups(asset.rest[s.vertices], faces)
            out[s.faces] = group[faces] + count
            count += int(group.max()) + 1
    return out


def _grouped(pieces: list) -> dict:
    """Pieces by material and shading, in the order of first use."""
    groups: dict = {}
    for piece in pieces:
        groups.setdefault((piece[1], piece[0].smooth), []).append(piece)
    return groups


def _attached(part: _Part, vertices: slice, pieces: list) -> Part:
    """The part with its skin or its morphs, from pieces in the order of their vertices."""
    bones = tuple(dict.fromkeys(b for piece in pieces if piece[2] for b in piece[2]))
    influences = weights = morphs = None
    if bones:
        influences, weights = _four_strongest(bones, pieces)
    targets = max((len(piece[3]) for piece in pieces if piece[3] is not None), default=0)
    if targets:
        blank = [piece[3] if piece[3] is not None else np.zeros((targets, len(piece[0].vertices), 3)) for piece in pieces]
        morphs = np.concatenate(blank, 1)
    return Part(part.name, part.node, vertices, bones, influences, weights, morphs)


def _four_strongest(bones: tuple, pieces: list) -> tuple[np.ndarray, np.ndarray]:
    """Influences (V, 4) and weights (V, 4) summing to 1: glTF's skins have four a vertex."""
    rows = [np.stack([np.broadcast_to(piece[2].get(b, 0.0), len(piece[0].vertices)) for b in bones], 1) for piece in pieces]
    dense = np.concatenate(rows)
    dense = np.pad(dense, ((0, 0), (0, max(0, 4 - len(bones)))))
    order = np.argsort(-dense, axis=1, kind="stable")[:, :4]
    weights = np.take_along_axis(dense, order, 1)
    weights = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return np.where(weights > 0, order, 0), weights

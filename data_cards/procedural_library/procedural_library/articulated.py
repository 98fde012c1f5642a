"""Boxes on joints: the builder of cabinets, and what becomes of such an asset in a file.

Letters: V vertices, F triangles, K keys.
"""

from __future__ import annotations

import numpy as np

from procedural_library.joints import ArticulatedAsset, Joint
from procedural_library.rig import KEYS
from procedural_library.rigged import Channel, Node, Part, RiggedAsset, Surface
from procedural_library.turns import turn
from puppetmaster_core.assets import AnimatedAsset, AnimationClip, Material

# The eight corners of the unit cube in [-1/2, 1/2]³, and its six sides as quads seen anticlockwise from outside.
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
_SIDE_AXES = ((2, 1), (2, 1), (0, 2), (0, 2), (0, 1), (0, 1))  # the two axes a side's texture runs along


class Builder:
    """Collects shapes, each on a sub-model with a joint and a material, and hands out the finished asset."""

    def __init__(self):
        self.vertices, self.faces, self.uv = [], [], []
        self.material, self.submodel, self.vertex_submodel = [], [], []
        self.materials: list[Material] = []
        self.names: list[str] = []
        self.joints: list[Joint] = []
        self.easing = "linear"  # of all joints, see ArticulatedAsset

    def add_material(self, material: Material) -> int:
        self.materials.append(material)
        return len(self.materials) - 1

    def add_part(self, name: str, joint: Joint | None = None) -> int:
        self.names.append(name)
        self.joints.append(joint or Joint("fixed"))
        return len(self.names) - 1

    def box(self, part: int, low, high, material: int) -> None:
        """An axis-aligned box between the corners `low` and `high` (metres); a texture repeats once a metre."""
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        first = sum(len(v) for v in self.vertices)
        corners = low + (_CORNERS + 0.5) * (high - low)
        self.vertices.append(corners)
        for quad, axes in zip(_QUADS, _SIDE_AXES, strict=True):
            for triangle in (quad[[0, 1, 2]], quad[[0, 2, 3]]):
                self.faces.append(triangle + first)
                self.uv.append(corners[triangle][:, axes])
                self.material.append(material)
                self.submodel.append(part)
        self.vertex_submodel.extend([part] * 8)

    def finish(self, category: str, provenance: dict) -> ArticulatedAsset:
        """The asset, scaled so that its rest pose fits the unit cube around the origin, as in the authors' renderings."""
        rest = np.concatenate(self.vertices)
        low, high = rest.min(0), rest.max(0)
        scale, centre = 1.0 / (high - low).max(), (low + high) / 2
        joints = [_rescaled(joint, scale, centre) for joint in self.joints]
        return ArticulatedAsset(
            faces=np.array(self.faces, dtype=np.int32),
            uv=np.array(self.uv, dtype=np.float32),
            material=np.array(self.material, dtype=np.int32),
            submodel=np.array(self.submodel, dtype=np.int32),
            materials=self.materials,
            submodels=self.names,
            clips=[AnimationClip("move", 1.0)],
            category=category,
            provenance=provenance,
            rest=(rest - centre) * scale,
            vertex_submodel=np.array(self.vertex_submodel, dtype=np.int32),
            joints=joints,
            easing=self.easing,
        )


def _rescaled(joint: Joint, scale: float, centre: np.ndarray) -> Joint:
    stretch = scale if joint.kind == "prismatic" else 1.0
    origin = tuple((np.asarray(joint.origin) - centre) * scale)
    return Joint(joint.kind, joint.axis, origin, joint.start * stretch, joint.end * stretch)


def rigged(asset: AnimatedAsset) -> RiggedAsset:
    """An asset of the library as its file has it: joints as nodes with keys, in the order of `asset.faces`.

    A smooth motion has KEYS of them, and goes straight between: up to 0.2 % of the way beside where `asset` has it.
    """
    if isinstance(asset, RiggedAsset):
        return asset
    nodes, channels = [Node("object", -1)], []
    times = np.linspace(0.0, asset.clips[0].duration, 2 if asset.easing == "linear" else KEYS, dtype=np.float32)
    for part, joint in enumerate(asset.joints):
        path, places = _keys(joint, [asset.progress(0, t) for t in times])
        nodes.append(Node(asset.submodels[part], 0, **{"translation": joint.origin, path: tuple(places[0].tolist())}))
        if joint.moves:
            channels.append(Channel(part + 1, path, times, places.astype(np.float32)))
    rest, uv, faces, surfaces = [], [], [], []
    for run in np.split(np.arange(len(asset.faces)), np.flatnonzero(np.diff(asset.submodel) | np.diff(asset.material)) + 1):
        part, first = int(asset.submodel[run[0]]), sum(map(len, rest))
        corners = np.concatenate([asset.faces[run].reshape(-1, 1), asset.uv[run].reshape(-1, 2)], 1)
        own, index = np.unique(corners, axis=0, return_inverse=True)  # a vertex of a file has one texture coordinate
        rest.append(asset.rest[own[:, 0].astype(int)] - asset.joints[part].origin)
        uv.append(own[:, 1:])
        faces.append(index.reshape(-1, 3) + first)
        vertices, triangles = slice(first, first + len(own)), slice(int(run[0]), int(run[-1]) + 1)
        surfaces.append(Surface(part, int(asset.material[run[0]]), False, vertices, triangles))
    parts = []
    for part, name in enumerate(asset.submodels):
        own = [surface.vertices for surface in surfaces if surface.part == part]
        parts.append(Part(name, part + 1, slice(own[0].start, own[-1].stop)))
    return RiggedAsset(
        faces=np.concatenate(faces).astype(np.int32), uv=asset.uv, material=asset.material, submodel=asset.submodel,
        materials=asset.materials, submodels=asset.submodels, clips=asset.clips, category=asset.category,
        provenance=asset.provenance, nodes=nodes, channels=channels, parts=parts, surfaces=surfaces,
        rest=np.concatenate(rest).astype(np.float32), vertex_uv=np.concatenate(uv).astype(np.float32),
    )


def _keys(joint: Joint, progress: list[float]) -> tuple[str, np.ndarray]:
    """The property of a joint's node that moves, and its values (K, 3 or 4) at each `progress`, from 0 to 1."""
    q = joint.start + np.array(progress) * (joint.end - joint.start)
    if joint.kind == "revolute":
        return "rotation", np.stack([turn(joint.axis, angle) for angle in q])
    return "translation", np.asarray(joint.origin) + q[:, None] * np.asarray(joint.axis)

"""The shapes furniture is built from, and a builder that gathers them into one articulated asset."""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets.asset import AnimationClip, Material
from puppetmaster_core.assets.joints import ArticulatedAsset, Joint

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

    def finish(self, *, category: str, provenance: dict, duration: float = 1.0, easing: str = "linear"):
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
            clips=[AnimationClip("move", duration)],
            category=category,
            provenance=provenance,
            rest=(rest - centre) * scale,
            vertex_submodel=np.array(self.vertex_submodel, dtype=np.int32),
            joints=joints,
            easing=easing,
        )


def _rescaled(joint: Joint, scale: float, centre: np.ndarray) -> Joint:
    stretch = scale if joint.kind == "prismatic" else 1.0
    origin = tuple((np.asarray(joint.origin) - centre) * scale)
    return Joint(joint.kind, joint.axis, origin, joint.start * stretch, joint.end * stretch)

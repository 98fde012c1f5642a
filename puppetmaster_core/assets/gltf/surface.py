"""Everything a triangle carries beside its corners: material, texture coordinates, sub-model, smoothness.

Letters: V vertices, F triangles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from puppetmaster_core.assets.gltf.errors import Budget, Report
from puppetmaster_core.assets.gltf.materials import Materials, displayed, painted
from puppetmaster_core.assets.gltf.primitives import Primitive


class Surfaces:
    """Collects primitives; `finish` gives the fields of an AnimatedAsset that describe its triangles."""

    def __init__(self, materials: Materials, budget: Budget, report: Report):
        self.materials, self.budget, self.report = materials, budget, report
        self.list, self.place = [], {}
        self.faces, self.uv, self.material, self.submodel, self.smooth = [], [], [], [], []
        self.groups = 0
        self.done = {}  # what a primitive looks like is worked out once, however often it is drawn

    def add(self, primitive: Primitive, submodel: int, first: int, where: str) -> None:
        """Append a primitive whose vertices begin at `first`."""
        if id(primitive) not in self.done:
            self.done[id(primitive)] = (*self._dress(primitive, where), _smooth(primitive))
        material, uv, smooth = self.done[id(primitive)]
        count = len(primitive.faces)
        self.faces.append(primitive.faces + first)
        self.uv.append(uv)
        self.material.append(np.full(count, material, np.int32))
        self.submodel.append(np.full(count, submodel, np.int32))
        self.smooth.append(np.where(smooth >= 0, smooth + self.groups, -1))
        self.groups += int(smooth.max(initial=-1)) + 1

    def finish(self) -> dict:
        smooth = np.concatenate(self.smooth).astype(np.int32)
        return {"faces": np.concatenate(self.faces).astype(np.int32), "uv": np.concatenate(self.uv).astype(np.float32),
                "material": np.concatenate(self.material), "submodel": np.concatenate(self.submodel), "materials": self.list,
                "smooth": smooth if (smooth >= 0).any() else None}

    def _dress(self, primitive: Primitive, where: str) -> tuple[int, np.ndarray]:
        """The index of a primitive's material, and its texture coordinates (F, 3, 2)."""
        surface = self.materials.surface(primitive.material, where)
        material, faces = surface.material, primitive.faces
        uv = primitive.texcoords.get(surface.texcoord)
        if material.texture is not None and uv is None:
            self.report(f"{where} has a texture and no TEXCOORD_{surface.texcoord} to lay it on: drawn without")
            material = replace(material, texture=None)
        colors = primitive.colors
        if colors is not None and not (colors == 1).all():
            if material.texture is None:
                self.budget.charge(len(faces) * 4, where)
                material, placed = painted(replace(surface, material=material), colors[faces].mean(1))
                return self._index(None, material), placed
            mean = colors[faces].mean((0, 1))
            self.report(f"{where} has vertex colours over a texture: their mean is used")
            material = replace(material, color=tuple(np.multiply(material.color, displayed(mean[:3])).tolist()),
                               alpha=material.alpha * float(mean[3]))
            return self._index(None, material), surface.place(uv)[faces]
        if material.texture is None:
            return self._index((primitive.material, "plain"), material), np.zeros((len(faces), 3, 2))
        return self._index((primitive.material, "textured"), material), surface.place(uv)[faces]

    def _index(self, key, material) -> int:
        """The material's place in the list; materials with the same key are listed once."""
        if key is None or key not in self.place:
            self.list.append(material)
            if key is None:
                return len(self.list) - 1
            self.place[key] = len(self.list) - 1
        return self.place[key]


def _smooth(primitive: Primitive) -> np.ndarray:
    """Numbers (F, 3) of the normals at each corner: corners at one place with one normal share it. −1 = the file has none."""
    if primitive.normals is None:
        return np.full(primitive.faces.shape, -1)
    exact = np.concatenate([primitive.positions, np.rint(np.clip(primitive.normals, -2, 2) * 500)], 1) + 0.0  # -0 becomes 0
    _, number = np.unique(exact.view(np.dtype((np.void, exact.itemsize * 6)))[:, 0], return_inverse=True)
    return number.reshape(-1)[primitive.faces]

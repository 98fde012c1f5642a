"""Everything a triangle carries beside its corners: material, texture coordinates, vertex colours, sub-model, smoothness.

Letters: V vertices, F triangles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from puppetmaster_core.assets.gltf.errors import TEXTURE, Budget, Report
from puppetmaster_core.assets.gltf.materials import Laid, Materials
from puppetmaster_core.assets.gltf.primitives import Primitive


class Surfaces:
    """Collects primitives; `finish` gives the fields of an AnimatedAsset that describe its triangles."""

    def __init__(self, materials: Materials, budget: Budget, report: Report):
        self.materials, self.budget, self.report = materials, budget, report
        self.list, self.place = [], {}
        self.faces, self.uv, self.material, self.submodel, self.smooth = [], [], [], [], []
        self.emission_uv, self.colors = [], []  # None where a primitive has none of its own
        self.groups = 0
        self.done = {}  # what a primitive looks like is worked out once, however often it is drawn

    def add(self, primitive: Primitive, submodel: int, first: int, where: str, order: tuple[int, int, int], both: bool) -> None:
        """Append a primitive whose vertices begin at `first`, each triangle's corners in `order`; both: both sides are drawn."""
        if id(primitive) not in self.done:
            self.done[id(primitive)] = (*self._dress(primitive, where), _smooth(primitive))
        key, material, uv, emission_uv, colors, smooth = self.done[id(primitive)]
        count = len(primitive.faces)
        if both and not material.double_sided:
            key, material = (*key, "both"), replace(material, double_sided=True)
        order = slice(None) if order == (0, 1, 2) else list(order)
        self.faces.append(primitive.faces[:, order] + first)
        self.uv.append(uv[:, order])
        self.emission_uv.append(None if emission_uv is None else emission_uv[:, order])
        self.colors.append(None if colors is None else colors[:, order])
        self.material.append(np.full(count, self._index(key, material), np.int32))
        self.submodel.append(np.full(count, submodel, np.int32))
        self.smooth.append(np.where(smooth >= 0, smooth + self.groups, -1)[:, order])
        self.groups += int(smooth.max(initial=-1)) + 1

    def finish(self) -> dict:
        smooth = np.concatenate(self.smooth).astype(np.int32)
        return {"faces": np.concatenate(self.faces).astype(np.int32), "uv": np.concatenate(self.uv).astype(np.float32),
                "material": np.concatenate(self.material), "submodel": np.concatenate(self.submodel), "materials": self.list,
                "smooth": smooth if (smooth >= 0).any() else None,
                "emission_uv": self._joined(self.emission_uv, 2), "colors": self._joined(self.colors, 4)}

    def _joined(self, own: list, width: int) -> np.ndarray | None:
        """Arrays (F, 3, width) of all primitives, ones where one has none; None where none has."""
        if all(array is None for array in own):
            return None
        self.budget.charge(sum(map(len, self.faces)) * 24 * width, "what the triangles look like")
        ones = (np.ones((len(faces), 3, width), np.float32) for faces in self.faces)
        return np.concatenate([b if a is None else a for a, b in zip(own, ones, strict=True)]).astype(np.float32)

    def _dress(self, primitive: Primitive, where: str) -> tuple:
        """A primitive's material and a key for it, texture coordinates (F, 3, 2), (None or) those of what shines, and colours."""
        surface = self.materials.surface(primitive.material, where)
        material, faces = surface.material, primitive.faces
        uv = emission_uv = colors = None
        if material.texture is not None:
            uv = self._laid(primitive, surface.base, where)
            material = material if uv is not None else replace(material, texture=None)
        if material.emission_texture is not None:
            emission_uv = self._laid(primitive, surface.emission, where)
            if emission_uv is None:
                material = replace(material, emission_texture=None, emission=(0.0, 0.0, 0.0))
        if primitive.colors is not None and not (primitive.colors == 1).all():
            self.budget.charge(len(faces) * 48, where)
            colors = primitive.colors.astype(np.float32)[faces]
        key = (primitive.material, material.texture is None, material.emission_texture is None)
        return key, material, np.zeros((len(faces), 3, 2)) if uv is None else uv, emission_uv, colors

    def _laid(self, primitive: Primitive, laid: Laid, where: str) -> np.ndarray | None:
        """Texture coordinates (F, 3, 2), None (reported) where the primitive has not those wanted."""
        uv = primitive.texcoords.get(laid.texcoord)
        if uv is None:
            self.report(f"{where} has a texture and no TEXCOORD_{laid.texcoord} to lay it on: drawn without", TEXTURE)
            return None
        return laid.place(uv)[primitive.faces]

    def _index(self, key: tuple, material) -> int:
        """The material's place in the list; materials with the same key are listed once."""
        if key not in self.place:
            self.list.append(material)
            self.place[key] = len(self.list) - 1
        return self.place[key]


def _smooth(primitive: Primitive) -> np.ndarray:
    """Numbers (F, 3) of the normals at each corner: corners at one place with one normal share it. −1 = the file has none."""
    if primitive.normals is None:
        return np.full(primitive.faces.shape, -1)
    exact = np.concatenate([primitive.positions, np.rint(np.clip(primitive.normals, -2, 2) * 500)], 1) + 0.0  # -0 becomes 0
    _, number = np.unique(exact.view(np.dtype((np.void, exact.itemsize * 6)))[:, 0], return_inverse=True)
    corners = number.reshape(-1)[primitive.faces]
    if corners.max(initial=-1) < corners.size:
        return corners
    return np.unique(corners, return_inverse=True)[1].reshape(corners.shape)  # of vertices that no triangle uses, none counts

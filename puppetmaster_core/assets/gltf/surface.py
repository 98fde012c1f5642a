"""Everything a triangle carries beside its corners: material, texture coordinates, vertex colours, sub-model, smoothness.

Letters: V vertices, F triangles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from puppetmaster_core.assets.gltf.errors import TEXTURE, Budget, Report
from puppetmaster_core.assets.gltf.materials import Laid, Materials
from puppetmaster_core.assets.gltf.parts import Part
from puppetmaster_core.assets.gltf.primitives import Primitive


class SurfaceBuilder:
    """Collects parts; `finish` gives the fields of an AnimatedAsset that describe its triangles."""

    def __init__(self, materials: Materials, budget: Budget, report: Report):
        self.materials, self.budget, self.report = materials, budget, report
        self.list, self.place = [], {}
        self.rows = {name: [] for name in ("faces", "uv", "material", "submodel", "smooth", "emission_uv", "colors")}
        self.groups = 0
        self.done = {}  # what a primitive looks like is worked out once, however often it is drawn

    def add(self, part: Part, first: int, mirrored: bool) -> None:
        """Append a part whose vertices begin at `first`; mirrored: its triangles' corners are turned round."""
        primitive, faces = part.primitive, part.primitive.faces
        if id(primitive) not in self.done:
            self.done[id(primitive)] = (*self._dress(primitive, part.where), _smooth(primitive))
        key, material, uv, emission_uv, colors, smooth = self.done[id(primitive)]
        if key not in self.place:  # materials with the same key are listed once
            self.place[key] = len(self.list)
            self.list.append(material)
        order = [0, 2, 1] if mirrored else slice(None)
        corners = {"faces": faces + first, "uv": uv, "emission_uv": emission_uv, "colors": colors,
                   "smooth": np.where(smooth >= 0, smooth + self.groups, -1)}
        for name, values in corners.items():
            self.rows[name].append(None if values is None else values[:, order])
        self.rows["material"].append(np.full(len(faces), self.place[key], np.int32))
        self.rows["submodel"].append(np.full(len(faces), part.submodel, np.int32))
        self.groups += int(smooth.max(initial=-1)) + 1

    def finish(self) -> dict:
        kinds = {"faces": np.int32, "uv": np.float32, "material": np.int32, "submodel": np.int32, "smooth": np.int32}
        fields = {name: np.concatenate(self.rows[name]).astype(kind) for name, kind in kinds.items()}
        fields["smooth"] = fields["smooth"] if (fields["smooth"] >= 0).any() else None
        fields |= {name: self._joined(name, width) for name, width in (("emission_uv", 2), ("colors", 4))}
        return {**fields, "materials": self.list}

    def _joined(self, name: str, width: int) -> np.ndarray | None:
        """Arrays (F, 3, width) of all parts, ones where one has none; None where none has."""
        own = self.rows[name]
        if all(array is None for array in own):
            return None
        self.budget.charge(sum(map(len, self.rows["faces"])) * 24 * width, "what the triangles look like")
        ones = (np.ones((len(faces), 3, width), np.float32) for faces in self.rows["faces"])
        return np.concatenate([b if a is None else a for a, b in zip(own, ones, strict=True)]).astype(np.float32)

    def _dress(self, primitive: Primitive, where: str) -> tuple:
        """A primitive's material and a key for it, texture coordinates (F, 3, 2), (None or) those of what shines, and colours."""
        surface = self.materials.surface(primitive.material, where)
        material, faces = surface.material, primitive.faces
        uv = emission_uv = colors = None
        if material.texture is not None:
            uv = self._lay(primitive, surface.base, where)
            material = material if uv is not None else replace(material, texture=None)
        if material.emission_texture is not None:
            emission_uv = self._lay(primitive, surface.emission, where)
            if emission_uv is None:
                material = replace(material, emission_texture=None, emission=(0.0, 0.0, 0.0))
        if primitive.colors is not None and not (primitive.colors == 1).all():
            self.budget.charge(len(faces) * 48, where)
            colors = primitive.colors.astype(np.float32)[faces]
        key = (primitive.material, material.texture is None, material.emission_texture is None)
        return key, material, np.zeros((len(faces), 3, 2)) if uv is None else uv, emission_uv, colors

    def _lay(self, primitive: Primitive, laid: Laid, where: str) -> np.ndarray | None:
        """Texture coordinates (F, 3, 2), None (reported) where the primitive has no such set."""
        uv = primitive.texcoords.get(laid.texcoord)
        if uv is None:
            self.report(f"{where} has a texture and no TEXCOORD_{laid.texcoord} to lay it on: drawn without", TEXTURE)
            return None
        return laid.place(uv)[primitive.faces]


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

"""Primitives: the triangles, vertices and vertex data of a mesh (glTF 2.0, section 3.7.2).

Letters: V vertices, F triangles, M morph targets, K joints a vertex hangs on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from puppetmaster_core.assets.gltf.accessors import Accessors, normalised
from puppetmaster_core.assets.gltf.compression import unpack_draco
from puppetmaster_core.assets.gltf.document import INDEX, PRIMITIVE, WIDTHS, checked, integer, short
from puppetmaster_core.assets.gltf.errors import MOTION, PART, Report, damaged

TRIANGLES, STRIP, FAN = 4, 5, 6


@dataclass(frozen=True)
class Primitive:
    """Triangles of one material. The arrays of several instances of a mesh are shared, never changed."""

    positions: np.ndarray  # (V, 3) float64
    faces: np.ndarray  # (F, 3) int64
    material: int | None
    normals: np.ndarray | None  # (V, 3) float64; none = flat
    texcoords: dict[int, np.ndarray]  # by set, (V, 2) float64
    colors: np.ndarray | None  # (V, 4) float64, linear
    targets: np.ndarray | None  # (M, V, 3) float64 offsets of the positions
    joints: np.ndarray | None  # (V, K) int64
    weights: np.ndarray | None  # (V, K) float64, each row's sum is 1


class PrimitiveReader:
    """Reads one primitive: its attributes come from accessors or from Draco data, which this hides."""

    def __init__(self, accessors: Accessors, primitive: dict, where: str, report: Report):
        self.accessors, self.where, self.report = accessors, where, report
        self.primitive = checked(primitive, PRIMITIVE, where, report)
        self.attributes = self.primitive["attributes"]
        draco = self.primitive["extensions"]["KHR_draco_mesh_compression"]
        self.draco_faces, self.draco = self._unpack(draco) if draco else (None, {})

    def read(self) -> Primitive:
        """Raises AssetError where it is not made of triangles."""
        mode, where = self.primitive["mode"], self.where
        if mode not in (TRIANGLES, STRIP, FAN):
            raise damaged(where, "points or lines" if mode < TRIANGLES else f"mode {mode}", "triangles")
        self.accessors.container.limits.check("vertices", self._accessor("POSITION")["count"], f"vertices of {where}")
        positions = self.attribute("POSITION", "VEC3")
        vertices, faces = len(positions), self._faces(len(positions), mode)
        bad = ~np.isfinite(positions).all(1)
        if bad.any():
            self.report(f"{where} has {int(bad.sum())} vertices that are not finite: their triangles are left out")
            positions, faces = np.where(bad[:, None], 0.0, positions), faces[~bad[faces].any(1)]
        if not len(faces):
            raise damaged(where, "no triangles", "one at least")
        joints, weights = self._influences(vertices)
        texcoords = {s: values for s in range(8) if (values := self._optional(f"TEXCOORD_{s}", vertices, "VEC2")) is not None}
        return _compact(Primitive(positions, faces, self.primitive["material"], self._optional("NORMAL", vertices, "VEC3"),
                                  texcoords, self._colors(vertices), self._targets(vertices), joints, weights))

    def _accessor(self, name: str) -> dict:
        index = integer().check(self.attributes.get(name), f"{name} of {self.where}", self.report)
        return self.accessors.document.get("accessors", index, self.where)

    def attribute(self, name: str, *kinds: str) -> np.ndarray:
        """Attribute `name` as float64 (V, W), not to be written to."""
        accessor = self._accessor(name)
        if name not in self.draco:
            return self.accessors.shared(int(self.attributes[name]), self.where, *kinds)
        values = self.draco[name].astype(np.float64)
        if values.shape[1] not in {WIDTHS[kind] for kind in kinds}:
            raise damaged(self.where, f"Draco data of {values.shape[1]} numbers for {name}", " or ".join(kinds))
        return normalised(values, accessor)

    def _unpack(self, draco: dict) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        view, _ = self.accessors.view(draco["bufferView"], self.where)
        for name in self.attributes:  # charged by what the accessors announce; what comes out is checked against it
            self.accessors.budget.charge(self._accessor(name)["count"] * 32, self.where)
        faces, attributes = unpack_draco(view, self.where)
        self.accessors.budget.charge(faces.nbytes + sum(a.nbytes for a in attributes.values()), self.where)
        named = {}
        for name in set(self.attributes) & set(draco["attributes"]):
            index = integer().check(draco["attributes"][name], f"Draco's {short(name)} of {self.where}", self.report)
            if index not in attributes:
                raise damaged(self.where, f"no Draco data for {short(name)}", "some")
            named[name] = attributes[index]
        return faces, named

    def _optional(self, name: str, vertices: int, *kinds: str) -> np.ndarray | None:
        """An attribute that the triangles can do without: None where there is none, or (reported) it is of no use."""
        if name not in self.attributes:
            return None
        with self.report.leaving_out(f"{name} of {self.where}", PART):
            values = self.attribute(name, *kinds)
            if len(values) != vertices:
                raise damaged(self.where, f"{len(values)} of {name}", f"one for each of {vertices} positions")
            return self._finite(values, name)
        return None

    def _finite(self, values: np.ndarray, what: str) -> np.ndarray:
        bad = ~np.isfinite(values)
        if not bad.any():
            return values
        self.report(f"{self.where} has {int(bad.sum())} numbers in {what} that are not finite: taken as 0")
        return np.where(bad, 0.0, values)

    def _faces(self, vertices: int, mode: int) -> np.ndarray:
        if self.draco_faces is not None:
            flat, mode = self.draco_faces.reshape(-1), TRIANGLES
        elif self.primitive["indices"] is not None:
            flat = self.accessors.indices(self.primitive["indices"], self.where)
        else:
            flat = np.arange(vertices)
        if len(flat) and (flat.min() < 0 or flat.max() >= vertices):
            raise damaged(self.where, f"a triangle at vertex {flat.max()}", f"one of {vertices}")
        if mode == TRIANGLES:
            if len(flat) % 3:
                self.report(f"{self.where} has {len(flat)} indices, not a multiple of 3: the last ones are left out")
            return flat[:len(flat) // 3 * 3].reshape(-1, 3)
        if len(flat) < 3:
            return np.empty((0, 3), np.int64)
        if mode == FAN:
            return np.stack([flat[1:-1], flat[2:], np.full(len(flat) - 2, flat[0])], -1)
        faces = np.stack([flat[:-2], flat[1:-1], flat[2:]], -1)
        faces[1::2] = faces[1::2][:, [0, 2, 1]]  # every second triangle of a strip runs the other way round
        return faces

    def _colors(self, vertices: int) -> np.ndarray | None:
        colors = self._optional("COLOR_0", vertices, "VEC3", "VEC4")
        if colors is None:
            return None
        colors = np.clip(colors, 0.0, 1.0)
        return colors if colors.shape[1] == 4 else np.concatenate([colors, np.ones((vertices, 1))], 1)

    def _targets(self, vertices: int) -> np.ndarray | None:
        targets = self.primitive["targets"]
        if not targets:
            return None
        self.accessors.budget.charge(len(targets) * vertices * 24, f"the morph targets of {self.where}")
        offsets = np.zeros((len(targets), vertices, 3))
        for m, target in enumerate(targets):
            with self.report.leaving_out(f"morph target {m} of {self.where}", MOTION):
                index = checked(target, {"POSITION": INDEX}, f"morph target {m}", self.report)["POSITION"]
                own = 0.0 if index is None else self.accessors.numbers(index, self.where, "VEC3")
                if index is not None and len(own) != vertices:
                    raise damaged(self.where, f"{len(own)} positions in it", f"{vertices}, as the mesh has")
                offsets[m] = own
        return self._finite(offsets, "morph targets")

    def _influences(self, vertices: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Joints and weights (V, K) of a skinned primitive."""
        joints, weights, s = [], [], 0
        while f"JOINTS_{s}" in self.attributes and f"WEIGHTS_{s}" in self.attributes:
            joints.append(self.attribute(f"JOINTS_{s}", "VEC4"))
            weights.append(self.attribute(f"WEIGHTS_{s}", "VEC4"))
            s += 1
        if not joints:
            return None, None
        if any(len(a) != vertices for a in joints + weights):
            raise damaged(self.where, "joints or weights of another number", f"one for each of {vertices} positions")
        joints, weights = np.concatenate(joints, 1), np.concatenate(weights, 1)
        if not ((joints >= 0) & (joints <= 65535)).all():
            raise damaged(self.where, "joints that are no indices", "whole numbers up to 65535")
        return joints.astype(np.int64), clean_weights(weights, self.where, self.report)


def clean_weights(weights: np.ndarray, where: str, report: Report) -> np.ndarray:
    """Skin weights (V, K) that sum to 1: NaN and negative ones count as 0; a vertex without any hangs on its first joint."""
    with np.errstate(invalid="ignore"):
        bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        report(f"{where} has {int(bad.sum())} skin weights that are NaN or negative: taken as 0, the others renormalised")
        weights = np.where(bad, 0.0, weights)
    total = weights.sum(1, keepdims=True)
    loose = total[:, 0] < 1e-9
    if loose.any():
        report(f"{where} has {int(loose.sum())} vertices without any skin weight: they follow their first joint")
        weights, total = weights.copy(), total.copy()
        weights[loose] = np.eye(1, weights.shape[1])
        total[loose] = 1
    return weights / total


def _compact(primitive: Primitive) -> Primitive:
    """The same without vertices that no triangle uses, where these are most: as when many primitives share one buffer."""
    used = np.zeros(len(primitive.positions), bool)
    used[primitive.faces] = True
    if 2 * int(used.sum()) > len(used):
        return primitive
    own = {name: None if array is None else array[used] for name in ("positions", "normals", "colors", "joints", "weights")
           for array in [getattr(primitive, name)]}
    return replace(primitive, **own, faces=(np.cumsum(used) - 1)[primitive.faces],
                   texcoords={s: values[used] for s, values in primitive.texcoords.items()},
                   targets=None if primitive.targets is None else primitive.targets[:, used])

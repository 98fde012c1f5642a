"""Primitives: the triangles, vertices and vertex data of a mesh (glTF 2.0, section 3.7.2).

Letters: V vertices, F triangles, M morph targets, K joints a vertex hangs on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from puppetmaster_core.assets.gltf.accessors import COMPONENTS, WIDTHS, Accessors
from puppetmaster_core.assets.gltf.compression import DRACO, unpack_draco
from puppetmaster_core.assets.gltf.document import integer, mapping, objects, short
from puppetmaster_core.assets.gltf.errors import MOTION, PART, AssetError, Report, WholeFileError

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
        self.accessors, self.primitive, self.where, self.report = accessors, primitive, where, report
        self.attributes = mapping(primitive, "attributes", where)
        draco = mapping(mapping(primitive, "extensions", where), DRACO, where)
        self.draco_faces, self.draco = self._unpack(draco) if draco else (None, {})

    def read(self) -> Primitive | None:
        """The primitive, or None (reported) if it is not made of triangles."""
        mode = integer(self.primitive, "mode", self.where, default=TRIANGLES)
        if mode not in (TRIANGLES, STRIP, FAN) or "POSITION" not in self.attributes:
            self.report(f"{self.where} is made of {'points or lines' if mode < 4 else 'nothing known'}: left out"
                        if "POSITION" in self.attributes else f"{self.where} has no positions: left out", PART)
            return None
        self._check_size(self.accessors.container.limits.vertices)
        positions = self.attribute("POSITION", "VEC3")
        faces = self._faces(len(positions), mode)
        positions, faces = _finite(positions, faces, self.where, self.report)
        joints, weights = self._influences(len(positions))
        texcoords = {s: self._optional(f"TEXCOORD_{s}", len(positions), "VEC2") for s in range(8)}
        found = Primitive(positions, faces, integer(self.primitive, "material", self.where, default=None),
                          self._optional("NORMAL", len(positions), "VEC3"),
                          {s: values for s, values in texcoords.items() if values is not None},
                          self._colors(len(positions)), self._targets(len(positions)), joints, weights)
        if not len(faces):
            self.report(f"{self.where} has no triangles: left out", PART)
        return _compact(found)

    def _check_size(self, most: int) -> None:
        """Refuse what is too large before any of it is read."""
        count = self.accessors.count(integer(self.attributes, "POSITION", self.where), self.where)
        if count > most:
            raise WholeFileError(f"{self.where} has {count:,} vertices, at most {most:,} are read: "
                              "simplify it, or raise Limits.vertices")

    def attribute(self, name: str, *kinds: str) -> np.ndarray:
        """Attribute `name` as float64 (V, W), not to be written to."""
        index = integer(self.attributes, name, self.where)
        if name not in self.draco:
            return self.accessors.shared(index, self.where, *kinds)
        accessor = self.accessors.document.get("accessors", index, self.where)
        values = self.draco[name].astype(np.float64)
        if values.shape[1] not in {WIDTHS[kind] for kind in kinds}:
            raise AssetError(f"{self.where} has Draco data of {values.shape[1]} numbers for {name}, wanted {' or '.join(kinds)}: "
                             "it is damaged, export it again")
        dtype = COMPONENTS.get(integer(accessor, "componentType", self.where, default=5126))
        if accessor.get("normalized") and dtype is not None and dtype.kind != "f":
            values = np.maximum(values / np.iinfo(dtype).max, -1.0)
        return values

    def _unpack(self, draco: dict) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        view, _ = self.accessors.view(integer(draco, "bufferView", self.where), self.where)
        ids = mapping(draco, "attributes", self.where)
        for name in self.attributes:  # charged by what the accessors announce; what comes out is checked against it
            count = self.accessors.count(integer(self.attributes, name, self.where), self.where)
            self.accessors.budget.charge(count * 32, self.where)
        faces, attributes = unpack_draco(view, self.where)
        self.accessors.budget.charge(faces.nbytes + sum(a.nbytes for a in attributes.values()), self.where)
        named = {}
        for name in self.attributes:
            if name in ids:
                values = attributes.get(integer(ids, name, self.where))
                if values is None:
                    raise AssetError(f"{self.where} has no Draco attribute for {short(name)}: it is damaged, export it again")
                named[name] = values
        return faces, named

    def _vertex(self, name: str, vertices: int, *kinds: str) -> np.ndarray:
        """An attribute with one entry a vertex, finite; anything else is refused or reported."""
        values = self.attribute(name, *kinds)
        if len(values) != vertices:
            raise AssetError(f"{self.where} has {vertices} positions and {len(values)} of {name}: it is damaged, export it again")
        bad = ~np.isfinite(values)
        if bad.any():
            self.report(f"{self.where} has {int(bad.sum())} numbers in {name} that are not finite: taken as 0")
            values = np.where(bad, 0.0, values)
        return values

    def _optional(self, name: str, vertices: int, *kinds: str) -> np.ndarray | None:
        """An attribute that the triangles can do without: None where there is none, or (reported) it is of no use."""
        if name in self.attributes:
            with self.report.leaving_out(f"{name} of {self.where}", PART):
                return self._vertex(name, vertices, *kinds)
        return None

    def _faces(self, vertices: int, mode: int) -> np.ndarray:
        if self.draco_faces is not None:
            flat, mode = self.draco_faces.reshape(-1), TRIANGLES
        elif self.primitive.get("indices") is not None:
            flat = self.accessors.integers(integer(self.primitive, "indices", self.where), self.where, "SCALAR")[:, 0]
        else:
            flat = np.arange(vertices)
        if len(flat) and (flat.min() < 0 or flat.max() >= vertices):
            raise AssetError(f"{self.where} has a triangle at vertex {flat.max()} of {vertices}: it is damaged, export it again")
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
        targets = objects(self.primitive, "targets", self.where)
        if not targets:
            return None
        self.accessors.budget.charge(len(targets) * vertices * 24, f"the morph targets of {self.where}")
        offsets = np.zeros((len(targets), vertices, 3))
        for m, target in enumerate(targets):
            if target.get("POSITION") is not None:
                with self.report.leaving_out(f"morph target {m} of {self.where}", MOTION):
                    own = self.accessors.numbers(integer(target, "POSITION", self.where), self.where, "VEC3")
                    if len(own) != vertices:
                        raise AssetError(f"it has {len(own)} positions, the mesh {vertices}")
                    offsets[m] = own
        bad = ~np.isfinite(offsets)
        if bad.any():
            self.report(f"{self.where} has morph targets with {int(bad.sum())} numbers that are not finite: taken as 0")
            offsets[bad] = 0
        return offsets

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
            raise AssetError(f"{self.where} has not one joint and one weight a position: it is damaged, export it again")
        joints, weights = np.concatenate(joints, 1), np.concatenate(weights, 1)
        if not np.isfinite(joints).all() or (joints < 0).any() or (joints > 65535).any():
            raise AssetError(f"{self.where} names joints that cannot be: it is damaged, export it again")
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
    count = int(used.sum())
    if 2 * count > len(used) or not count:
        return primitive
    own = {name: None if array is None else array[used] for name in ("positions", "normals", "colors", "joints", "weights")
           for array in [getattr(primitive, name)]}
    return replace(primitive, **own, faces=(np.cumsum(used) - 1)[primitive.faces],
                   texcoords={s: values[used] for s, values in primitive.texcoords.items()},
                   targets=None if primitive.targets is None else primitive.targets[:, used])


def _finite(positions: np.ndarray, faces: np.ndarray, where: str, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """Positions that are all finite, and the faces that touch only those that were."""
    bad = ~np.isfinite(positions).all(1)
    if not bad.any():
        return positions, faces
    report(f"{where} has {int(bad.sum())} vertices that are not finite: their triangles are left out")
    positions = np.where(bad[:, None], 0.0, positions)
    return positions, faces[~bad[faces].any(1)]

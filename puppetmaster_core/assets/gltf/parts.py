"""The parts of an asset: every primitive on every node that is drawn, with its skin, and every instance of it.

A part that cannot be read is left out, and the report says so. Letters: V vertices, J joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.asset import Skin
from puppetmaster_core.assets.gltf.document import Document, indices, integer, label, mapping, objects
from puppetmaster_core.assets.gltf.errors import PART, AssetError, Limits, Report, WholeFileError
from puppetmaster_core.assets.gltf.nodes import compose, unit
from puppetmaster_core.assets.gltf.primitives import Primitive, PrimitiveReader

INSTANCING = "EXT_mesh_gpu_instancing"
MOST_SUBMODELS = 2**15  # that pictures of sub-models can tell apart


@dataclass(frozen=True)
class Part:
    """One primitive on one node, or one instance of it there."""

    node: int
    submodel: int
    primitive: Primitive
    where: str
    skin: int | None  # that moves it; None = the node does
    place: np.ndarray | None = None  # (4, 4), of the instance in the node's space

    @property
    def positions(self) -> np.ndarray:
        """(V, 3) in the node's space."""
        own = self.primitive.positions
        return own if self.place is None else own @ self.place[:3, :3].T + self.place[:3, 3]

    @property
    def targets(self) -> np.ndarray | None:
        """Offsets (M, V, 3) of the morph targets in the node's space."""
        own = self.primitive.targets
        return own if self.place is None or own is None else own @ self.place[:3, :3].T


class PartReader:
    """Reads meshes and skins once, however often they are used."""

    def __init__(self, document: Document, accessors: Accessors, limits: Limits, report: Report):
        self.document, self.accessors, self.limits, self.report = document, accessors, limits, report
        self.primitives, self.skins = {}, {}
        self.vertices = self.triangles = 0

    def read(self, drawn: list[int]) -> tuple[list[Part], list[str]]:
        """The parts of the nodes drawn, and the sub-models' names. Counts are checked before anything is made."""
        parts, names = [], []
        for node in drawn:
            before, item = len(parts), self.document.all("nodes")[node]
            with self.report.leaving_out(f"the mesh of node {node}", PART):
                submodel = min(len(names), MOST_SUBMODELS - 1)
                index = integer(item, "mesh", f"node {node}")
                mesh, places = self.document.get("meshes", index, f"node {node}"), self._places(item, f"node {node}")
                for p, primitive in enumerate(objects(mesh, "primitives", f"mesh {index}")):
                    where = f"primitive {p} of mesh {index}"
                    with self.report.leaving_out(where, PART):
                        self._add(parts, (index, p), primitive, where, node, submodel, places)
                name = label(item, label(mesh, f"node {node}"))
            if len(parts) > before and len(names) < MOST_SUBMODELS:
                names.append(name)
            elif len(parts) > before:
                self.report(f"more than {MOST_SUBMODELS:,} nodes have a mesh: the others belong to the last sub-model", PART)
        if not parts:
            raise self.report.first_loss or AssetError("shows no triangles: give a file with a mesh in its scene")
        return parts, names

    def _add(self, parts: list[Part], key: tuple, primitive: dict, where: str, node: int, submodel: int, places: list) -> None:
        """Append a primitive, once an instance. Raises AssetError."""
        if key not in self.primitives:
            self.primitives[key] = None  # also where reading it fails
            self.primitives[key] = PrimitiveReader(self.accessors, primitive, where, self.report).read()
        found = self.primitives[key]
        if found is None or not len(found.faces):
            return
        skin = integer(self.document.all("nodes")[node], "skin", f"node {node}", default=None)
        skin = None if found.joints is None else skin
        if skin is not None:
            _check_joints(found, len(self.skin(skin).joints), where)
            if places != [None]:
                self.report(f"{where} is skinned, and node {node} has instances of it: drawn once", PART)
                places = [None]
        self.vertices += len(found.positions) * len(places)
        self.triangles += len(found.faces) * len(places)
        if self.vertices > self.limits.vertices or self.triangles > self.limits.triangles:
            raise WholeFileError(f"draws more than {self.limits.vertices:,} vertices or {self.limits.triangles:,} triangles: "
                              "simplify the meshes, or raise Limits.vertices and Limits.triangles")
        self.accessors.budget.charge((len(found.positions) * 100 + len(found.faces) * 80) * len(places), where)
        if found.targets is not None and places != [None]:
            self.accessors.budget.charge(found.targets.nbytes * len(places), where)
        parts += [Part(node, submodel, found, where, skin, place) for place in places]

    def _places(self, item: dict, name: str) -> list[np.ndarray | None]:
        """Where EXT_mesh_gpu_instancing puts a node's mesh: matrices (4, 4); [None] = where the node is. Raises AssetError."""
        extension = mapping(mapping(item, "extensions", name), INSTANCING, name)
        attributes, read = mapping(extension, "attributes", name), {}
        for key, kind in (("TRANSLATION", "VEC3"), ("ROTATION", "VEC4"), ("SCALE", "VEC3")):
            if key in attributes:
                read[key] = self.accessors.numbers(integer(attributes, key, name), f"{key} of {name}", kind)
        if not read:
            return [None]
        counts = {key: len(values) for key, values in read.items()}
        count = min(counts.values())
        if count < max(counts.values()):
            raise AssetError(f"{name} has instances of {counts}, wanted as many of each: it is damaged, export it again")
        self.accessors.budget.charge(count * 256, name)
        good = np.logical_and.reduce([np.isfinite(values).all(1) for values in read.values()])
        if not good.all():
            self.report(f"{name} has {int((~good).sum())} instances with numbers that are not finite: left out", PART)
        turned = unit(read.get("ROTATION", np.tile([0.0, 0, 0, 1], (count, 1)))[good], f"instances of {name}", self.report)
        return list(compose(read.get("TRANSLATION", np.zeros((count, 3)))[good], turned,
                            read.get("SCALE", np.ones((count, 3)))[good]))

    def skin(self, index: int) -> Skin:
        """Skin `index`. Raises AssetError."""
        if index not in self.skins:
            try:
                self.skins[index] = self._skin(index)
            except AssetError as error:
                self.skins[index] = error
        if isinstance(self.skins[index], AssetError):
            raise self.skins[index]
        return self.skins[index]

    def _skin(self, index: int) -> Skin:
        name = f"skin {index}"
        skin = self.document.get("skins", index, "a node")
        joints = indices(skin, "joints", name)
        if not joints:
            raise AssetError(f"{name} has no joints: it is damaged, export it again")
        for joint in joints:
            self.document.get("nodes", joint, name)
        self.accessors.budget.charge(len(joints) * 128, name)
        inverse = np.tile(np.eye(4), (len(joints), 1, 1))
        if skin.get("inverseBindMatrices") is not None:
            given = self.accessors.numbers(integer(skin, "inverseBindMatrices", name), name, "MAT4")
            given = given.reshape(-1, 4, 4).transpose(0, 2, 1)
            if len(given) < len(joints):
                raise AssetError(f"{name} has {len(given)} inverse bind matrices for {len(joints)} joints: export it again")
            inverse = given[:len(joints)].copy()
        bad = ~np.isfinite(inverse).all((1, 2))
        if bad.any():
            self.report(f"{name} has {int(bad.sum())} inverse bind matrices that are not finite: taken as identities")
            inverse[bad] = np.eye(4)
        return Skin(np.array(joints), inverse)


def _check_joints(primitive: Primitive, joints: int, where: str) -> None:
    bad = (primitive.joints >= joints) & (primitive.weights > 0)
    if bad.any():
        raise AssetError(f"{where} hangs on joint {primitive.joints[bad].max()} of a skin of {joints}: "
                         "it is damaged, export it again")

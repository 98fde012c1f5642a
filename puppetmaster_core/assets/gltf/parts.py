"""The parts of an asset: every primitive on every node that is drawn, with its skin, and every instance of it.

A part that cannot be read is left out, and the report says so. Letters: V vertices, J joints, N nodes, P parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets.gltf.accessors import Accessors
from puppetmaster_core.assets.gltf.document import NODE_MESH, checked
from puppetmaster_core.assets.gltf.errors import PART, AssetError, Report, damaged
from puppetmaster_core.assets.gltf.nodes import NodeTree, compose, unit
from puppetmaster_core.assets.gltf.primitives import Primitive, PrimitiveReader

MOST_SUBMODELS = 2**15  # that pictures of sub-models can tell apart


@dataclass(frozen=True)
class Skin:
    """Joints and the matrices that take a mesh vertex into each joint's own space."""

    joints: np.ndarray  # (J,) nodes
    inverse_bind: np.ndarray  # (J, 4, 4)


@dataclass(frozen=True)
class Part:
    """One primitive on one node, or one instance of it there."""

    node: int
    submodel: int
    primitive: Primitive
    where: str
    skin: Skin | None  # that moves it; None = the node does
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

    def mirrored(self, nodes: np.ndarray) -> bool:
        """Whether its corners run clockwise from the front (section 3.7.4), given which nodes (N,) are mirrored.

        A skinned part is mirrored where the joints that carry most of it are.
        """
        if self.skin is None:
            return bool(nodes[self.node]) != (self.place is not None and np.linalg.det(self.place[:3, :3]) < 0)
        with np.errstate(all="ignore"):
            turned = nodes[self.skin.joints] ^ (np.linalg.det(self.skin.inverse_bind[:, :3, :3]) < 0)
        own = self.primitive
        return bool((turned[np.minimum(own.joints, len(turned) - 1)] * own.weights).sum() > len(own.positions) / 2)


def mirrored_nodes(tree: NodeTree) -> np.ndarray:
    """Which nodes are mirrored at rest, (N,) bool: the signs of their scales multiply down the tree."""
    turned = (tree.scale < 0).sum(1) % 2 == 1
    with np.errstate(all="ignore"):
        for node, matrix in tree.matrices.items():
            turned[node] = np.linalg.det(matrix[:3, :3]) < 0
    for level in tree.levels[1:]:
        turned[level] ^= turned[tree.parent[level]]
    return turned


class PartReader:
    """Reads meshes and skins once, however often they are used."""

    def __init__(self, accessors: Accessors, report: Report):
        self.document, self.accessors, self.report = accessors.document, accessors, report
        self.primitives, self.skins = {}, {}
        self.vertices = self.triangles = 0

    def read(self, drawn: list[int]) -> tuple[list[Part], list[str]]:
        """The parts of the nodes drawn, and the sub-models' names. Counts are checked before anything is made."""
        parts, names = [], []
        for node in drawn:
            before, where = len(parts), f"node {node}"
            with self.report.leaving_out(f"the mesh of {where}", PART):
                item = checked(self.document.get("nodes", node, where), NODE_MESH, where, self.report)
                mesh, places = self.document.get("meshes", item["mesh"], where), self._places(item, where)
                for p, primitive in enumerate(mesh["primitives"]):
                    name = f"primitive {p} of mesh {item['mesh']}"
                    with self.report.leaving_out(name, PART):
                        parts += self._parts((item["mesh"], p), primitive, name, node, len(names), item["skin"], places)
                if len(parts) > before:
                    names.append(item["name"] or mesh["name"] or where)
        if not parts:
            raise self.report.first_loss or AssetError("shows no triangles: give a file with a mesh in its scene")
        if len(names) > MOST_SUBMODELS:
            raise AssetError(f"got {len(names):,} nodes with a mesh, expected at most {MOST_SUBMODELS:,}: join some")
        return parts, names

    def _parts(self, key: tuple, raw: dict, where: str, node: int, submodel: int, skin: int | None, places: list) -> list[Part]:
        """A primitive, once an instance. Raises AssetError."""
        if key not in self.primitives:
            self.primitives[key] = None  # also where reading it fails
            self.primitives[key] = PrimitiveReader(self.accessors, raw, where, self.report).read()
        primitive, budget, limits = self.primitives[key], self.accessors.budget, self.accessors.container.limits
        if primitive is None:
            return []
        skin = None if primitive.joints is None or skin is None else self._skin(skin)
        if skin is not None:
            bad = (primitive.joints >= len(skin.joints)) & (primitive.weights > 0)
            if bad.any():
                raise damaged(where, f"joint {primitive.joints[bad].max()}", f"one of the {len(skin.joints)} in its skin")
            if places != [None]:
                self.report(f"{where} is skinned, and node {node} has instances of it: drawn once", PART)
                places = [None]
        self.vertices += len(primitive.positions) * len(places)
        self.triangles += len(primitive.faces) * len(places)
        limits.check("vertices", self.vertices, "vertices that are drawn")
        limits.check("triangles", self.triangles, "triangles that are drawn")
        budget.charge((len(primitive.positions) * 100 + len(primitive.faces) * 80) * len(places), where)
        if primitive.targets is not None and places != [None]:
            budget.charge(primitive.targets.nbytes * len(places), where)
        return [Part(node, submodel, primitive, where, skin, place) for place in places]

    def _places(self, item: dict, name: str) -> list[np.ndarray | None]:
        """Where EXT_mesh_gpu_instancing puts a node's mesh: matrices (4, 4); [None] = where the node is. Raises AssetError."""
        attributes = (item["extensions"]["EXT_mesh_gpu_instancing"] or {"attributes": {}})["attributes"]
        read = {key: self.accessors.numbers(attributes[key], f"{key} of {name}", kind)
                for key, kind in (("TRANSLATION", "VEC3"), ("ROTATION", "VEC4"), ("SCALE", "VEC3"))
                if attributes.get(key) is not None}
        if not read:
            return [None]
        counts = {key: len(values) for key, values in read.items()}
        count = min(counts.values())
        if count < max(counts.values()):
            raise damaged(f"instances of {name}", counts, "as many of each")
        if not all(np.isfinite(values).all() for values in read.values()):
            raise damaged(f"instances of {name}", "numbers that are not finite", "finite ones")
        self.accessors.budget.charge(count * 256, name)
        turned = unit(read.get("ROTATION", np.tile([0.0, 0, 0, 1], (count, 1))), f"instances of {name}", self.report)
        return list(compose(read.get("TRANSLATION", np.zeros((count, 3))), turned, read.get("SCALE", np.ones((count, 3)))))

    def _skin(self, index: int) -> Skin:
        """Skin `index`. Raises AssetError."""
        if index not in self.skins:
            name, skin = f"skin {index}", self.document.get("skins", index, "a node")
            joints, matrices = skin["joints"], skin["inverseBindMatrices"]
            if not joints or max(joints) >= len(self.document.json["nodes"]):
                raise damaged(name, f"joints {joints[:10]}", f"some of the file's {len(self.document.json['nodes'])} nodes")
            self.accessors.budget.charge(len(joints) * 128, name)
            inverse = np.tile(np.eye(4), (len(joints), 1, 1))
            if matrices is not None:
                inverse = self.accessors.numbers(matrices, name, "MAT4").reshape(-1, 4, 4).transpose(0, 2, 1)[:len(joints)].copy()
            if len(inverse) < len(joints) or not np.isfinite(inverse).all():
                raise damaged(name, f"{np.isfinite(inverse).all((1, 2)).sum()} finite inverse bind matrices",
                              f"one for each of {len(joints)} joints")
            self.skins[index] = Skin(np.array(joints), inverse)
        return self.skins[index]

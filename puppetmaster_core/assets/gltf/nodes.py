"""The node tree: who hangs from whom, and where everything is once some nodes have moved (glTF 2.0, section 3.5).

Letters: N nodes. Matrices act on column vectors; rotations are quaternions x, y, z, w.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.assets.gltf.document import Document
from puppetmaster_core.assets.gltf.errors import PART, Report, damaged


@dataclass(frozen=True)
class NodeTree:
    """Every node of the file at rest."""

    parent: np.ndarray  # (N,) int64, -1 = a root
    translation: np.ndarray  # (N, 3)
    rotation: np.ndarray  # (N, 4), of length 1
    scale: np.ndarray  # (N, 3)
    matrices: dict[int, np.ndarray]  # nodes whose local transform is a matrix (4, 4) and not the three above
    levels: list[np.ndarray]  # nodes by depth, roots first

    def world(self, translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """World matrices (N, 4, 4) of all nodes under these local transforms, one matrix product a depth."""
        world = compose(translation, rotation, scale)
        for node, matrix in self.matrices.items():
            world[node] = matrix
        for level in self.levels[1:]:
            world[level] = world[self.parent[level]] @ world[level]
        return world

    def rest(self) -> np.ndarray:
        return self.world(self.translation, self.rotation, self.scale)

    def inherited(self, nodes: list[int]) -> np.ndarray:
        """Which nodes are among `nodes` or hang from one of them, (N,) bool."""
        marked = np.zeros(len(self.parent), bool)
        marked[nodes] = True
        for level in self.levels[1:]:
            marked[level] |= marked[self.parent[level]]
        return marked

    def without_matrices(self, nodes: set[int]) -> NodeTree:
        """The same tree with the matrices of `nodes`, which are animated, taken apart."""
        if not nodes & set(self.matrices):
            return self
        kept = {node: matrix for node, matrix in self.matrices.items() if node not in nodes}
        tree = NodeTree(self.parent, self.translation.copy(), self.rotation.copy(), self.scale.copy(), kept, self.levels)
        for node in set(self.matrices) & nodes:
            tree.translation[node], tree.rotation[node], tree.scale[node] = decompose(self.matrices[node])
        return tree


def compose(translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Matrices (N, 4, 4) that scale, then rotate, then translate."""
    x, y, z, w = rotation.T
    turn = np.empty((len(rotation), 3, 3))
    turn[:, 0, 0], turn[:, 0, 1], turn[:, 0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    turn[:, 1, 0], turn[:, 1, 1], turn[:, 1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    turn[:, 2, 0], turn[:, 2, 1], turn[:, 2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    matrices = np.zeros((len(rotation), 4, 4))
    matrices[:, :3, :3] = turn * scale[:, None, :]
    matrices[:, :3, 3] = translation
    matrices[:, 3, 3] = 1
    return matrices


def decompose(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Translation, rotation (x, y, z, w) and scale of a matrix (4, 4); shear is lost. A mirrored one gets a negative x scale.

    The quaternion is the eigenvector of Bar-Itzhack's symmetric matrix (2000).
    """
    linear = matrix[:3, :3]
    scale = np.linalg.norm(linear, axis=0)
    if np.linalg.det(linear) < 0:
        scale[0] = -scale[0]
    (a, b, c), (d, e, f), (g, h, i) = linear / np.where(scale == 0, 1, scale)
    symmetric = np.array([[a - e - i, b + d, c + g, h - f], [b + d, e - a - i, f + h, c - g],
                          [c + g, f + h, i - a - e, d - b], [h - f, c - g, d - b, a + e + i]])
    q = np.linalg.eigh(symmetric)[1][:, -1] if np.isfinite(symmetric).all() else np.array([0.0, 0, 0, 1])
    return matrix[:3, 3].copy(), q if q[3] >= 0 else -q, scale


def unit(rotation: np.ndarray, where: str, report: Report) -> np.ndarray:
    """Quaternions (..., 4) of length 1; those of no length become "no rotation", which is reported."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(rotation, axis=-1, keepdims=True)
        bad = ~(length > 1e-12) | ~np.isfinite(length)
        if not bad.any():
            return rotation / length
    report(f"{where} holds {int(bad.sum())} rotations of no usable length: taken as no rotation")
    return np.where(bad, [0.0, 0, 0, 1], rotation / np.where(bad, 1, length))


def read_nodes(document: Document, report: Report) -> NodeTree:
    """The node tree of a file, without children that are not there. Raises AssetError for a cycle or a node with two parents."""
    n = len(document.json["nodes"])
    nodes, parent = [document.get("nodes", i, "the file") for i in range(n)], np.full(n, -1)
    children = [_present(document, node["children"], f"node {i}", report) for i, node in enumerate(nodes)]
    for i, own in enumerate(children):
        for child in own:
            if parent[child] >= 0:
                raise damaged("the nodes", f"node {child} below node {parent[child]} and node {i}", "a tree")
            parent[child] = i
    levels, seen = [np.flatnonzero(parent < 0)], 0
    while len(levels[-1]):
        seen += len(levels[-1])
        levels.append(np.array([child for i in levels[-1] for child in children[i]], np.int64))
    if seen < n:
        raise damaged("the nodes", f"{n - seen} nodes in a cycle", "a tree")
    translation, rotation, scale = (np.array([node[key] for node in nodes]).reshape(n, width)
                                    for key, width in (("translation", 3), ("rotation", 4), ("scale", 3)))
    matrices = {i: node["matrix"].reshape(4, 4).T for i, node in enumerate(nodes) if node["matrix"] is not None}
    return NodeTree(parent, translation, unit(rotation, "a node", report) if n else rotation, scale, matrices, levels[:-1])


def _present(document: Document, indices: list[int], where: str, report: Report) -> list[int]:
    """Those of the nodes at `indices` that are in the file."""
    count = len(document.json["nodes"])
    for index in indices:
        if index >= count:
            with report.leaving_out(f"a node of {where}", PART):
                document.get("nodes", index, where)
    return [index for index in indices if index < count]


def drawn_nodes(document: Document, tree: NodeTree, report: Report) -> list[int]:
    """The nodes with a mesh that the file's scene shows, in file order; without scenes, all of them.

    What KHR_node_visibility hides is not among them, nor is what hangs from it.
    """
    nodes, index = document.json["nodes"], document.json["scene"]
    shown = np.ones(len(nodes), bool)
    if document.json["scenes"]:
        roots = document.get("scenes", index, "the file")["nodes"]
        shown = tree.inherited(_present(document, roots, f"scene {index}", report))
    shown &= ~tree.inherited([i for i, node in enumerate(nodes) if "extensions" in node and _is_hidden(node["extensions"])])
    return [i for i, node in enumerate(nodes) if shown[i] and node.get("mesh") is not None]


def _is_hidden(extensions) -> bool:
    said = extensions.get("KHR_node_visibility") if isinstance(extensions, dict) else None
    return isinstance(said, dict) and said.get("visible") is False

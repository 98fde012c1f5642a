"""Which way round triangles run once their node is placed: a mirrored one shows its corners clockwise from the front.

glTF 2.0, section 3.7.4. Letters: N nodes, P parts, J joints.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets.gltf.animation import Animation
from puppetmaster_core.assets.gltf.asset import Skin
from puppetmaster_core.assets.gltf.errors import LOOK, Report
from puppetmaster_core.assets.gltf.nodes import NodeTree
from puppetmaster_core.assets.gltf.parts import Part


def mirrored(parts: list[Part], skins: dict[int, Skin], tree: NodeTree, animations: list[Animation],
             report: Report) -> tuple[np.ndarray, np.ndarray]:
    """Which parts are mirrored, and which ones in some poses only: both (P,) bool, the second reported.

    A skinned part is mirrored where the joints that carry most of it are.
    """
    with np.errstate(all="ignore"):
        own = {s: np.linalg.det(skin.inverse_bind[:, :3, :3]) < 0 for s, skin in skins.items()}
        poses = [_turned(tree, tree.scale)]
        if _may_turn(tree, animations):  # then the poses that are filmed count
            poses = [_posed(tree, animation, t) for animation in animations
                     for t in (0.0, animation.duration / 2, animation.duration)]
        found = np.array([_signs(turned, parts, skins, own) for turned in poses])
    always, ever = found.all(0), found.any(0)
    for p in np.flatnonzero(ever & ~always):
        report(f"{parts[p].where} is turned inside out while it moves: both its sides are drawn", LOOK)
    return always, ever & ~always


def _may_turn(tree: NodeTree, animations: list[Animation]) -> bool:
    scales = [animation.moves["scale"].values for animation in animations if "scale" in animation.moves]
    mirrors = (tree.scale < 0).any() or any(np.linalg.det(m[:3, :3]) < 0 for m in tree.matrices.values())
    return bool(scales) and bool(mirrors or any((values < 0).any() for values in scales))


def _posed(tree: NodeTree, animation: Animation, t: float) -> np.ndarray:
    tree = tree.without_matrices(animation.nodes) if tree.matrices else tree
    return _turned(tree, animation.pose(tree, t)[2])


def _turned(tree: NodeTree, scale: np.ndarray) -> np.ndarray:
    """Which nodes are mirrored in the world, (N,) bool, under these local scales: the signs multiply down the tree."""
    turned = (scale < 0).sum(1) % 2 == 1
    for node, matrix in tree.matrices.items():
        turned[node] = np.linalg.det(matrix[:3, :3]) < 0
    for level in tree.levels[1:]:
        turned[level] ^= turned[tree.parent[level]]
    return turned


def _signs(nodes: np.ndarray, parts: list[Part], skins: dict[int, Skin], own: dict[int, np.ndarray]) -> list[bool]:
    """Whether each part is mirrored where nodes (N,) are; own: whether a skin's inverse bind matrices mirror, (J,)."""
    joints = {s: nodes[skin.joints] ^ own[s] for s, skin in skins.items()}
    return [_sign(part, nodes, joints) for part in parts]


def _sign(part: Part, nodes: np.ndarray, joints: dict[int, np.ndarray]) -> bool:
    if part.skin is None:
        return bool(nodes[part.node]) != (part.place is not None and np.linalg.det(part.place[:3, :3]) < 0)
    turned = joints[part.skin]
    if not turned.any():
        return False
    own = part.primitive
    share = (turned[np.minimum(own.joints, len(turned) - 1)] * own.weights).sum()  # of the vertices
    return bool(share > len(own.positions) / 2)

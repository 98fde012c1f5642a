"""pygfx as an independent judge of glTF animation: its loader and its interpolants, no GPU, no display."""

import json
from pathlib import Path

import numpy as np


class Oracle:
    """Vertices of a .glb as pygfx 0.17 moves them, in the order of the file's nodes and primitives."""

    def __init__(self, path):
        import pygfx

        self.scene = pygfx.load_gltf(str(path), quiet=True, remote_ok=False)
        raw = Path(path).read_bytes()
        nodes = json.loads(raw[20:20 + int.from_bytes(raw[12:16], "little")])["nodes"]
        drawn = [self.scene._load_node(i) for i, node in enumerate(nodes) if "mesh" in node]
        self.meshes = [mesh for node in drawn for mesh in self._meshes(node, pygfx)]
        self.weights = {}

    @staticmethod
    def _meshes(node, pygfx):
        if isinstance(node, pygfx.Mesh):
            return [node]
        return [child for child in node.children if isinstance(child, pygfx.Mesh) and child.name == ""]

    def vertices(self, clip: int, t: float) -> np.ndarray:
        """(V, 3) float64 at `t` seconds of animation `clip`."""
        for track in self.scene.animations[clip].tracks:
            value = track.interpolation(t)
            if track.path == "weights":
                track.target.morph_target_influences = np.asarray(value).ravel()
            else:
                value = value[1] if np.ndim(value) == 2 else value  # at its ends, a spline's key still has its tangents
                setattr(track.target.local, {"translation": "position"}.get(track.path, track.path), value)
        bones = {}
        return np.concatenate([self._place(mesh, bones) for mesh in self.meshes])

    def _place(self, mesh, bones: dict) -> np.ndarray:
        """One mesh's vertices; `bones` keeps the matrices of skeletons that several meshes share."""
        geometry = mesh.geometry
        points = np.ones((len(geometry.positions.data), 4))
        points[:, :3] = geometry.positions.data
        if getattr(geometry, "morph_positions", None):
            for weight, target in zip(mesh.morph_target_influences, geometry.morph_positions, strict=True):
                points[:, :3] += float(weight) * target
        if not hasattr(mesh, "skeleton"):
            return (points @ mesh.world.matrix.T)[:, :3]
        skeleton = mesh.skeleton
        if id(skeleton) not in bones:
            pairs = zip(skeleton.bones, skeleton.bone_inverses, strict=True)
            bones[id(skeleton)] = np.stack([bone.world.matrix @ inverse for bone, inverse in pairs])
        blended = (self._weights(mesh) @ bones[id(skeleton)].reshape(-1, 16)).reshape(-1, 4, 4)
        return (blended @ points[:, :, None])[:, :3, 0]

    def _weights(self, mesh) -> np.ndarray:
        """(V, joints), each vertex's weight of each joint."""
        if mesh not in self.weights:
            geometry, full = mesh.geometry, np.zeros((len(mesh.geometry.positions.data), len(mesh.skeleton.bones)))
            rows = np.arange(len(full))[:, None]
            np.add.at(full, (rows, geometry.skin_indices.data.astype(int)), geometry.skin_weights.data)
            self.weights[mesh] = full
        return self.weights[mesh]

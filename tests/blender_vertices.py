"""Run by Blender's Python: where Blender has the vertices of .glb files. `blender_vertices.py OUT.npz TIMES.json`.

TIMES.json: {file: [seconds, …]}; OUT.npz: "file number/object name" → (times, V, 3) in glTF's axes. Each file has one clip.
"""

import json
import sys

import bpy
import numpy as np


def positions(thing, graph):
    """(V, 3) of a mesh object as it is evaluated now, +y up."""
    evaluated = thing.evaluated_get(graph)
    mesh = evaluated.to_mesh()
    points = np.empty(len(mesh.vertices) * 3)
    mesh.vertices.foreach_get("co", points)
    evaluated.to_mesh_clear()
    matrix = np.array(evaluated.matrix_world)
    x, y, z = (points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]).T
    return np.stack([x, z, -y], -1)


def main(out, times):
    found = {}
    with open(times) as file:
        wanted = json.load(file)
    for number, (path, seconds) in enumerate(wanted.items()):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.ops.import_scene.gltf(filepath=path, disable_bone_shape=True)
        meshes = [thing for thing in bpy.data.objects if thing.type == "MESH"]
        holders = [*bpy.data.objects, *(mesh.data.shape_keys for mesh in meshes if mesh.data.shape_keys)]
        for data in (holder.animation_data for holder in holders if holder.animation_data):
            for track in list(data.nla_tracks):
                data.nla_tracks.remove(track)
        scene, poses = bpy.context.scene, {}
        for t in seconds:
            frame = t * scene.render.fps
            scene.frame_set(int(frame), subframe=frame % 1)
            graph = bpy.context.evaluated_depsgraph_get()
            for thing in meshes:
                poses.setdefault(thing.name, []).append(positions(thing, graph))
        found |= {f"{number}/{name}": np.stack(pose) for name, pose in poses.items()}
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])

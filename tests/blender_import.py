"""Runs inside Blender's environment: `python blender_import.py IN.glb OUT.npz T …`. Where its glTF importer puts all vertices.

OUT holds `points` (times, V, 3), +y up, in Blender's own order. The file must have one animation; see REFERENCE on the traps.
"""

import sys

import bpy
import numpy as np

source, out, *times = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=source, disable_bone_shape=True)
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 24, 1.0
for thing in [*bpy.data.objects, *bpy.data.shape_keys]:  # each keeps its own track of the one animation: make it play
    data = thing.animation_data
    if data and data.nla_tracks:
        if data.action is None:
            strip = data.nla_tracks[0].strips[0]
            data.action, slot = strip.action, getattr(strip, "action_slot", None)
            if slot is not None:
                data.action_slot = slot
        for track in list(data.nla_tracks):
            data.nla_tracks.remove(track)
frames = []
for t in map(float, times):
    scene.frame_set(int(t * 24), subframe=t * 24 - int(t * 24))
    graph, parts = bpy.context.evaluated_depsgraph_get(), []
    for thing in sorted((o for o in scene.objects if o.type == "MESH"), key=lambda o: o.name):
        seen = thing.evaluated_get(graph)
        mesh = seen.to_mesh()
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        world = np.array(seen.matrix_world)
        parts.append(points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
        seen.to_mesh_clear()
    x, y, z = np.concatenate(parts).T
    frames.append(np.stack([x, z, -y], -1))
np.savez(out, points=np.stack(frames))

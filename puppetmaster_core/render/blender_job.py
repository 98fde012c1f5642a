"""Runs inside Blender's own environment (bpy 4.5, numpy 1), as a script: `python blender_job.py SCENE.npz OUT.npz`.

Draws what `blender_scene.py` wrote with Cycles, surfaces as `blender_materials.py` beside it makes them: every frame from every
camera, once for the colours, and once with a single sample at each pixel's centre for what lies there: sub-model, depth,
position, triangle and barycentric coordinates.
Imports nothing of this package, and nothing of it imports this.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np
from blender_materials import make_material
from mathutils import Matrix, Vector


def main(scene_path: str, out_path: str) -> None:
    with np.load(scene_path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    meta = json.loads(arrays.pop("meta").tobytes())
    scene = empty_scene(meta)
    materials = [make_material(m, meta, arrays.get(f"texture_{i}"), arrays.get(f"emission_{i}"))
                 for i, m in enumerate(meta["materials"])]
    parts = add_meshes(scene, arrays, materials)
    camera = add_camera(scene)
    add_lights(scene, meta)
    frames, views, size = len(arrays["vertices"]), len(meta["cameras"]), meta["size"]
    shape = (views, frames, size, size)
    out = {"color": np.empty((*shape, 4), np.float32), "where": np.empty((*shape, 4), np.float32),
           "what": np.empty((*shape, 4), np.float32)}
    with tempfile.TemporaryDirectory() as folder:
        write_passes(scene, Path(folder))
        for n in range(frames):
            for mesh, own in parts:
                mesh.vertices.foreach_set("co", arrays["vertices"][n, own].ravel())
                mesh.update()
            for view in range(views):
                aim(camera, meta["cameras"][view])
                if meta["samples"]:
                    draw(scene, meta["samples"], 1.0, meta["bounces"], meta["denoise"])
                    out["color"][view, n] = read(Path(folder) / "color0001.exr")
                draw(scene, 1, 0.01, 0, False)
                for name in ("where", "what"):
                    out[name][view, n] = read(Path(folder) / f"{name}0001.exr")
    save(out_path, out, bool(meta["samples"]))


def empty_scene(meta: dict):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x = scene.render.resolution_y = meta["size"]
    scene.render.resolution_percentage = 100
    scene.render.film_transparent = True
    scene.render.use_persistent_data = True
    scene.render.threads_mode, scene.render.threads = "FIXED", meta["threads"]
    scene.view_settings.view_transform = "Standard"
    scene.cycles.device = "CPU"
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.pixel_filter_type = "BOX"
    scene.cycles.transparent_max_bounces = 16
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_position = layer.use_pass_object_index = True
    for name, kind in (("triangle", "VALUE"), ("barycentric", "COLOR")):
        aov = layer.aovs.add()
        aov.name, aov.type = name, kind
    return scene


def add_meshes(scene, arrays: dict, materials: list) -> list[tuple]:
    """One object a sub-model, its pass index one more than the sub-model's. Returns each mesh with its vertices' numbers."""
    parts = []
    for part in np.unique(arrays["submodel"]):
        faces = np.flatnonzero(arrays["submodel"] == part)
        own, corners = np.unique(arrays["corners"][faces], return_inverse=True)
        mesh = bpy.data.meshes.new(f"part {part}")
        mesh.vertices.add(len(own))
        mesh.loops.add(3 * len(faces))
        mesh.polygons.add(len(faces))
        mesh.vertices.foreach_set("co", arrays["vertices"][0, own].ravel())
        mesh.loops.foreach_set("vertex_index", corners.ravel().astype(np.int32))
        mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * len(faces), 3, dtype=np.int32))
        mesh.polygons.foreach_set("material_index", arrays["material"][faces])
        mesh.polygons.foreach_set("use_smooth", arrays["smooth"][faces])
        mesh.uv_layers.new(name="uv").data.foreach_set("uv", arrays["uv"][faces].ravel())
        mesh.uv_layers.new(name="emission").data.foreach_set("uv", arrays["emission_uv"][faces].ravel())
        mesh.attributes.new("tint", "FLOAT_COLOR", "CORNER").data.foreach_set("color", arrays["colors"][faces].ravel())
        mesh.attributes.new("triangle", "FLOAT", "FACE").data.foreach_set("value", faces.astype(np.float32))
        corner = np.tile(np.eye(3, 4, dtype=np.float32), (len(faces), 1))
        mesh.attributes.new("barycentric", "FLOAT_COLOR", "CORNER").data.foreach_set("color", corner.ravel())
        for material in materials:
            mesh.materials.append(material)
        mesh.update(calc_edges=True)
        thing = bpy.data.objects.new(f"part {part}", mesh)
        thing.pass_index = int(part) + 1
        scene.collection.objects.link(thing)
        parts.append((mesh, own))
    return parts


def add_camera(scene):
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def aim(camera, values: dict) -> None:
    camera.matrix_world = Matrix(values["matrix"])
    camera.data.sensor_fit, camera.data.sensor_width, camera.data.lens = "HORIZONTAL", values["sensor"], values["lens"]
    camera.data.clip_start, camera.data.clip_end = 1e-3 * values["distance"], 1e3 * values["distance"]


def add_lights(scene, meta: dict) -> None:
    for values in meta["suns"]:
        sun = bpy.data.lights.new("sun", "SUN")
        sun.energy, sun.angle, sun.use_shadow = values["strength"], 0.0, meta["shadows"]
        thing = bpy.data.objects.new("sun", sun)
        thing.rotation_mode = "QUATERNION"
        thing.rotation_quaternion = Vector(values["towards"]).to_track_quat("Z", "Y")
        scene.collection.objects.link(thing)
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (1, 1, 1, 1)
    background.inputs["Strength"].default_value = meta["ambient"] if meta["shadows"] else 0.0


def write_passes(scene, folder: Path) -> None:
    """Three pictures a drawing, as floats: color; where = x, y, z, depth; what = two barycentrics, triangle, object."""
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new("CompositorNodeRLayers")
    files = tree.nodes.new("CompositorNodeOutputFile")
    files.base_path = str(folder)
    files.format.file_format, files.format.color_depth, files.format.color_mode = "OPEN_EXR", "32", "RGBA"
    files.format.exr_codec = "NONE"
    files.file_slots.clear()
    for name in ("color", "where", "what"):
        files.file_slots.new(name)
    split = {name: tree.nodes.new("CompositorNodeSeparateColor") for name in ("Position", "barycentric")}
    for name, node in split.items():
        tree.links.new(layers.outputs[name], node.inputs[0])
    tree.links.new(layers.outputs["Image"], files.inputs["color"])
    position, place = split["Position"].outputs, split["barycentric"].outputs
    for name, sources in (("where", (*position[:3], layers.outputs["Depth"])),
                          ("what", (*place[:2], layers.outputs["triangle"], layers.outputs["IndexOB"]))):
        joined = tree.nodes.new("CompositorNodeCombineColor")
        for source, socket in zip(sources, joined.inputs):  # noqa: B905 (both are four)
            tree.links.new(source, socket)
        tree.links.new(joined.outputs[0], files.inputs[name])


def draw(scene, samples: int, width: float, bounces: int, denoise: bool) -> None:
    scene.cycles.samples, scene.cycles.filter_width = samples, width
    scene.cycles.max_bounces = scene.cycles.diffuse_bounces = bounces
    scene.cycles.use_denoising = denoise
    bpy.ops.render.render()


def read(path: Path) -> np.ndarray:
    """A picture of floats (H, W, 4), its first row on top."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name, image.alpha_mode = "Non-Color", "CHANNEL_PACKED"
    pixels = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(image.size[1], image.size[0], image.channels)[::-1]
    bpy.data.images.remove(image)
    path.unlink()
    return pixels


def save(path: str, out: dict, colors: bool) -> None:
    """The passes as a Rendering's arrays, and the position pass."""
    what, where = out["what"], out["where"]
    part = np.rint(what[..., 3]).astype(np.int16) - 1
    seen = part >= 0
    barycentric = np.concatenate([what[..., :2], 1 - what[..., :1] - what[..., 1:2]], axis=-1)
    arrays = {"part_ids": part, "face": np.where(seen, np.rint(what[..., 2]), -1).astype(np.int32),
              "depth": np.where(seen, where[..., 3], np.inf).astype(np.float32),
              "barycentric": np.where(seen[..., None], barycentric, 0).astype(np.float32),
              "world": np.where(seen[..., None], where[..., :3], np.nan).astype(np.float32)}
    if colors:
        alpha = np.clip(out["color"][..., 3:], 0, 1)
        lit = np.clip(out["color"][..., :3] / np.maximum(alpha, 1e-6), 0, 1)
        shown = np.where(lit <= 0.0031308, lit * 12.92, 1.055 * lit ** (1 / 2.4) - 0.055)
        arrays["frames"] = np.rint(255 * (shown * alpha + 1 - alpha)).astype(np.uint8)
        arrays["alpha"] = np.rint(255 * alpha[..., 0]).astype(np.uint8)
    np.savez(path, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:3])

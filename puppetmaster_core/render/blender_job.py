"""Runs inside Blender's own environment (bpy 4.5, numpy 1), as a script: `python blender_job.py SCENE.npz OUT.npy`.

Draws what `blender.py` wrote with Cycles, every frame, in linear light with alpha: OUT is (N, H, W, 4) float32.
Cycles draws what the rasteriser draws: a matt colour × texture × vertex colours, what the surface sends out, holes, one side.
Imports nothing of this package, and nothing of it imports this.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector


def render_scene(scene_path: str, out_path: str) -> None:
    with np.load(scene_path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    meta = json.loads(arrays.pop("meta").tobytes())
    scene = empty_scene(meta)
    materials = [make_material(m, meta, arrays.get(f"texture_{i}"), arrays.get(f"emission_{i}"))
                 for i, m in enumerate(meta["materials"])]
    mesh = add_mesh(scene, arrays, materials)
    add_camera(scene, meta["camera"])
    add_lights(scene, meta)
    frames, size = len(arrays["vertices"]), meta["size"]
    out = np.empty((frames, size, size, 4), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        for n in range(frames):
            mesh.vertices.foreach_set("co", arrays["vertices"][n].ravel())
            mesh.update()
            out[n] = draw(scene, Path(folder) / "drawn.exr")
    np.save(out_path, out)


def empty_scene(meta: dict):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine, cycles.device = "CYCLES", "CPU"
    render.resolution_x = render.resolution_y = meta["size"]
    render.resolution_percentage, render.film_transparent, render.use_persistent_data = 100, True, True
    render.threads_mode, render.threads = "FIXED", 1  # one process a core
    form = render.image_settings
    form.file_format, form.color_mode, form.color_depth, form.exr_codec = "OPEN_EXR", "RGBA", "32", "NONE"
    cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = meta["samples"], False, False
    cycles.pixel_filter_type, cycles.filter_width = "BOX", 1.0
    cycles.max_bounces = cycles.diffuse_bounces = meta["bounces"]
    cycles.transparent_max_bounces = 16
    return scene


def add_mesh(scene, arrays: dict, materials: list):
    count = len(arrays["corners"])
    mesh = bpy.data.meshes.new("asset")
    mesh.vertices.add(arrays["vertices"].shape[1])
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.loops.foreach_set("vertex_index", arrays["corners"].ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", arrays["material"])
    mesh.polygons.foreach_set("use_smooth", arrays["smooth"])
    for name in ("uv", "emission_uv"):
        mesh.uv_layers.new(name=name).data.foreach_set("uv", arrays[name].ravel())
    mesh.attributes.new("tint", "FLOAT_COLOR", "CORNER").data.foreach_set("color", arrays["colors"].ravel())
    for material in materials:
        mesh.materials.append(material)
    mesh.vertices.foreach_set("co", arrays["vertices"][0].ravel())
    mesh.update(calc_edges=True)
    scene.collection.objects.link(bpy.data.objects.new("asset", mesh))
    return mesh


def add_camera(scene, values: dict) -> None:
    camera = scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
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


def draw(scene, path: Path) -> np.ndarray:
    """A picture of floats (H, W, 4), its first row on top."""
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name, image.alpha_mode = "Non-Color", "CHANNEL_PACKED"
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    shape = image.size[1], image.size[0], 4
    bpy.data.images.remove(image)
    path.unlink()
    return pixels.reshape(shape)[::-1]


# ---- surfaces ------------------------------------------------------------------------------------------------------------


class Graph:
    """A material's nodes: each call makes one, its inputs linked or set, and gives an output."""

    def __init__(self, material):
        material.use_nodes = True
        self.tree = material.node_tree
        self.tree.nodes.clear()

    def __call__(self, kind: str, *inputs, output=0, named: dict = {}, **properties):  # noqa: B006 (never written to)
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in properties.items():
            setattr(node, name, value)
        for key, value in [*enumerate(inputs), *named.items()]:
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[key])
            else:
                node.inputs[key].default_value = value
        return node.outputs if output is None else node.outputs[output]

    def math(self, operation: str, *inputs):
        return self("Math", *inputs, operation=operation)

    def vector(self, operation: str, *inputs):
        return self("VectorMath", *inputs, operation=operation)


def make_material(values: dict, meta: dict, image: np.ndarray | None, emission: np.ndarray | None):
    """A diffuse surface, lit from everywhere by emission where nothing casts shadows; holes and shining through by alpha.

    What it sends out is for the camera only: as in the rasteriser it lights nothing else.
    """
    material = bpy.data.materials.new("surface")
    material.cycles.emission_sampling = "NONE"
    graph = Graph(material)
    color, alpha = graph.vector("ADD", values["color"], (0, 0, 0)), values["alpha"]
    if image is not None:
        color, alpha = add_texture(graph, image, "uv", values["interpolation"], values["wrap"])[:2]
    if meta["tinted"]:
        tint = graph("Attribute", output=None, attribute_name="tint")
        color, alpha = graph.vector("MULTIPLY", color, tint["Color"]), graph.math("MULTIPLY", alpha, tint["Alpha"])
    sent = values["emission"]
    if emission is not None:
        texture = add_texture(graph, emission, "emission_uv", values["emission_interpolation"], values["emission_wrap"])[0]
        sent = graph.vector("MULTIPLY", sent, texture)
    everywhere = 0.0 if meta["shadows"] else meta["ambient"]
    sent = color if values["unlit"] else graph.vector("MULTIPLY_ADD", color, (everywhere,) * 3, sent)
    share = 1.0 if values["mode"] == "opaque" else alpha
    if values["mode"] == "mask":
        share = graph.math("SUBTRACT", 1.0, graph.math("LESS_THAN", alpha, values["cutoff"]))
    if values["one_sided"]:
        share = graph.math("MULTIPLY", share, graph.math("SUBTRACT", 1.0, graph("NewGeometry", output="Backfacing")))
    shader = graph("BsdfPrincipled", named={
        "Base Color": (0, 0, 0, 1) if values["unlit"] else color, "Roughness": 1.0, "Specular IOR Level": 0.0, "Alpha": share,
        "Emission Color": sent, "Emission Strength": graph("LightPath", output="Is Camera Ray")})
    graph("OutputMaterial", shader, output=None)
    return material


def add_texture(graph: Graph, image: np.ndarray, layer: str, interpolation: str, wrap: list[str]):
    picture = bpy.data.images.new("texture", image.shape[1], image.shape[0], alpha=True, float_buffer=True)
    picture.colorspace_settings.name, picture.alpha_mode = "Non-Color", "CHANNEL_PACKED"
    picture.pixels.foreach_set(np.ascontiguousarray(image[::-1]).ravel())  # rows run up
    picture.update()
    place = graph("UVMap", uv_map=layer)
    if set(wrap) != {"repeat"}:  # an image node has one way to wrap for both axes: bring the coordinates inside instead
        at = list(graph("SeparateXYZ", place, output=None)[:2])
        for axis, (how, texels) in enumerate(zip(wrap, image.shape[1::-1])):  # noqa: B905 (both are two)
            if how == "mirror":
                at[axis] = graph.math("PINGPONG", at[axis], 1.0)
            if how != "repeat":  # half a texel from the edge, what lies beyond it plays no part
                at[axis] = graph.math("MINIMUM", graph.math("MAXIMUM", at[axis], 0.5 / texels), 1 - 0.5 / texels)
        place = graph("CombineXYZ", *at)
    return graph("TexImage", place, output=None, image=picture, interpolation=interpolation, extension="REPEAT")


if __name__ == "__main__":
    render_scene(*sys.argv[1:3])

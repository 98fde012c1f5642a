"""Surfaces for `blender_job.py`, which runs inside Blender's own environment and imports this file from beside it.

Cycles draws what the rasteriser draws: a matt colour × texture × vertex colours, what the surface sends out, holes, one side.
"""

from __future__ import annotations

import bpy
import numpy as np


def make_material(values: dict, meta: dict, image: np.ndarray | None, emission: np.ndarray | None):
    """A diffuse surface, lit from everywhere by emission where nothing casts shadows; holes and shining through by alpha."""
    material = bpy.data.materials.new("surface")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    color, alpha = nodes.new("ShaderNodeRGB").outputs[0], nodes.new("ShaderNodeValue").outputs[0]
    color.default_value, alpha.default_value = (*values["color"], 1.0), values["alpha"]
    if image is not None:
        color, alpha = add_texture(nodes, links, image, "uv", values["interpolation"], values["wrap"]).outputs[:2]
    if meta["tinted"]:
        tint = nodes.new("ShaderNodeAttribute")
        tint.attribute_name = "tint"
        color, alpha = times(nodes, links, color, tint.outputs["Color"]), math(nodes, links, "MULTIPLY", alpha,
                                                                               tint.outputs["Alpha"])
    if values["unlit"]:
        shader = shine(nodes, links, color)
    else:
        shader = matt(nodes, links, color, meta)
        if any(values["emission"]):
            sent = nodes.new("ShaderNodeRGB").outputs[0]
            sent.default_value = (*values["emission"], 1.0)
            if emission is not None:
                how = values["emission_interpolation"], values["emission_wrap"]
                sent = times(nodes, links, sent, add_texture(nodes, links, emission, "emission", *how).outputs[0])
            shader = joined(nodes, links, shader, shine(nodes, links, sent))
    share, solid = None, None  # of the surface that is there; the same as 0 or 1
    if values["mode"] != "opaque":
        cutoff = values["cutoff"] if values["mode"] == "mask" else 0.5
        solid = math(nodes, links, "SUBTRACT", 1.0, math(nodes, links, "LESS_THAN", alpha, cutoff))
        share = solid if values["mode"] == "mask" else alpha
    if values["one_sided"]:
        front = math(nodes, links, "SUBTRACT", 1.0, nodes.new("ShaderNodeNewGeometry").outputs["Backfacing"])
        share, solid = (front if one is None else math(nodes, links, "MULTIPLY", one, front) for one in (share, solid))
    if share is not None:
        clear, mix = nodes.new("ShaderNodeBsdfTransparent"), nodes.new("ShaderNodeMixShader")
        links.new(share, mix.inputs[0])
        links.new(clear.outputs[0], mix.inputs[1])
        links.new(shader, mix.inputs[2])
        shader = mix.outputs[0]
    links.new(shader, nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    add_passes(nodes, links, solid)
    return material


def matt(nodes, links, color, meta: dict):
    diffuse, glow = nodes.new("ShaderNodeBsdfDiffuse"), nodes.new("ShaderNodeEmission")
    glow.inputs["Strength"].default_value = 0.0 if meta["shadows"] else meta["ambient"]
    for node in (diffuse, glow):
        links.new(color, node.inputs["Color"])
    return joined(nodes, links, diffuse.outputs[0], glow.outputs[0])


def shine(nodes, links, color):
    """Light that the surface sends out, for the camera only: as in the rasteriser it lights nothing else."""
    emission = nodes.new("ShaderNodeEmission")
    links.new(color, emission.inputs["Color"])
    links.new(nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"], emission.inputs["Strength"])
    return emission.outputs[0]


def joined(nodes, links, *shaders):
    both = nodes.new("ShaderNodeAddShader")
    for shader, end in zip(shaders, both.inputs):  # noqa: B905 (both are two)
        links.new(shader, end)
    return both.outputs[0]


def times(nodes, links, *colors):
    node = nodes.new("ShaderNodeVectorMath")
    node.operation = "MULTIPLY"
    for color, end in zip(colors, node.inputs):  # noqa: B905 (three sockets, two are used)
        links.new(color, end)
    return node.outputs[0]


def add_texture(nodes, links, image: np.ndarray, layer: str, interpolation: str, wrap: list[str]):
    picture = bpy.data.images.new("texture", image.shape[1], image.shape[0], alpha=True, float_buffer=True)
    picture.colorspace_settings.name, picture.alpha_mode = "Non-Color", "CHANNEL_PACKED"
    picture.pixels.foreach_set(np.ascontiguousarray(image[::-1]).ravel())  # rows run up
    picture.update()
    texture, place = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeUVMap")
    place.uv_map = layer
    texture.image, texture.interpolation, texture.extension = picture, interpolation, "REPEAT"
    links.new(wrapped(nodes, links, place.outputs[0], wrap, image.shape[1::-1]), texture.inputs["Vector"])
    return texture


def wrapped(nodes, links, place, wrap: list[str], size: tuple[int, int]):
    """Texture coordinates that a texture which repeats shows as `wrap` says along each axis: an image node has one for both."""
    if set(wrap) == {"repeat"}:
        return place
    split, join = nodes.new("ShaderNodeSeparateXYZ"), nodes.new("ShaderNodeCombineXYZ")
    links.new(place, split.inputs[0])
    for axis, (how, texels) in enumerate(zip(wrap, size)):  # noqa: B905 (both are two)
        at = split.outputs[axis]
        if how == "mirror":
            at = math(nodes, links, "PINGPONG", at, 1.0)
        if how != "repeat":  # half a texel from the edge, what lies beyond it plays no part
            at = math(nodes, links, "MINIMUM", math(nodes, links, "MAXIMUM", at, 0.5 / texels), 1 - 0.5 / texels)
        links.new(at, join.inputs[axis])
    return join.outputs[0]


def add_passes(nodes, links, solid) -> None:
    """The triangle's number and the barycentric coordinates, as passes; 0 in a hole, as passes of layers add up."""
    for name, output in (("triangle", "Fac"), ("barycentric", "Vector")):
        attribute, aov = nodes.new("ShaderNodeAttribute"), nodes.new("ShaderNodeOutputAOV")
        attribute.attribute_name, aov.aov_name = name, name
        value = attribute.outputs[output]
        if solid is not None:
            scale = nodes.new("ShaderNodeVectorMath")
            scale.operation = "SCALE"
            links.new(value, scale.inputs[0])
            links.new(solid, scale.inputs["Scale"])
            value = scale.outputs[0]
        links.new(value, aov.inputs["Value" if name == "triangle" else "Color"])


def math(nodes, links, operation: str, *values):
    node = nodes.new("ShaderNodeMath")
    node.operation = operation
    for socket, value in zip(node.inputs, values):  # noqa: B905 (three sockets)
        if isinstance(value, float):
            socket.default_value = value
        else:
            links.new(value, socket)
    return node.outputs[0]

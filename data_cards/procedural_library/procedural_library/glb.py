"""A library asset as a standard animated .glb (glTF 2.0 in one binary file), and back to its label.

The same asset gives the same bytes. What a reader needs and no more: node animation, skins, morph targets, textures as
PNG inside the file, flat shading by leaving normals out. `asset.extras.puppetmaster` holds the label.
"""

from __future__ import annotations

import io
import json
import struct

import numpy as np
from PIL import Image

from procedural_library.articulated import rigged
from procedural_library.rigged import Part, RiggedAsset
from procedural_library.roundness import normals, smooth_groups
from puppetmaster_core.assets import AnimatedAsset, Material

_TYPES = {np.dtype(np.float32): 5126, np.dtype(np.uint32): 5125, np.dtype(np.uint16): 5123, np.dtype(np.uint8): 5121}
_SHAPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_VERTEX_DATA, _INDICES = 34962, 34963  # bufferView targets


class _Buffer:
    """The binary chunk, with its views and accessors."""

    def __init__(self):
        self.data, self.views, self.accessors = bytearray(), [], []

    def view(self, raw: bytes, target: int | None = None) -> int:
        self.data.extend(b"\0" * (-len(self.data) % 4))
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw),
                           **({"target": target} if target else {})})
        self.data.extend(raw)
        return len(self.views) - 1

    def accessor(self, array: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """An array (count, ...) as an accessor; `bounds` writes its least and greatest values."""
        array = np.ascontiguousarray(array)
        entry = {"bufferView": self.view(array.tobytes(), target), "componentType": _TYPES[array.dtype],
                 "count": len(array), "type": _SHAPES[array.shape[1:]]}
        if bounds:
            flat = array.reshape(len(array), -1)
            entry |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1


def to_glb(asset: AnimatedAsset, extras: dict) -> bytes:
    """The file's bytes. `extras`: what to say about the asset, as JSON can."""
    asset, buffer = rigged(asset), _Buffer()
    document: dict = {"asset": {"version": "2.0", "generator": "puppetmaster-core", "extras": {"puppetmaster": extras}},
                      "scene": 0, "scenes": [{"nodes": [0]}]}
    document |= _materials(buffer, asset.materials)
    nodes = [_node(n) for n in asset.nodes]
    document["nodes"] = nodes
    document["meshes"] = [_mesh(buffer, asset, p) for p in range(len(asset.parts))]
    carriers, skins = [], []
    for p, part in enumerate(asset.parts):
        carriers.append(len(nodes))
        carrier = {"name": part.name, "mesh": p}
        if part.bones:
            carrier["skin"] = len(skins)
            skins.append(_skin(buffer, asset, part))
        nodes.append(carrier)
        if part.bones:  # it follows its bones alone, so it hangs on nothing
            document["scenes"][0]["nodes"].append(carriers[-1])
        else:
            nodes[part.node].setdefault("children", []).append(carriers[-1])
    for i, node in enumerate(asset.nodes):
        if node.parent >= 0:
            nodes[node.parent].setdefault("children", []).append(i)
    if skins:
        document["skins"] = skins
    document["animations"] = [_animation(buffer, asset, carriers)]
    document |= {"accessors": buffer.accessors, "bufferViews": buffer.views, "buffers": [{"byteLength": len(buffer.data)}]}
    return _file(document, bytes(buffer.data))


def extras_of(data: bytes) -> dict:
    """What `to_glb` was told to say. Raises ValueError where `data` is not such a file."""
    try:
        magic, version, total, length, kind = struct.unpack_from("<4sIII4s", data)
        if (magic, version, kind) != (b"glTF", 2, b"JSON") or total != len(data):
            raise ValueError("wrong head")
        return json.loads(data[20 : 20 + length])["asset"]["extras"]["puppetmaster"]
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"not a .glb of the library ({error!r}): make it again with `puppetmaster assets make`") from None


def _file(document: dict, binary: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary))
    return b"".join([head, struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(binary), b"BIN\0"), binary])


def _node(node) -> dict:
    return {"name": node.name, "translation": list(node.translation), "rotation": list(node.rotation),
            "scale": list(node.scale)}


def _materials(buffer: _Buffer, materials: list[Material]) -> dict:
    """Materials, with one texture and one image each where they have a picture."""
    out: dict = {"materials": []}
    images, textures = [], []
    for material in materials:
        pbr = {"baseColorFactor": [*(_linear(c) for c in material.color), 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8}
        if material.texture is not None:
            pbr["baseColorTexture"] = {"index": len(textures)}
            textures.append({"source": len(images), "sampler": 0})
            images.append({"bufferView": buffer.view(_png(material.texture)), "mimeType": "image/png"})
        out["materials"].append({"pbrMetallicRoughness": pbr, "doubleSided": True})
    if images:
        out |= {"images": images, "textures": textures,
                "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497}]}  # linear, repeating
    return out


def _linear(c: float) -> float:
    """A displayed colour value as glTF's factors want it: sRGB to linear light."""
    c = float(np.clip(c, 0, 1))
    return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=6)
    return file.getvalue()


def _mesh(buffer: _Buffer, asset: RiggedAsset, p: int) -> dict:
    """Part p: a primitive for every material, with only its own vertices."""
    part, primitives = asset.parts[p], []
    for surface in (s for s in asset.surfaces if s.part == p):
        own = slice(surface.vertices.start - part.vertices.start, surface.vertices.stop - part.vertices.start)
        rest, faces = asset.rest[surface.vertices], asset.faces[surface.faces] - surface.vertices.start
        attributes = {"POSITION": buffer.accessor(rest, _VERTEX_DATA, bounds=True),
                      "TEXCOORD_0": buffer.accessor(asset.vertex_uv[surface.vertices], _VERTEX_DATA)}
        if surface.smooth:
            attributes["NORMAL"] = buffer.accessor(normals(rest, faces, smooth_groups(rest, faces)), _VERTEX_DATA)
        if part.bones:
            attributes["JOINTS_0"] = buffer.accessor(part.influences[own].astype(np.uint8), _VERTEX_DATA)
            attributes["WEIGHTS_0"] = buffer.accessor(part.weights[own], _VERTEX_DATA)
        kind = np.uint16 if len(rest) < 65535 else np.uint32
        primitive = {"attributes": attributes, "material": surface.material,
                     "indices": buffer.accessor(faces.reshape(-1).astype(kind), _INDICES)}
        if part.morphs is not None:
            primitive["targets"] = [{"POSITION": buffer.accessor(m[own], _VERTEX_DATA, bounds=True)} for m in part.morphs]
        primitives.append(primitive)
    mesh = {"name": part.name, "primitives": primitives}
    if part.morphs is not None:
        mesh["weights"] = [0.0] * len(part.morphs)
    return mesh


def _skin(buffer: _Buffer, asset: RiggedAsset, part: Part) -> dict:
    """Bones, and the matrices that take each one's resting place to the origin."""
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(part.bones), 1, 1))
    inverse[:, :3, 3] = -asset.bind_places()[list(part.bones)]
    return {"joints": list(part.bones), "inverseBindMatrices": buffer.accessor(inverse.transpose(0, 2, 1))}  # by columns


def _animation(buffer: _Buffer, asset: RiggedAsset, carriers: list[int]) -> dict:
    channels, samplers, clocks = [], [], {}
    for channel in asset.channels:
        clock = channel.times.tobytes()
        if clock not in clocks:
            clocks[clock] = buffer.accessor(channel.times, bounds=True)
        values = channel.values.reshape(-1) if channel.path == "weights" else channel.values
        samplers.append({"input": clocks[clock], "output": buffer.accessor(values), "interpolation": channel.interpolation})
        node = carriers[channel.target] if channel.path == "weights" else channel.target
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": channel.path}})
    return {"name": asset.clips[0].name, "channels": channels, "samplers": samplers}

"""Small glTF files made on the spot, so that every expected number can be worked out by hand."""

import base64
import io
import json
import struct

import numpy as np
from PIL import Image

CODES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
TRIANGLE = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
QUAD = [*TRIANGLE, [1, 1, 0]]
TURN_Z = [0, 0, 0.5**0.5, 0.5**0.5]  # a quarter turn about z, which takes x to y


class File:
    """A glTF file under construction: `json` may be changed by hand; `blob` is its one buffer."""

    def __init__(self):
        self.json = {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": []}], "nodes": [], "meshes": [],
                     "accessors": [], "bufferViews": [], "buffers": [{"byteLength": 0}]}
        self.blob = bytearray()

    def add(self, kind, item):
        self.json.setdefault(kind, []).append(item)
        return len(self.json[kind]) - 1

    def view(self, data: bytes, **more):
        self.blob += bytes(-len(self.blob) % 4)
        self.blob += data
        self.json["buffers"][0]["byteLength"] = len(self.blob)
        return self.add("bufferViews", {"buffer": 0, "byteOffset": len(self.blob) - len(data), "byteLength": len(data), **more})

    def accessor(self, values, dtype="f4", **more):
        values = np.asarray(values, dtype)
        width = values.shape[1] if values.ndim > 1 else 1
        item = {"bufferView": self.view(values.astype(f"<{dtype}").tobytes()), "componentType": CODES[dtype],
                "count": len(values), "type": KINDS[width]}
        return self.add("accessors", item | more)

    def primitive(self, positions=TRIANGLE, indices=None, **attributes):
        """A primitive of a mesh; keyword arguments in capitals are attributes given as float arrays or accessor numbers."""
        made = {name: value if isinstance(value, int) else self.accessor(value) for name, value in attributes.items()}
        item = {"attributes": {"POSITION": self.accessor(positions), **made}}
        if indices is not None:
            item["indices"] = self.accessor(indices, "u2")
        return item

    def mesh(self, *primitives, **more):
        return self.add("meshes", {"primitives": list(primitives) or [self.primitive()], **more})

    def node(self, parent=None, **item):
        """A node: a child of `parent`, or a root of the scene."""
        index = self.add("nodes", item)
        owner = self.json["scenes"][0].setdefault("nodes", []) if parent is None else \
            self.json["nodes"][parent].setdefault("children", [])
        owner.append(index)
        return index

    def animation(self, *channels, name="move"):
        """Channels (node, path, times, values[, interpolation])."""
        samplers, targets = [], []
        for node, path, times, values, *mode in channels:
            times = times if isinstance(times, int) else self.accessor(times)
            values = values if isinstance(values, int) else self.accessor(values)
            samplers.append({"input": times, "output": values, "interpolation": mode[0] if mode else "LINEAR"})
            targets.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})
        return self.add("animations", {"name": name, "samplers": samplers, "channels": targets})

    def picture(self, pixels, format="PNG"):
        """An embedded picture and a texture that shows it; the texture's index."""
        image = self.add("images", {"bufferView": self.view(encoded(pixels, format)), "mimeType": f"image/{format.lower()}"})
        return self.add("textures", {"source": image})

    def glb(self) -> bytes:
        text = json.dumps(self.json).encode()
        text += b" " * (-len(text) % 4)
        blob = bytes(self.blob) + bytes(-len(self.blob) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(blob), 0x004E4942) + blob
        return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks

    def gltf(self, uri=None) -> bytes:
        """The JSON form, with the buffer inside it or at `uri`."""
        inside = "data:application/octet-stream;base64," + base64.b64encode(self.blob).decode()
        return json.dumps(self.json | {"buffers": [{**self.json["buffers"][0], "uri": uri or inside}]}).encode()

    def write(self, path):
        path.write_bytes(self.glb())
        return path


def encoded(pixels, format="PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, format)
    return file.getvalue()


def moving_triangle() -> File:
    """One triangle on one node that goes from x = 0 to x = 2 in one second."""
    file = File()
    node = file.node(mesh=file.mesh(), name="wing")
    file.animation((node, "translation", [0, 1], [[0, 0, 0], [2, 0, 0]]))
    return file


def compressed(file, primitive, extension):
    """A node with a primitive whose data is in Draco's form."""
    primitive["extensions"] = {"KHR_draco_mesh_compression": extension}
    file.json["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    file.node(mesh=file.mesh(primitive))


def draco_quad() -> File:
    """Two triangles with texture coordinates, compressed by DracoPy."""
    import DracoPy

    faces = np.array([[0, 1, 2], [1, 3, 2]], np.uint32)
    data = DracoPy.encode(np.array(QUAD, np.float32), faces, tex_coord=np.array(QUAD, float)[:, :2], preserve_order=True)
    ids = {a["attribute_type"]: a["unique_id"] for a in DracoPy.decode(data).attributes}
    file, blank = File(), {"componentType": 5126, "count": 4}
    primitive = {"attributes": {"POSITION": file.add("accessors", {**blank, "type": "VEC3"}),
                                "TEXCOORD_0": file.add("accessors", {**blank, "type": "VEC2"})}}
    compressed(file, primitive, {"bufferView": file.view(data), "attributes": {"POSITION": ids[0], "TEXCOORD_0": ids[3]}})
    return file


def everything() -> File:
    """A little of all: a textured node, a skinned one, a morphing one, in every kind of interpolation. The fuzzers' seed."""
    file = File()
    red = file.add("materials", {"name": "red", "alphaMode": "MASK", "pbrMetallicRoughness": {
        "baseColorFactor": [1, 0, 0, 1], "baseColorTexture": {"index": file.picture([[[255, 0, 0, 255], [0, 255, 0, 0]]])}}})
    uv = [[0, 0], [1, 0], [0, 1]]
    body = {**file.primitive(indices=[0, 1, 2], TEXCOORD_0=uv, NORMAL=[[0, 0, 1]] * 3), "material": red}
    base = file.node(mesh=file.mesh(body), name="body", scale=[2, 2, 2])
    arm, hand = file.node(parent=base, translation=[1, 0, 0], name="arm"), None
    hand = file.node(parent=arm, translation=[0, 1, 0], name="hand")
    file.add("skins", {"joints": [arm, hand], "inverseBindMatrices": file.accessor([np.eye(4).ravel()] * 2)})
    weights = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 1, 0, 0]]
    limb = file.primitive(JOINTS_0=file.accessor([[0, 1, 0, 0]] * 3, "u1"), WEIGHTS_0=weights)
    file.node(mesh=file.mesh(limb), skin=0, name="limb")
    leaf = file.primitive(COLOR_0=[[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    leaf["targets"] = [{"POSITION": file.accessor(offsets)} for offsets in ([[0, 0, 1]] * 3, [[0, 0, 0], [1, 1, 1], [0, 0, 0]])]
    moved = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 3, 1]
    plant = file.node(mesh=file.mesh(leaf, weights=[0.5, 0]), name="leaf", matrix=moved)
    file.animation((base, "translation", [0, 0.5, 1], [[0, 0, 0], [0, 1, 0], [0, 0, 0]], "STEP"),
                   (arm, "rotation", [0, 1], [[0, 0, 0, 1], TURN_Z]),
                   (hand, "scale", [0, 1], [[0, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0], [2, 1, 1], [0, 0, 0]], "CUBICSPLINE"),
                   (plant, "weights", [0, 1], [0.5, 0, 0, 1]))
    file.animation((plant, "rotation", [0, 2], [[0, 0, 0, 1], TURN_Z]), name="spin")
    return file


def looks() -> File:
    """A little of what exporters write beyond that: wrap modes, emission, one side, instances, a hidden node, shared vertices."""
    file = File()
    texture = file.picture([[[255, 0, 0], [0, 255, 0]]])
    file.json["textures"][texture]["sampler"] = file.add("samplers", {"wrapS": 33071, "wrapT": 33648, "magFilter": 9728})
    move = {"KHR_texture_transform": {"scale": [3, 2], "offset": [-1, 0.5], "rotation": 0.3}}
    glow = file.add("materials", {"emissiveFactor": [1, 0.5, 0], "emissiveTexture": {"index": texture, "extensions": move},
                                  "extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 2}}})
    flat = file.add("materials", {"doubleSided": True, "extensions": {"KHR_materials_unlit": {}}, "pbrMetallicRoughness": {
        "baseColorTexture": {"index": texture, "extensions": move}, "metallicFactor": 1}})
    uv, colors = file.accessor(np.multiply(QUAD, 2.0)[:, :2]), file.accessor(np.linspace(0, 1, 16).reshape(4, 4))
    shared = file.primitive(QUAD, [0, 1, 2], TEXCOORD_0=uv, COLOR_0=colors, NORMAL=[[0, 0, 1]] * 4)
    mesh = file.mesh({**shared, "material": glow}, {**shared, "material": flat, "indices": file.accessor([1, 3, 2], "u2")})
    places = {"TRANSLATION": file.accessor([[0, 0, 0], [2, 0, 0]]), "SCALE": file.accessor([[1, 1, 1], [-1, 1, 1]])}
    node = file.node(mesh=mesh, name="many", extensions={"EXT_mesh_gpu_instancing": {"attributes": places}})
    file.node(mesh=mesh, name="hidden", extensions={"KHR_node_visibility": {"visible": False}})
    file.json["extensionsUsed"] = ["EXT_mesh_gpu_instancing", "KHR_node_visibility"]
    file.animation((node, "scale", [0, 1], [[1, 1, 1], [-1, 1, 1]]), (node, "translation", [0, 1], [[0, 0, 0], [1, 0, 0]]))
    return file

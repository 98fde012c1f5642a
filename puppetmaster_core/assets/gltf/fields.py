"""The fields of a glTF file's items that are read, and what they may hold (glTF 2.0, section 5, and Khronos' extensions)."""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets.gltf.document import (
    INDEX,
    NAME,
    OFFSET,
    Field,
    extensions,
    indices,
    nested,
    number,
    numbers,
    objects,
    one_of,
    text,
    whole,
)

COMPONENTS = {5120: np.dtype("i1"), 5121: np.dtype("u1"), 5122: np.dtype("<i2"), 5123: np.dtype("<u2"),
              5125: np.dtype("<u4"), 5126: np.dtype("<f4")}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}

_DTYPE, _OBJECT, _OBJECTS, _URI = Field(one_of(*COMPONENTS)), nested({}, {}), Field(objects, []), Field(text, "")
_BYTES = {"bufferView": whole(), "byteOffset": OFFSET}
_RANGE = {"buffer": whole(), "byteOffset": OFFSET, "byteLength": whole()}
_MESHOPT = nested({**_RANGE, "byteStride": whole(least=1, most=256), "count": whole(least=1), "mode": Field(text),
                   "filter": Field(text, "NONE")})
_SPARSE = {"count": whole(least=1), "indices": nested({**_BYTES, "componentType": _DTYPE}, {}), "values": nested(_BYTES, {})}
_TRANSFORM = nested({"texCoord": INDEX, "rotation": number(0.0), "scale": numbers(1, 1), "offset": numbers(0, 0)})
_TEXTURE = nested({"index": whole(), "texCoord": OFFSET, "extensions": extensions(KHR_texture_transform=_TRANSFORM)})
_WHITE, _SOURCE = numbers(1, 1, 1, 1), nested({"source": INDEX})
_INSTANCES = nested({"attributes": nested(dict.fromkeys(("TRANSLATION", "ROTATION", "SCALE"), INDEX), {})})

FILE = {"asset": _OBJECT, "scene": OFFSET}
FIELDS = {  # of the file's lists
    "accessors": {"bufferView": INDEX, "byteOffset": OFFSET, "componentType": _DTYPE, "count": whole(least=1),
                  "type": Field(one_of(*WIDTHS)), "sparse": nested(_SPARSE)},
    "bufferViews": {**_RANGE, "byteStride": whole(0, most=256),
                    "extensions": extensions(EXT_meshopt_compression=_MESHOPT, KHR_meshopt_compression=_MESHOPT)},
    "buffers": {"uri": _URI, "byteLength": whole()},
    "images": {"uri": _URI, "bufferView": INDEX},
    "textures": {"source": INDEX, "sampler": INDEX,
                 "extensions": extensions(EXT_texture_webp=_SOURCE, KHR_texture_basisu=_SOURCE)},
    "samplers": {"wrapS": whole(10497), "wrapT": whole(10497), "magFilter": whole(9729)},
    "materials": {
        "name": NAME, "alphaMode": Field(text, "OPAQUE"), "alphaCutoff": number(0.5), "emissiveFactor": numbers(0, 0, 0),
        "emissiveTexture": _TEXTURE,
        "pbrMetallicRoughness": nested({"baseColorFactor": _WHITE, "baseColorTexture": _TEXTURE}, {}),
        "extensions": extensions(
            KHR_materials_emissive_strength=nested({"emissiveStrength": number(1.0)}),
            KHR_materials_pbrSpecularGlossiness=nested({"diffuseFactor": _WHITE, "diffuseTexture": _TEXTURE}))},
    "meshes": {"name": NAME, "primitives": _OBJECTS},
    "nodes": {"name": NAME, "children": Field(indices, []), "translation": numbers(0, 0, 0), "rotation": numbers(0, 0, 0, 1),
              "scale": numbers(1, 1, 1), "matrix": Field(numbers(*np.eye(4).ravel()).check, None)},
    "scenes": {"nodes": Field(indices, [])},
    "skins": {"joints": Field(indices, []), "inverseBindMatrices": INDEX},
    "animations": {"name": NAME, "channels": _OBJECTS, "samplers": _OBJECTS},
}
# Of what may be damaged without harm to what it lies in: a node's mesh, a mesh's primitive, an animation's channel and sampler.
NODE_MESH = {"mesh": whole(), "skin": INDEX, "extensions": extensions(EXT_mesh_gpu_instancing=_INSTANCES)}
PRIMITIVE = {"attributes": _OBJECT, "indices": INDEX, "material": INDEX, "mode": whole(4), "targets": _OBJECTS,
             "extensions": extensions(KHR_draco_mesh_compression=nested({"bufferView": whole(), "attributes": _OBJECT}))}
CHANNEL = {"sampler": whole(), "target": nested({"node": INDEX, "path": Field(text)}, {})}
SAMPLER = {"input": whole(), "output": whole(), "interpolation": Field(one_of("STEP", "LINEAR", "CUBICSPLINE"), "LINEAR")}

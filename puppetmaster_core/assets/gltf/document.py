"""The JSON of a glTF file. Every item is checked once, against the fields of its kind, where it is first asked for.

glTF 2.0, section 5, and Khronos' extensions: FIELDS and the tables after it say what is read, and what it may hold.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from puppetmaster_core.assets.gltf.errors import Report, damaged

REQUIRED = object()
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 2, 80, 60


class Field(NamedTuple):
    """How the value of a key is checked; absent or null it is the default, and None stays None."""

    check: Callable  # (value, its name, report) -> the value to go on with; raises AssetError
    default: object = REQUIRED


def checked(item: dict, fields: dict[str, Field], where: str, report: Report) -> dict:
    """`item` with its `fields` checked and their defaults filled in; other keys stay as they are. Raises AssetError."""
    found = dict(item)
    for key, (check, default) in fields.items():
        value = item.get(key)
        value = default if value is None else value
        if value is REQUIRED:
            raise damaged(f"{key} of {where}", "nothing", "a value")
        found[key] = None if value is None else check(value, f"{key} of {where}", report)
    return found


def short(value) -> str:
    """A value from the file, short enough for one line."""
    written = _REPR.repr(value)
    return written if len(written) <= 90 else f"{written[:90]}…"


def printable(value, most: int = 200) -> str:
    """Text from outside as one printable line of at most `most` characters; "" for what is no text."""
    return "".join(c if c.isprintable() else " " for c in value[:most]).strip() if isinstance(value, str) else ""


def integer(default=REQUIRED, least: int = 0, most: int = 2**53) -> Field:
    """A whole number from `least` to `most`."""
    def check(value, name, report):
        value = int(value) if isinstance(value, float) and value.is_integer() else value  # some exporters write 3.0
        if type(value) is not int or not least <= value <= most:  # a bool is none
            raise damaged(name, short(value), f"a whole number from {least} to {most}")
        return value
    return Field(check, default)


def indices(value, name: str, report: Report) -> list[int]:
    if not isinstance(value, list):
        raise damaged(name, short(value), "a list of indices")
    return [INDEX.check(v, name, report) for v in value]


def string(value, name: str, report: Report) -> str:
    if not isinstance(value, str):
        raise damaged(name, short(value), "text")
    return value


def one_of(*known) -> Callable:
    def check(value, name, report):
        if value not in known:
            raise damaged(name, short(value), f"one of {list(known)}")
        return value
    return check


def objects(value, name: str, report: Report) -> list[dict]:
    """A list of JSON objects, each to be checked by itself: one that is damaged costs itself."""
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise damaged(name, short(value), "a list of objects")
    return value


def nested(fields: dict[str, Field], default=None) -> Field:
    """A JSON object with fields of its own."""
    def check(value, name, report):
        if not isinstance(value, dict):
            raise damaged(name, short(value), "an object")
        return checked(value, fields, name, report)
    return Field(check, default)


def extensions(**fields: Field) -> Field:
    return nested(fields, {})


def numbers(*default: float) -> Field:
    """As many numbers as `default` has, float64; where one is not finite, those of `default`, which is reported."""
    def check(value, name, report):
        if value is default:
            return np.array(default, np.float64)
        if not isinstance(value, list) or len(value) != len(default) or any(type(v) not in (int, float) for v in value):
            raise damaged(name, short(value), f"{len(default)} numbers")
        array = np.array([_as_float(v) for v in value])
        if not np.isfinite(array).all():
            report(f"{name} is not finite: taken as {list(default)}")
            return np.array(default, np.float64)
        return array
    return Field(check, default)


def number(default: float) -> Field:
    """A number; `default` where it is not finite, which is reported."""
    array = numbers(default)
    return Field(lambda value, name, report: float(array.check([value], name, report)[0]), default)


def _as_float(value) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


INDEX, NAME, OFFSET = integer(None), Field(lambda value, name, report: printable(value), ""), integer(0)
COMPONENTS = {5120: np.dtype("i1"), 5121: np.dtype("u1"), 5122: np.dtype("<i2"), 5123: np.dtype("<u2"),
              5125: np.dtype("<u4"), 5126: np.dtype("<f4")}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}

_DTYPE, _OBJECT, _OBJECTS, _URI = Field(one_of(*COMPONENTS)), nested({}, {}), Field(objects, []), Field(string, "")
_BYTES = {"bufferView": integer(), "byteOffset": OFFSET}
_RANGE = {"buffer": integer(), "byteOffset": OFFSET, "byteLength": integer()}
_MESHOPT = nested({**_RANGE, "byteStride": integer(least=1, most=256), "count": integer(least=1), "mode": Field(string),
                   "filter": Field(string, "NONE")})
_SPARSE = {"count": integer(least=1), "indices": nested({**_BYTES, "componentType": _DTYPE}, {}), "values": nested(_BYTES, {})}
_TRANSFORM = nested({"texCoord": INDEX, "rotation": number(0.0), "scale": numbers(1, 1), "offset": numbers(0, 0)})
_TEXTURE = nested({"index": integer(), "texCoord": OFFSET, "extensions": extensions(KHR_texture_transform=_TRANSFORM)})
_WHITE, _SOURCE = numbers(1, 1, 1, 1), nested({"source": INDEX})
_INSTANCES = nested({"attributes": nested(dict.fromkeys(("TRANSLATION", "ROTATION", "SCALE"), INDEX), {})})

FILE = {"asset": _OBJECT, "scene": OFFSET}
FIELDS = {  # of the file's lists
    "accessors": {"bufferView": INDEX, "byteOffset": OFFSET, "componentType": _DTYPE, "count": integer(least=1),
                  "type": Field(one_of(*WIDTHS)), "sparse": nested(_SPARSE)},
    "bufferViews": {**_RANGE, "byteStride": integer(0, most=256),
                    "extensions": extensions(EXT_meshopt_compression=_MESHOPT, KHR_meshopt_compression=_MESHOPT)},
    "buffers": {"uri": _URI, "byteLength": integer()},
    "images": {"uri": _URI, "bufferView": INDEX},
    "textures": {"source": INDEX, "sampler": INDEX,
                 "extensions": extensions(EXT_texture_webp=_SOURCE, KHR_texture_basisu=_SOURCE)},
    "samplers": {"wrapS": integer(10497), "wrapT": integer(10497), "magFilter": integer(9729)},
    "materials": {
        "name": NAME, "alphaMode": Field(string, "OPAQUE"), "alphaCutoff": number(0.5), "emissiveFactor": numbers(0, 0, 0),
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
NODE_MESH = {"mesh": integer(), "skin": INDEX, "extensions": extensions(EXT_mesh_gpu_instancing=_INSTANCES)}
PRIMITIVE = {"attributes": _OBJECT, "indices": INDEX, "material": INDEX, "mode": integer(4), "targets": _OBJECTS,
             "extensions": extensions(KHR_draco_mesh_compression=nested({"bufferView": integer(), "attributes": _OBJECT}))}
CHANNEL = {"sampler": integer(), "target": nested({"node": INDEX, "path": Field(string)}, {})}
SAMPLER = {"input": integer(), "output": integer(), "interpolation": Field(one_of("STEP", "LINEAR", "CUBICSPLINE"), "LINEAR")}


class Document:
    """The parsed JSON; `get(kind, index)` looks up "the accessor of this index" and the like."""

    def __init__(self, json: dict, report: Report):
        self.report, self.found = report, {}
        self.json = checked(json, {**FILE, **dict.fromkeys(FIELDS, _OBJECTS)}, "the file", report)

    def get(self, kind: str, index: int, where: str) -> dict:
        """Item `index` of list `kind`, checked; AssetError naming `where` if there is none."""
        if (kind, index) not in self.found:
            items = self.json[kind]
            if index >= len(items):
                raise damaged(where, f"{kind}[{index}]", f"one of the {len(items)} in the file")
            name = "mesh" if kind == "meshes" else kind[:-1]
            self.found[kind, index] = checked(items[index], FIELDS[kind], f"{name} {index}", self.report)
        return self.found[kind, index]

"""Compressed meshes and pictures, through their decoders on the package index, or a refusal that names them.

KHR_draco_mesh_compression; EXT_meshopt_compression; KHR_texture_basisu. All decoders are optional (the extra `compressed`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

import numpy as np

from puppetmaster_core.assets.gltf.document import short
from puppetmaster_core.assets.gltf.errors import AssetError, Budget, WholeFileError, damaged

KTX2 = b"\xabKTX 20\xbb\r\n\x1a\n"  # how such a picture begins
_MODES = {"ATTRIBUTES": lambda stride, count: stride % 4 == 0, "INDICES": lambda stride, count: stride in (2, 4),
          "TRIANGLES": lambda stride, count: stride in (2, 4) and count % 3 == 0}
_FILTERS = {"OCTAHEDRAL": ("oct", (4, 8)), "QUATERNION": ("quat", (8,)), "EXPONENTIAL": ("exp", range(4, 257, 4))}


def unpack_draco(data: memoryview, where: str) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Triangles (F, 3) int64 and every attribute (V, W) by its Draco id. Raises AssetError."""
    decoder = _decoder("DracoPy", "Draco", where)
    try:
        mesh = decoder.decode(bytes(data))
        attributes = {int(a["unique_id"]): np.asarray(a["data"]).reshape(len(a["data"]), -1) for a in mesh.attributes}
        faces = getattr(mesh, "faces", None)
    except Exception as error:  # the decoder has exceptions of its own
        raise _undecodable(where, "Draco", error) from None
    if faces is None or not attributes:
        raise damaged(where, "a Draco point cloud", "triangles")
    return np.asarray(faces, np.int64).reshape(-1, 3), attributes


def unpack_meshopt(packed: dict, data: memoryview, name: str, budget: Budget) -> bytes:
    """The bytes a meshopt-compressed bufferView stands for. Raises AssetError."""
    decoder = _decoder("meshoptimizer", "meshopt", name)
    count, stride, mode, kind = packed["count"], packed["byteStride"], packed["mode"], packed["filter"]
    budget.charge(count * max(stride, 4), name)  # indices are decoded as four bytes each
    filters, strides = _FILTERS.get(kind, (None, ()))
    fits = mode in _MODES and _MODES[mode](stride, count) and (kind == "NONE" or (mode == "ATTRIBUTES" and stride in strides))
    if not fits or not len(data):
        raise damaged(name, f"meshopt {short(mode)}, filter {short(kind)}, stride {stride}, count {count}, {len(data)} bytes",
                      "what goes together")
    raw = np.frombuffer(data, np.uint8)
    try:
        if mode != "ATTRIBUTES":
            decode = decoder.decode_index_buffer if mode == "TRIANGLES" else decoder.decode_index_sequence
            return decode(count, 4, raw).astype(f"<u{stride}").tobytes()
        values = decoder.decode_vertex_buffer(count, stride, raw).view(np.uint8).reshape(-1)
        if filters:
            values = getattr(decoder, f"decode_filter_{filters}")(values, count, stride)
        return values.tobytes()
    except (RuntimeError, ValueError) as error:
        raise _undecodable(name, "meshopt", error) from None


def unpack_basis(data: bytes, name: str, room: Callable[[int, int, str], None]) -> np.ndarray:
    """The pixels (h, w, 4) uint8 of a picture in KTX2's form. `room` is asked for its width and height. Raises AssetError."""
    decoder = _decoder("opengl_basisu", "Basis Universal", name)
    try:
        texture = decoder.open(data)
        room(texture.width, texture.height, name)
        return np.ascontiguousarray(texture.transcode(decoder.Target.RGBA8).data)
    except AssetError:
        raise
    except (ValueError, LookupError, MemoryError, RuntimeError) as error:
        raise _undecodable(name, "Basis Universal", error) from None


def _decoder(package: str, what: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise WholeFileError(f"{where} is compressed with {what}, whose decoder is not installed: pip install {package}, "
                             "or export the asset without compression") from None


def _undecodable(where: str, what: str, error: Exception) -> AssetError:
    return AssetError(f"{where}: its {what} data cannot be decoded ({short(str(error))}): export it again")

"""Compressed meshes and pictures, through their decoders on the package index, or a refusal that names them.

KHR_draco_mesh_compression; EXT_meshopt_compression; KHR_texture_basisu. All decoders are optional (the extra `compressed`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from puppetmaster_core.assets.gltf.document import integer, mapping, short, text
from puppetmaster_core.assets.gltf.errors import AssetError, Budget, WholeFileError

DRACO, MESHOPT = "KHR_draco_mesh_compression", "EXT_meshopt_compression"
KTX2 = b"\xabKTX 20\xbb\r\n\x1a\n"  # how such a picture begins
_MESHOPT_NAMES = (MESHOPT, "KHR_meshopt_compression")


def unpack_draco(data: memoryview, where: str) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Triangles (F, 3) int64 and every attribute (V, W) by its Draco id. Raises AssetError."""
    try:
        import DracoPy
    except ImportError:
        raise _missing(where, "Draco", "DracoPy") from None
    try:
        mesh = DracoPy.decode(bytes(data))
        attributes = {int(a["unique_id"]): np.asarray(a["data"]).reshape(len(a["data"]), -1) for a in mesh.attributes}
        faces = getattr(mesh, "faces", None)
    except Exception as error:  # the decoder has exceptions of its own
        raise AssetError(f"{where} holds Draco data that cannot be decoded ({short(str(error))}): export it again") from None
    if faces is None or not attributes:
        raise AssetError(f"{where} holds a Draco point cloud, wanted triangles")
    return np.asarray(faces, np.int64).reshape(-1, 3), attributes


def meshopt_of(view: dict, name: str) -> dict | None:
    """The meshopt part of a bufferView, None if it is not compressed."""
    extensions = mapping(view, "extensions", name)
    for extension in _MESHOPT_NAMES:
        if extension in extensions:
            return mapping(extensions, extension, name)
    return None


def unpack_meshopt(packed: dict, data: memoryview, name: str, budget: Budget) -> bytes:
    """The bytes a meshopt-compressed bufferView stands for. Raises AssetError."""
    try:
        import meshoptimizer
    except ImportError:
        raise _missing(name, "meshopt", "meshoptimizer") from None
    count, stride = integer(packed, "count", name), integer(packed, "byteStride", name, least=1, most=256)
    mode, kind = text(packed, "mode", name), text(packed, "filter", name, "NONE")
    budget.charge(count * max(stride, 4), name)  # indices are decoded as four bytes each
    raw = np.frombuffer(data, np.uint8)
    fits = {"ATTRIBUTES": stride % 4 == 0, "TRIANGLES": stride in (2, 4) and count % 3 == 0, "INDICES": stride in (2, 4)}
    filters = {"NONE": True, "OCTAHEDRAL": stride in (4, 8), "QUATERNION": stride == 8, "EXPONENTIAL": stride % 4 == 0}
    if not fits.get(mode) or not filters.get(kind) or (kind != "NONE" and mode != "ATTRIBUTES") or not len(raw) or not count:
        raise AssetError(f"{name} is meshopt data of mode {short(mode)}, filter {short(kind)}, stride {stride}, count {count}, "
                         "which do not go together: export it again")
    try:
        if mode == "ATTRIBUTES":
            values = meshoptimizer.decode_vertex_buffer(count, stride, raw).view(np.uint8).reshape(-1)
            return _unfilter(meshoptimizer, values, kind, count, stride).tobytes()
        decode = meshoptimizer.decode_index_buffer if mode == "TRIANGLES" else meshoptimizer.decode_index_sequence
        return decode(count, 4, raw).astype(f"<u{stride}").tobytes()
    except (RuntimeError, ValueError) as error:
        raise AssetError(f"{name} holds meshopt data that cannot be decoded ({short(str(error))}): export it again") from None


def _unfilter(meshoptimizer, values: np.ndarray, kind: str, count: int, stride: int) -> np.ndarray:
    if kind == "NONE":
        return values
    return {"OCTAHEDRAL": meshoptimizer.decode_filter_oct, "QUATERNION": meshoptimizer.decode_filter_quat,
            "EXPONENTIAL": meshoptimizer.decode_filter_exp}[kind](values, count, stride)


def unpack_basis(data: bytes, name: str, room: Callable[[int, int, str], None]) -> np.ndarray:
    """The pixels (h, w, 4) uint8 of a picture in KTX2's form. `room` is asked for its width and height. Raises AssetError."""
    try:
        import opengl_basisu
    except ImportError:
        raise _missing(name, "Basis Universal", "opengl_basisu") from None
    try:
        texture = opengl_basisu.open(data)
        room(texture.width, texture.height, name)
        return np.ascontiguousarray(texture.transcode(opengl_basisu.Target.RGBA8).data)
    except AssetError:
        raise
    except (ValueError, LookupError, MemoryError, RuntimeError) as error:
        reason = short(str(error))
        raise AssetError(f"{name} holds Basis Universal data that cannot be decoded ({reason}): export it again") from None


def _missing(where: str, what: str, package: str) -> WholeFileError:
    return WholeFileError(f"{where} is compressed with {what}, whose decoder is not installed: pip install {package}, "
                          "or export the asset without compression")

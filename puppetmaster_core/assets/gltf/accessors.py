"""Accessors: the file's typed arrays, checked against the bytes that are really there (glTF 2.0, section 3.6).

Letters: A elements, W numbers an element.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets.gltf import compression
from puppetmaster_core.assets.gltf.container import Container
from puppetmaster_core.assets.gltf.document import Document, integer, mapping, short, text
from puppetmaster_core.assets.gltf.errors import AssetError, Budget

COMPONENTS = {5120: np.dtype("i1"), 5121: np.dtype("u1"), 5122: np.dtype("<i2"), 5123: np.dtype("<u2"),
              5125: np.dtype("<u4"), 5126: np.dtype("<f4")}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Accessors:
    """Reads accessors and buffer views of one file. Every array made is charged to the budget before it is made."""

    def __init__(self, document: Document, container: Container, budget: Budget):
        self.document, self.container, self.budget = document, container, budget
        self.buffers, self.decoded, self.kept = {}, {}, {}

    def count(self, index: int, where: str) -> int:
        """The number of elements accessor `index` says it has."""
        return integer(self.document.get("accessors", index, where), "count", f"accessor {index}", least=1)

    def numbers(self, index: int, where: str, *kinds: str) -> np.ndarray:
        """Accessor `index` as float64 (A, W), normalised integers as numbers in [-1, 1]; its type must be one of `kinds`."""
        raw, normalised = self._read(index, where, kinds)
        self.budget.charge(raw.size * 8, f"accessor {index}")
        with np.errstate(invalid="ignore"):  # a signalling NaN
            values = raw.astype(np.float64)
        if normalised and raw.dtype.kind != "f":
            values /= np.iinfo(raw.dtype).max
            np.maximum(values, -1.0, out=values)
        return values

    def shared(self, index: int, where: str, *kinds: str) -> np.ndarray:
        """The same, read once and kept: not to be written to. Primitives often share their vertices."""
        key = index, kinds
        if key not in self.kept:
            self.kept[key] = self.numbers(index, where, *kinds)
            self.kept[key].setflags(write=False)
        return self.kept[key]

    def integers(self, index: int, where: str, *kinds: str) -> np.ndarray:
        """Accessor `index` as int64 (A, W). Raises AssetError if it holds floats."""
        raw, _ = self._read(index, where, kinds)
        with np.errstate(invalid="ignore"):
            if raw.dtype.kind == "f" and not ((np.abs(raw) <= 2**24) & (raw == np.rint(raw))).all():
                raise AssetError(f"accessor {index} of {where} holds fractions, wanted whole numbers")
        self.budget.charge(raw.size * 8, f"accessor {index}")
        return raw.astype(np.int64)

    def _read(self, index: int, where: str, kinds: tuple[str, ...]) -> tuple[np.ndarray, bool]:
        """Accessor `index` in its stored type (A, W), and whether its integers are normalised."""
        name = f"accessor {index}"
        accessor = self.document.get("accessors", index, where)
        kind, dtype = text(accessor, "type", name), self._dtype(accessor, name)
        if kind not in kinds:
            raise AssetError(f"{where} needs {' or '.join(kinds)}, {name} is {short(kind)}: it is damaged, export it again")
        count, width = self.count(index, where), WIDTHS[kind]
        if accessor.get("bufferView") is None:
            self.budget.charge(count * width * dtype.itemsize, name)
            values = np.zeros((count, width), dtype)
        else:
            start = integer(accessor, "byteOffset", name, default=0)
            values = self._slice(integer(accessor, "bufferView", name), start, count, width, dtype, name)
        if accessor.get("sparse") is not None:
            values = self._sparse(mapping(accessor, "sparse", name), values, name)
        return values, bool(accessor.get("normalized"))

    def _dtype(self, holder: dict, name: str) -> np.dtype:
        code = integer(holder, "componentType", name)
        if code not in COMPONENTS:
            raise AssetError(f"componentType of {name} is {code}, wanted one of {sorted(COMPONENTS)}")
        return COMPONENTS[code]

    def _slice(self, view: int, start: int, count: int, width: int, dtype: np.dtype, name: str) -> np.ndarray:
        """`count` elements from byte `start` of a buffer view, without a copy."""
        data, stride = self.view(view, name)
        size = width * dtype.itemsize
        stride = stride or size
        needed = start + stride * (count - 1) + size
        if stride < size or needed > len(data):
            raise AssetError(f"{name} needs {needed:,} bytes ({size} each, stride {stride}), bufferView {view} has "
                             f"{len(data):,}: the file is damaged or truncated, get it again")
        return np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))

    def _sparse(self, sparse: dict, values: np.ndarray, name: str) -> np.ndarray:
        """`values` with the elements replaced that a sparse accessor lists."""
        name = f"sparse {name}"
        count = integer(sparse, "count", name, most=len(values))
        if count == 0:
            return values
        where, what = mapping(sparse, "indices", name), mapping(sparse, "values", name)
        rows = self._slice(integer(where, "bufferView", name), integer(where, "byteOffset", name, default=0), count, 1,
                           self._dtype(where, name), name)[:, 0]
        if rows.dtype.kind != "u" or int(rows.max()) >= len(values):
            raise AssetError(f"{name} replaces element {rows.max()} of {len(values)}: it is damaged, export it again")
        fresh = self._slice(integer(what, "bufferView", name), integer(what, "byteOffset", name, default=0), count,
                            values.shape[1], values.dtype, name)
        self.budget.charge(values.nbytes, name)
        values = values.copy()
        values[rows] = fresh
        return values

    def view(self, index: int, where: str) -> tuple[memoryview, int]:
        """The bytes of bufferView `index`, decompressed if need be, and its stride (0 = tightly packed)."""
        name = f"bufferView {index}"
        view = self.document.get("bufferViews", index, where)
        if index in self.decoded:
            return self.decoded[index]
        packed = compression.meshopt_of(view, name)
        stride = integer(view, "byteStride", name, default=0, most=256)
        if packed is None:
            return self._part(view, name), stride
        data = compression.unpack_meshopt(packed, self._part(packed, name), name, self.budget)
        self.decoded[index] = memoryview(data), integer(packed, "byteStride", name)
        return self.decoded[index]

    def _part(self, part: dict, name: str) -> memoryview:
        """The bytes from byteOffset on, byteLength of them, of the buffer that `part` names."""
        buffer = self._buffer(integer(part, "buffer", name), name)
        start, length = integer(part, "byteOffset", name, default=0), integer(part, "byteLength", name)
        if start + length > len(buffer):
            raise AssetError(f"{name} ends at byte {start + length:,}, its buffer has {len(buffer):,}: "
                             "the file is damaged or truncated, get it again")
        return buffer[start:start + length]

    def _buffer(self, index: int, where: str) -> memoryview:
        if index not in self.buffers:
            name = f"buffer {index}"
            buffer = self.document.get("buffers", index, where)
            uri, length = text(buffer, "uri", name), integer(buffer, "byteLength", name)
            self.buffers[index] = self._bytes(index, uri, name)
            if len(self.buffers[index]) < length:
                raise AssetError(f"{name} says it has {length:,} bytes and has {len(self.buffers[index]):,}: "
                                 "the file is truncated, get it again")
        return self.buffers[index]

    def _bytes(self, index: int, uri: str, name: str) -> memoryview:
        if not uri:
            if index == 0 and self.container.binary is not None:
                return self.container.binary
            raise AssetError(f"{name} has no URI, and the file no binary chunk for it: it is damaged, export it again")
        try:
            data = self.container.fetch(uri, name)
        except OSError as error:
            raise AssetError(f"{name} is in {short(uri)}, which cannot be read ({error.strerror}): "
                             "put it beside the asset") from None
        self.budget.charge(len(data), name)
        return memoryview(data)

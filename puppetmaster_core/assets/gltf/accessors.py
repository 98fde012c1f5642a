"""Accessors: the file's typed arrays, checked against the bytes that are really there (glTF 2.0, section 3.6).

Letters: A elements, W numbers an element.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.assets.gltf.compression import unpack_meshopt
from puppetmaster_core.assets.gltf.container import Container
from puppetmaster_core.assets.gltf.document import COMPONENTS, WIDTHS, Document
from puppetmaster_core.assets.gltf.errors import Budget, damaged


class Accessors:
    """Reads accessors and buffer views of one file. Every array made is charged to the budget before it is made."""

    def __init__(self, document: Document, container: Container, budget: Budget):
        self.document, self.container, self.budget = document, container, budget
        self.buffers, self.decoded, self.kept = {}, {}, {}

    def numbers(self, index: int, where: str, *kinds: str) -> np.ndarray:
        """Accessor `index` as float64 (A, W), normalised integers as numbers in [-1, 1]; its type must be one of `kinds`."""
        raw = self._read(index, where, kinds)
        self.budget.charge(raw.size * 8, f"accessor {index}")
        with np.errstate(invalid="ignore"):  # a signalling NaN
            values = raw.astype(np.float64)
        return normalised(values, self.document.get("accessors", index, where))

    def shared(self, index: int, where: str, *kinds: str) -> np.ndarray:
        """The same, read once and kept: not to be written to. Primitives often share their vertices."""
        key = index, kinds
        if key not in self.kept:
            self.kept[key] = self.numbers(index, where, *kinds)
            self.kept[key].setflags(write=False)
        return self.kept[key]

    def indices(self, index: int, where: str) -> np.ndarray:
        """Accessor `index` as int64 (A,). Raises AssetError if it holds fractions."""
        raw = self._read(index, where, ("SCALAR",))[:, 0]
        with np.errstate(invalid="ignore"):
            if raw.dtype.kind == "f" and not ((np.abs(raw) <= 2**24) & (raw == np.rint(raw))).all():
                raise damaged(where, f"fractions in accessor {index}", "whole numbers")
        self.budget.charge(raw.size * 8, f"accessor {index}")
        return raw.astype(np.int64)

    def _read(self, index: int, where: str, kinds: tuple[str, ...]) -> np.ndarray:
        """Accessor `index` in its stored type (A, W)."""
        name, accessor = f"accessor {index}", self.document.get("accessors", index, where)
        if accessor["type"] not in kinds:
            raise damaged(where, f"{accessor['type']} in {name}", " or ".join(kinds))
        count, width, dtype = accessor["count"], WIDTHS[accessor["type"]], COMPONENTS[accessor["componentType"]]
        if accessor["bufferView"] is None:
            self.budget.charge(count * width * dtype.itemsize, name)
            values = np.zeros((count, width), dtype)
        else:
            values = self._slice(accessor, count, width, dtype, name)
        sparse = accessor["sparse"]
        if sparse is None:
            return values
        name = f"sparse {name}"
        rows = self._slice(sparse["indices"], sparse["count"], 1, COMPONENTS[sparse["indices"]["componentType"]], name)[:, 0]
        if rows.dtype.kind != "u" or int(rows.max()) >= count:
            raise damaged(name, f"element {rows.max()}", f"one of {count}")
        fresh = self._slice(sparse["values"], sparse["count"], width, dtype, name)
        self.budget.charge(values.nbytes, name)
        values = values.copy()
        values[rows] = fresh
        return values

    def _slice(self, holder: dict, count: int, width: int, dtype: np.dtype, name: str) -> np.ndarray:
        """`count` elements of the buffer view that `holder` names, from its byteOffset on, without a copy."""
        data, stride = self.view(holder["bufferView"], name)
        size, start = width * dtype.itemsize, holder["byteOffset"]
        stride = stride or size
        needed = start + stride * (count - 1) + size
        if stride < size or needed > len(data):
            raise damaged(name, f"{len(data):,} bytes in bufferView {holder['bufferView']}",
                          f"{needed:,} ({size} each, stride {stride})")
        return np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))

    def view(self, index: int, where: str) -> tuple[memoryview, int]:
        """The bytes of bufferView `index`, decompressed if need be, and its stride (0 = tightly packed)."""
        name, view = f"bufferView {index}", self.document.get("bufferViews", index, where)
        packed = next(filter(None, (view["extensions"][f"{who}_meshopt_compression"] for who in ("EXT", "KHR"))), None)
        if packed is None:
            return self._bytes(view, name), view["byteStride"]
        if index not in self.decoded:
            self.decoded[index] = memoryview(unpack_meshopt(packed, self._bytes(packed, name), name, self.budget))
        return self.decoded[index], packed["byteStride"]

    def _bytes(self, part: dict, name: str) -> memoryview:
        """The bytes from byteOffset on, byteLength of them, of the buffer that `part` names."""
        buffer = self._buffer(part["buffer"], name)
        end = part["byteOffset"] + part["byteLength"]
        if end > len(buffer):
            raise damaged(name, f"{len(buffer):,} bytes in its buffer", f"{end:,}")
        return buffer[part["byteOffset"]:end]

    def _buffer(self, index: int, where: str) -> memoryview:
        if index not in self.buffers:
            name, buffer = f"buffer {index}", self.document.get("buffers", index, where)
            if buffer["uri"]:
                data = memoryview(self.container.fetch(buffer["uri"], name))
                self.budget.charge(len(data), name)
            elif index == 0 and self.container.binary is not None:
                data = self.container.binary
            else:
                raise damaged(name, "no URI and no binary chunk", "one of them")
            if len(data) < buffer["byteLength"]:
                raise damaged(name, f"{len(data):,} bytes", f"{buffer['byteLength']:,}")
            self.buffers[index] = data
        return self.buffers[index]


def normalised(values: np.ndarray, accessor: dict) -> np.ndarray:
    """Values (A, W) of an accessor, those of normalised integers divided so that they lie in [-1, 1] (section 3.6.2.2)."""
    dtype = COMPONENTS[accessor["componentType"]]
    if not accessor.get("normalized") or dtype.kind == "f":
        return values
    return np.maximum(values / np.iinfo(dtype).max, -1.0)

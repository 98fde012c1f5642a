"""Pickles from outside, read without running anything of theirs: a dictionary of arrays comes out, or an error.

Plain `pickle.load` calls whatever the file names. Here every name that a pickled dictionary of tensors or arrays needs stands for
something small of this file; any other is refused, and nothing of a file's choice is imported. (`torch.load` with `weights_only`
does the same for what `torch.save` wrote, but does not read Python's own pickles.)
"""

from __future__ import annotations

import io
import math
import pickle
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

LARGEST = 2**28  # bytes; the authors' test clips have well under one million
NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


class PickleRefused(ValueError):
    """A pickle that is not a dictionary of arrays. The message is one line."""


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays by name of a pickled dictionary of NumPy arrays or PyTorch tensors.

    Raises PickleRefused for anything else, OSError where the file cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise PickleRefused(f"got more than {LARGEST} bytes, expected a clip's few arrays")
    try:
        found = _Unpickler(io.BytesIO(data)).load()
        if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
            raise PickleRefused(f"got a {type(found).__name__}, expected a dictionary of arrays by name")
        return {key: value.array for key, value in found.items()}
    except PickleRefused:
        raise
    except Exception as error:  # damaged bytes raise nearly anything, and so does what is no array
        raise PickleRefused(f"damaged, or not a dictionary of arrays ({type(error).__name__})") from None


class _Unpickler(pickle._Unpickler):
    """Python's own, not C's: what it remembers is a dictionary, where C's makes a table of as many places as a file says."""

    def find_class(self, module: str, name: str):
        wanted = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if wanted not in _STAND_INS:
            raise PickleRefused(f"got the name {wanted[:80]!r}, which no dictionary of arrays needs")
        return partial(_STAND_INS[wanted])  # a new one each time: a pickle may change what it is handed


class _Type:
    """Stands for numpy.dtype: a kind and a width, never objects, records or sub-arrays."""

    def __init__(self, code, *_):
        if code not in NUMBERS:
            raise PickleRefused(f"got an array of type {str(code)[:20]!r}, expected numbers")
        self.code, self.order = code, "<"

    def __setstate__(self, state):
        if any(field is not None for field in state[2:5]):
            raise PickleRefused("got an array of records, expected numbers")
        self.order = ">" if state[1] == ">" else "<"


class _Array:
    """Stands for numpy.ndarray and for tensors: has its numbers in `array`."""

    def __setstate__(self, state):
        _, shape, kind, fortran, data = state
        self.array = _numbers(data, kind, shape, fortran)


def _numbers(data: bytes, kind: _Type, shape: tuple, fortran: bool) -> np.ndarray:
    return np.frombuffer(data, kind.order + kind.code).reshape(shape, order="F" if fortran else "C").copy()


def _frombuffer(data: bytes, kind: _Type, shape: tuple, order: str, axes: tuple | None = None) -> _Array:
    """How protocol 5 writes arrays without gaps; axes: those of the array, where `shape` has them in memory's order."""
    made = _Array()
    made.array = _numbers(data, kind, shape, order == "F")
    made.array = made.array if axes is None else made.array.transpose(axes)
    return made


def _load_from_bytes(data: bytes):
    """Stands for torch.storage._load_from_bytes, which would unpickle `data` without any guard."""
    import torch

    with warnings.catch_warnings(action="ignore"):  # of protocols it does not know: what it cannot read it refuses
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _tensor(storage, offset: int, size: tuple, stride: tuple, *_) -> _Array:
    """Stands for torch._utils._rebuild_tensor_v2."""
    import torch

    with warnings.catch_warnings(action="ignore"):  # typed storages are what old files hold
        storage, kind = storage.untyped(), storage.dtype
    numbers, stored = math.prod(size), storage.nbytes() // kind.itemsize
    if numbers > stored:  # a stride of 0 makes terabytes of one number
        raise PickleRefused(f"got a tensor of {numbers} numbers, stored are {stored}")
    tensor, made = torch.empty(0, dtype=kind).set_(storage, offset, size, stride), _Array()
    made.array = (tensor.float() if kind.itemsize == 2 else tensor.clone()).numpy()  # bfloat16 is none of NumPy's
    return made


_STAND_INS = {
    "collections.OrderedDict": dict,
    "_codecs.encode": lambda text, coding: text.encode("latin1"),  # how protocol 2 writes bytes
    "numpy.ndarray": _Array,
    "numpy.dtype": _Type,
    "numpy.core.multiarray._reconstruct": lambda *_: _Array(),
    "numpy.core.numeric._frombuffer": _frombuffer,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.storage._load_from_bytes": _load_from_bytes,
}

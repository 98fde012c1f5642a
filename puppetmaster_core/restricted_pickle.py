"""Pickles from outside, read without running anything of theirs: a dictionary of arrays comes out, or an error.

Plain `pickle.load` calls whatever the file names. Here every name that a pickled dictionary of tensors or arrays needs stands
for a small function of this file, which checks what it is given; any other name is refused, and nothing of a file's choice is
imported. (`torch.load` with `weights_only` does the same for what `torch.save` wrote, but does not read Python's own pickles.)
"""

from __future__ import annotations

import io
import math
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

LARGEST = 2**28  # bytes; the authors' test clips have well under one million
TORCH_SAVE = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # how `torch.save` began before it wrote zip files


class PickleRefused(ValueError):
    """A pickle that is not a dictionary of arrays. The message is one line."""


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays by name of a pickled dictionary of NumPy arrays or PyTorch tensors, or of one saved by `torch.save`.

    Raises PickleRefused for anything else, OSError where the file cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise PickleRefused(f"got more than {LARGEST} bytes, expected a clip's few arrays")
    try:
        saved = data.startswith(TORCH_SAVE) or zipfile.is_zipfile(io.BytesIO(data))
        return _arrays(_torch_load(data) if saved else _Unpickler(io.BytesIO(data)).load())
    except PickleRefused:
        raise
    except Exception as error:  # damaged bytes raise nearly anything
        raise PickleRefused(f"damaged or no pickle ({type(error).__name__})") from None


class _Unpickler(pickle._Unpickler):
    """Python's own, not C's: what it remembers is a dictionary, where C's makes a table of as many places as a file says."""

    def find_class(self, module: str, name: str):
        try:
            return _STAND_INS[f"{module}.{name}"]
        except KeyError:
            raise PickleRefused(f"got the name {f'{module}.{name}'[:80]!r}, which no dictionary of arrays needs") from None


def _arrays(value) -> dict[str, np.ndarray]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise PickleRefused(f"got {type(value).__name__.strip('_')}, expected a dictionary of arrays by name")
    return {key: _array(key, item) for key, item in value.items()}


def _array(key: str, value) -> np.ndarray:
    if isinstance(value, _Array):
        return value.array()
    value = value.tensor if isinstance(value, _Tensor) else value
    if type(value).__module__ == "torch" and type(value).__name__ == "Tensor":
        return (value.float() if value.dtype.itemsize == 2 else value).numpy()  # bfloat16 is none of NumPy's
    raise PickleRefused(f"{key[:40]!r} is {type(value).__name__.strip('_')}, expected an array")


class _Call:
    """A stand-in that a pickle may call and hand around, and cannot change."""

    __slots__ = ("function",)

    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        return self.function(*arguments)

    def __setstate__(self, state):
        raise PickleRefused("got a change to a name, which no dictionary of arrays makes")


# ---- NumPy ---------------------------------------------------------------------------------------------------------------


class _Type:
    """Stands for numpy.dtype: a kind and a width, never objects, records or sub-arrays."""

    def __init__(self, code, *_):
        if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"):
            raise PickleRefused(f"got an array of type {str(code)[:20]!r}, expected numbers")
        self.code, self.order = code, "<"

    def __setstate__(self, state):
        if state[1] not in ("<", ">", "|", "=") or any(field is not None for field in state[2:5]):
            raise PickleRefused("got an array of records, expected numbers")
        self.order = state[1]


class _Array:
    """Stands for numpy.ndarray: a shape, a type, and the bytes."""

    def __init__(self):
        self.state = self.axes = None

    def __setstate__(self, state):
        _, shape, self.type, fortran, data = state
        if not (isinstance(self.type, _Type) and isinstance(data, bytes)):
            raise PickleRefused("got an array without numbers")
        self.state = [int(side) for side in shape], "F" if fortran else "C", data

    def array(self) -> np.ndarray:
        shape, order, data = self.state
        array = np.frombuffer(data, self.type.order.replace("=", "<") + self.type.code).reshape(shape, order=order)
        return (array if self.axes is None else array.transpose(self.axes)).copy()


def _numpy_class(*_):
    raise PickleRefused("numpy.ndarray was called, which no dictionary of arrays does")


def _reconstruct(kind, shape, code) -> _Array:
    return _Array()


def _frombuffer(data, kind, shape, order, axes=None) -> _Array:
    """How protocol 5 writes arrays without gaps; axes: those of the array, where `shape` has them in memory's order."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", bytes(data)))
    array.axes = axes
    return array


def _encode(text: str, coding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if coding != "latin1" or not isinstance(text, str):
        raise PickleRefused("got text in another coding")
    return text.encode("latin1")


# ---- PyTorch -------------------------------------------------------------------------------------------------------------


def _torch_load(data: bytes):
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of protocols it does not know: what it cannot read it refuses
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _storage(data: bytes):
    """Stands for torch.storage._load_from_bytes, which would unpickle `data` without any guard."""
    return _torch_load(data)


class _Tensor(_Call):
    """Stands for a tensor."""

    __slots__ = ("tensor",)

    def __init__(self, storage, offset: int, size: tuple, stride: tuple, *_):
        import torch

        if not isinstance(storage, torch.storage.TypedStorage):
            raise PickleRefused("got a tensor without numbers")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # typed storages are what old files hold
            storage, kind = storage.untyped(), storage.dtype
        numbers, stored = math.prod(size), storage.nbytes() // kind.itemsize
        if numbers > stored:  # a stride of 0 makes terabytes of one number
            raise PickleRefused(f"got a tensor of {numbers} numbers, stored are {stored}")
        self.tensor = torch.empty(0, dtype=kind).set_(storage, offset, size, stride).clone()


def _ordered(*items):
    if items:
        raise PickleRefused("got a filled OrderedDict, expected a dictionary")
    return {}


_FUNCTIONS = {
    "collections.OrderedDict": _ordered,
    "_codecs.encode": _encode,
    "numpy.ndarray": _numpy_class,
    "numpy.dtype": _Type,
    "torch._utils._rebuild_tensor_v2": _Tensor,
    "torch.storage._load_from_bytes": _storage,
    **{f"numpy.{core}.multiarray._reconstruct": _reconstruct for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _frombuffer for core in ("core", "_core")},
}
_STAND_INS = {name: _Call(function) for name, function in _FUNCTIONS.items()}

"""Weights in safetensors files: which tensors there are and whether all are whole, by the headers alone.

With the standard library alone, so that a bad file is found before seconds are spent on importing PyTorch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SAFE = ".safetensors"
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
MAX_HEADER = 100_000_000  # bytes, the limit of the safetensors format
BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4, "I32": 4,
         "F32": 4, "U64": 8, "I64": 8, "F64": 8}  # of a number of each kind


class ModelError(ValueError):
    """A model that cannot be used. The message is one line: what it got, what it expected, what to do."""


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What the system refuses of `path`, as ModelError."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}), expected a model: make it readable") from None


def read_json(path: Path) -> dict:
    """A JSON object. Raises ModelError."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ModelError(f"{path}: not a readable JSON object, expected a model's settings: get the model again")
    return record


def file_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in one safetensors file. Raises ModelError, naming the first tensor that is not whole."""
    try:
        with readable(path), open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > MAX_HEADER:
                raise ValueError("no header")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        places = sorted((begin, end, name) for name, entry in header.items() for begin, end in [map(int, entry["data_offsets"])])
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        sizes = {name: BYTES.get(entry["dtype"], math.nan) * math.prod(shapes[name]) for name, entry in header.items()}
    except ModelError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise ModelError(f"{path}: not a {SAFE} file, or damaged; wanted whole weights: get the file again") from None
    there, at = path.stat().st_size - 8 - length, 0
    for begin, end, name in places:
        if end > there:
            raise ModelError(f"{path}: tensor {name!r} is cut off, expected whole weights: get the file again")
        if begin != at or end - begin != sizes[name]:
            raise ModelError(f"{path}: got {end - begin} bytes at {begin} for tensor {name!r}, {header[name]['dtype']} of shape "
                             f"{shapes[name]}, expected as many as that takes, right behind those before: get the file again")
        at = end
    if at != there:
        raise ModelError(f"{path}: got {there - at} bytes more than its tensors, expected whole weights: get the file again")
    return shapes


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a component's safetensors files. Raises ModelError."""
    with readable(folder):
        list(folder.iterdir())  # which glob, unlike this, takes for empty where it may not be read
    files = sorted(folder.glob(f"*{SAFE}"))
    if not files:
        pickles = [path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLES]
        came = f"pickled weights ({pickles[0]}), which can run code" if pickles else "no weights"
        raise ModelError(f"{folder}: {came}, expected {SAFE} files: get the model in that format")
    for index in folder.glob(f"*{SAFE}.index*.json"):
        parts = read_json(index).get("weight_map")
        missing = set(parts.values()) - {path.name for path in files} if isinstance(parts, dict) else {index.name}
        if missing:
            raise ModelError(f"{folder}: {min(missing)} is missing or broken, expected all parts of the weights: get it again")
    shapes = {}
    for path in files:
        shapes |= file_shapes(path)
    return shapes


def variant_of(folder: Path) -> str | None:
    """"fp16" where a model has its weights in half precision only."""
    names = [path.name for path in folder.glob(f"*/*{SAFE}")]
    return "fp16" if names and all(".fp16" in name for name in names) else None


def check_complete(folder: Path, state: Mapping) -> None:
    """Raise ModelError where a component's files lack a tensor of `state` (name → tensor), or have another shape."""
    found, wanted = tensor_shapes(folder), {name: tuple(tensor.shape) for name, tensor in state.items()}
    wrong = [name for name, shape in wanted.items() if found.get(name) != shape]
    if wrong:
        came = found.get(wrong[0], "nothing")
        raise ModelError(f"{folder}: got {came} for {wrong[0]}, expected {wanted[wrong[0]]}: get the model again")

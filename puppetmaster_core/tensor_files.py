"""Weights in safetensors files: which tensors there are and whether all are whole, by the headers alone.

With the standard library alone, so that a bad file is found before seconds are spent on importing PyTorch.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SAFE = ".safetensors"
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
LFS = b"version https://git-lfs"  # how Git LFS's stand-ins for large files begin
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
            if file.read(len(LFS)) == LFS:
                raise ModelError(f"{path}: a Git LFS pointer came, wanted the weights it stands for: fetch them (git lfs pull)")
            file.seek(0)
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


def weights_of(folder: Path) -> dict[str, list[Path]]:
    """A component's safetensors files by variant: "" for NAME.safetensors, "fp16" for NAME.fp16.safetensors, parts together."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*{SAFE}")):
        variant = re.sub(r"-\d+-of-\d+", "", path.name.removesuffix(SAFE)).partition(".")[2]
        found.setdefault(variant, []).append(path)
    return found


def variant_of(folder: Path, wanted: str | None = None) -> str | None:
    """The variant of a component's weights that is read: the one wanted where it is there, else None (plain), fp16, or any.

    Each component is asked: people convert one and leave the others as they were.
    """
    there = weights_of(folder)
    for variant in (wanted or "", "", "fp16", "bf16", *sorted(there)):
        if variant in there:
            return variant or None
    return wanted


def tensor_shapes(folder: Path, wanted: str | None = None) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a component's safetensors files, of the variant that is read. Raises ModelError."""
    with readable(folder):
        list(folder.iterdir())  # which glob, unlike this, takes for empty where it may not be read
    variant = variant_of(folder, wanted)
    files = weights_of(folder).get(variant or "")
    if not files:
        pickles = [path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLES]
        came = f"pickled weights ({pickles[0]}), which can run code" if pickles else "no weights"
        raise ModelError(f"{folder}: {came}, expected {SAFE} files: get the model in that format")
    for index in folder.glob(f"*{SAFE}.index*.json"):
        if (index.name.removesuffix(".json").partition(".index")[2].lstrip(".") or None) != variant:
            continue
        parts = read_json(index).get("weight_map")
        missing = set(parts.values()) - {path.name for path in files} if isinstance(parts, dict) else {index.name}
        if missing:
            raise ModelError(f"{folder}: {min(missing)} is missing or broken, expected all parts of the weights: get it again")
    shapes = {}
    for path in files:
        shapes |= file_shapes(path)
    return shapes


def check_complete(folder: Path, state: Mapping, wanted: str | None = None) -> None:
    """Raise ModelError where the files of a component lack a tensor of `state` (name → tensor), or have another shape."""
    found, needed = tensor_shapes(folder, wanted), {name: tuple(tensor.shape) for name, tensor in state.items()}
    wrong = [name for name, shape in needed.items() if found.get(name) != shape]
    if wrong:
        came = found.get(wrong[0], "nothing")
        raise ModelError(f"{folder}: got {came} for {wrong[0]}, expected {needed[wrong[0]]}: get the model again")

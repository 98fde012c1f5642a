"""Weights in safetensors files: which tensors there are and whether all are whole, by the headers alone.

Without PyTorch, so that a bad file is found before seconds are spent on importing it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open

SAFE = ".safetensors"
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
LFS = b"version https://git-lfs"  # how Git LFS's stand-ins for large files begin


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
    """Names and shapes of the tensors in one safetensors file. Raises ModelError where the file is not whole."""
    with readable(path), open(path, "rb") as file:
        if file.read(len(LFS)) == LFS:
            raise ModelError(f"{path}: got a Git LFS pointer, expected the weights it stands for: fetch them (git lfs pull)")
    try:
        with readable(path), safe_open(path, "np") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"{path}: not a {SAFE} file, or damaged, or cut off ({' '.join(str(error).split())[:100]}), expected "
                         "whole weights: get the file again") from None


def weights_of(folder: Path) -> dict[str, list[Path]]:
    """A component's safetensors files by variant: "" for NAME.safetensors, "fp16" for NAME.fp16.safetensors, parts together."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*{SAFE}")):
        variant = re.sub(r"-\d+-of-\d+", "", path.name.removesuffix(SAFE)).partition(".")[2]
        found.setdefault(variant, []).append(path)
    return found


def variant_of(folder: Path, preferred: str | None = None) -> str | None:
    """The variant of a component's weights that is read: the preferred one where it is there, else None (plain), fp16, or any.

    Each component is asked: people convert one and leave the others as they were.
    """
    there = weights_of(folder)
    for variant in (preferred or "", "", "fp16", "bf16", *sorted(there)):
        if variant in there:
            return variant or None
    return preferred


def tensor_shapes(folder: Path, preferred: str | None = None) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a component's safetensors files, of the variant that is read. Raises ModelError."""
    with readable(folder):
        list(folder.iterdir())  # which glob, unlike this, takes for empty where it may not be read
    variant = variant_of(folder, preferred)
    files = weights_of(folder).get(variant or "")
    if not files:
        pickles = [path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLES]
        found = f"pickled weights ({pickles[0]}), which can run code" if pickles else "no weights"
        raise ModelError(f"{folder}: got {found}, expected {SAFE} files: get the model in that format")
    for index in folder.glob(f"*{SAFE}.index*.json"):
        if (index.name.removesuffix(".json").partition(".index")[2].lstrip(".") or None) != variant:
            continue
        parts = read_json(index).get("weight_map")
        missing = set(parts.values()) - {path.name for path in files} if isinstance(parts, dict) else {index.name}
        if missing:
            raise ModelError(f"{folder}: {min(missing)} is missing or broken, expected all parts of the weights: get it again")
    return {name: shape for path in files for name, shape in file_shapes(path).items()}


def check_complete(folder: Path, state: Mapping, preferred: str | None = None) -> None:
    """Raise ModelError where the files of a component lack a tensor of `state` (name → tensor), or have another shape."""
    found = tensor_shapes(folder, preferred)
    for name, tensor in state.items():
        if found.get(name) != tuple(tensor.shape):
            raise ModelError(f"{folder}: got {found.get(name, 'nothing')} for {name}, expected {tuple(tensor.shape)}: get the "
                             "model again")

"""The authors' checkpoint: its settings, its names for the drag layers, and reading it without trust."""

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from puppetmaster_core.files import one_line

# How the released network differs from the paper's (the book's page "Deviations").
RELEASED = {
    "drag_encoding": "released",
    "token_positions": ("u", "vn"),
    "token_embedding": "cells",
    "token_detach": True,
    "token_mask": False,
    "modulate_mid": False,
    "time_ids": False,
    "up_norm_eps": 1e-5,
    "num_frames": 14,
}

# Drag layers, ours to theirs: ours sit in the transformer they serve, theirs in lists beside it.
RENAMED = {
    r"attentions\.(\d+)\.modulation\.": r"flow_convs.\1.",
    r"attentions\.(\d+)\.tokens\.mlp\.": r"drag_token_mlps.\1.",
}

# The authors' constructor arguments, and ours.
ARGUMENTS = {
    "num_drags": "max_drags",
    "pos_embed_dim": "token_position_channels",
    "drag_embedder_out_channels": "modulation_channels",
    "drag_token_cross_attn": "drag_tokens",
}


ADVICE = "check that it is the authors' checkpoint and that the settings are its own"


def released_name(name: str) -> str:
    """The name of a parameter in the authors' code."""
    for ours, theirs in RENAMED.items():
        name = re.sub(ours, theirs, name)
    return name


def released_config(arguments: Mapping) -> dict:
    """The authors' constructor arguments as those of `DragUNet`, for `DragUNet.from_released(..., **config)`."""
    config = {ARGUMENTS.get(name, name): value for name, value in arguments.items()}
    config.pop("cond_dropout_prob", None)  # of their training loop
    if not config.pop("use_modulate", True):
        config["modulation"] = "none"
    return {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}


def check_released(config: Mapping) -> None:
    """ValueError for settings with which the authors' code would not load the tensors, or compute something else."""
    fixed = {name: value for name, value in RELEASED.items() if name != "num_frames"}
    fixed |= {"end_location": True, "token_hidden": None, "prediction": "v"}
    for name, value in fixed.items():
        got = tuple(config[name]) if isinstance(config[name], list) else config[name]
        if got != value:
            raise ValueError(f"got {name}={got!r}, the authors' network has {value!r}: make the network with from_released")


def read_released(source: Mapping[str, Tensor] | str | PathLike, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under our names, with the shapes of `wanted` (name -> tensor), from a mapping or a safetensors file.

    Raises ValueError, naming the tensor that is missing, of another shape, not finite, or too many.
    """
    tensors = source if isinstance(source, Mapping) else read_tensors(Path(source))
    found = {}
    for name, like in wanted.items():
        theirs = released_name(name)
        if theirs not in tensors:
            raise ValueError(f"got no tensor {theirs!r}, expected {tuple(like.shape)}: {ADVICE}")
        tensor = tensors[theirs]
        if tensor.shape != like.shape:
            raise ValueError(f"got {theirs!r} of shape {tuple(tensor.shape)}, expected {tuple(like.shape)}: {ADVICE}")
        if not (tensor.is_floating_point() and tensor.isfinite().all()):
            raise ValueError(f"{theirs!r} holds other than finite floating-point numbers: get the file again")
        found[name] = tensor
    extra = sorted(tensors.keys() - {released_name(name) for name in wanted})
    if extra:
        raise ValueError(f"got tensor {extra[0]!r}, which this network does not have: {ADVICE}")
    return found


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises ValueError."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file, expected the authors' checkpoint in safetensors format: check the path")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: damaged, cut off or no .safetensors file ({one_line(error)}), expected the whole checkpoint: "
                         "get the file again") from error

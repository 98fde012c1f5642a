"""What the network refuses: each error says what came, what was wanted and what to do."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from puppetmaster_core.drags import check_count

from .attention import ATTENTION_ARMS
from .conditioning import DragConditioning
from .tokens import POSITIONS

CHOICES = {
    "drag_encoding": ("paper", "released"),
    "modulation": ("scale_shift", "shift", "none"),
    "token_embedding": ("points", "cells"),
    "attention": tuple(ATTENTION_ARMS),
    "prediction": ("v", "clean"),
}


# Settings that do not exist or contradict each other, before anything is built.
def check_config(config: dict) -> None:
    for name, wanted in CHOICES.items():
        if config[name] not in wanted:
            raise ValueError(f"{name}={config[name]!r} given, wanted one of {', '.join(wanted)}")
    if config["max_drags"] < 1:
        raise ValueError(f"max_drags={config['max_drags']} given, wanted 1 or more: without drags it is SVD's network")
    if config["modulation"] != "none" and not config["modulation_channels"]:
        raise ValueError('no modulation_channels given, wanted one width or more: name them, or set modulation="none"')
    unknown = set(config["token_positions"]) - set(POSITIONS)
    if unknown or (config["drag_tokens"] and not config["token_positions"]):
        raise ValueError(f"token_positions={config['token_positions']} given, wanted some of {', '.join(POSITIONS)}")
    if "vN" in config["token_positions"] and config["drag_tokens"] and not config["end_location"]:
        raise ValueError(
            f"end_location=False and token_positions={config['token_positions']} given: without end locations, "
            "tokens read u and vn only"
        )
    if config["attention"] == "static_reference" and config["in_channels"] != 2 * config["out_channels"]:
        raise ValueError(
            f"attention='static_reference' with {config['in_channels']} input channels given, wanted "
            f"{2 * config['out_channels']}: noisy and image latents of {config['out_channels']} channels each"
        )
    if config["token_position_channels"] % 4:
        raise ValueError(
            f"token_position_channels={config['token_position_channels']} given, wanted a multiple of 4: "
            "sine and cosine of x and y take equal parts"
        )


# Drags that the network cannot encode.
def check_drags(points: Tensor, present: Tensor, size: tuple[int, int], max_drags: int, device: torch.device) -> None:
    if points.ndim != 4 or points.shape[-1] != 2:
        raise ValueError(f"points of shape {tuple(points.shape)} given, wanted (batch, drags, frames, 2)")
    batch, drags, frames, _ = points.shape
    told = isinstance(present, Tensor) and present.dtype == torch.bool
    if not told or tuple(present.shape) not in ((batch, drags), (batch, frames, drags)):
        raise ValueError(
            f"present {_told(present)} given, wanted torch.bool of {(batch, drags)}, "
            f"a truth value per drag, or of {(batch, frames, drags)}, one per frame and drag"
        )
    check_count(drags, max_drags)
    if not isinstance(size, tuple | list) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        raise ValueError(f"size {size!r} given, wanted (h, w) of the latents, each 1 or more")
    for name, tensor in (("points", points), ("present", present)):
        if tensor.device != device:
            raise ValueError(f"{name} of drags on {tensor.device} given, the network is on {device}: move one with .to()")


def _told(value) -> str:
    return f"of shape {tuple(value.shape)} and {value.dtype}" if isinstance(value, Tensor) else f"as a {type(value).__name__}"


# Arguments that do not fit the network, its conditioning or each other.
def check_inputs(
    sample: Tensor, timestep: Any, embedding: Tensor, time_ids: Tensor, conditioning: DragConditioning, config, weight: Tensor
) -> None:
    channels = config.in_channels
    if sample.ndim != 5 or sample.shape[2] != channels:
        raise ValueError(
            f"sample of shape {tuple(sample.shape)} given, wanted (batch, frames, {channels}, h, w): "
            "noisy and image latents side by side on the channels"
        )
    batch, frames, _, *size = sample.shape
    for name, got, wanted in (
        ("videos", conditioning.batch, batch),
        ("frames", conditioning.frames, frames),
        ("latent size", conditioning.size, tuple(size)),
    ):
        if got != wanted:
            raise ValueError(
                f"conditioning for {name} {got} given, the sample has {wanted}: "
                "make it with condition(points, present, size) of this sample's batch, frames and size"
            )
    dim = config.cross_attention_dim if isinstance(config.cross_attention_dim, int) else config.cross_attention_dim[0]
    ids = config.projection_class_embeddings_input_dim // config.addition_time_embed_dim
    for name, got, wanted in (
        ("encoder_hidden_states", embedding, {(batch, 1, dim)}),
        ("added_time_ids", time_ids, {(batch, ids)}),
        ("timestep", timestep, {(), (1,), (batch,)}),
    ):
        unused = name == "added_time_ids" and not config.time_ids
        lone = name == "timestep" and isinstance(got, Real)
        if not lone and not unused and (not isinstance(got, Tensor) or tuple(got.shape) not in wanted):
            raise ValueError(f"{name} {_told(got)} given, wanted {max(wanted)}: one for each video")
    maps = [m.beta for m in conditioning.maps if m is not None]
    typed = {"sample": sample, "encoder_hidden_states": embedding, "conditioning": maps[0] if maps else sample}
    placed = typed | {"added_time_ids": time_ids, "conditioning": conditioning.points}
    if isinstance(timestep, Tensor) and timestep.ndim:  # a lone number may stay on the CPU
        placed["timestep"] = timestep
    for name, tensor in placed.items():
        if tensor.device != weight.device:
            raise ValueError(f"{name} on {tensor.device} given, the network is on {weight.device}: move it with .to()")
    kind = weight.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return
    for name, tensor in typed.items():
        if tensor.dtype != weight.dtype:
            raise ValueError(
                f"{name} of {tensor.dtype} given, the network is {weight.dtype}: "
                "convert it with .to(), or run under torch.autocast"
            )


# A conditioning that another network made.
def check_maps(conditioning: DragConditioning, transformers: Sequence, max_drags: int) -> None:
    wanted = [None if t.modulation is None else t.in_channels for t in transformers]
    came = [None if m is None else m.beta.shape[2] for m in conditioning.maps]
    if came != wanted or conditioning.points.shape[1] != max_drags:
        raise ValueError(
            f"conditioning for {conditioning.points.shape[1]} drags with maps of {came} channels given, this network takes "
            f"{max_drags} with {wanted}: make it with condition() of this network"
        )

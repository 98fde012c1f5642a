"""SVD's network, in diffusers' folder layout, as the start of a drag network (App. C.1): what is taken over and what is added."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from diffusers import UNetSpatioTemporalConditionModel
from diffusers.utils import logging as diffusers_log
from torch import nn

from puppetmaster_core.files import one_line

CACHE_LINE = 64  # bytes
NAME = "UNetSpatioTemporalConditionModel"
ADVICE = "expected Stable Video Diffusion's U-Net in safetensors: check the path and the variant, or get it again"


@dataclass(frozen=True)
class Additions:
    """What a drag network has beside SVD's. All but `source` are numbers of parameters."""

    source: str
    svd: int  # in SVD's U-Net
    left_out: int  # of these, not taken over: the embedding of the time ids, in settings that do without
    modulation: int  # added, App. C.1: the last convolution of each net starts at zero
    tokens: int  # added, random

    @property
    def total(self) -> int:
        return self.svd - self.left_out + self.modulation + self.tokens

    def __str__(self) -> str:
        parts = [f"{self.svd:,} parameters of SVD's from {self.source}"]
        if self.left_out:
            parts.append(f"less {self.left_out:,} that embed time ids")
        parts.append(f"{self.modulation:,} of drag modulation added, ending in zeros")
        parts.append(f"{self.tokens:,} of drag tokens added, random")
        return "; ".join(parts) + f"; {self.total:,} in all"


def read_svd(source: str | PathLike, variant: str | None, dtype: torch.dtype, **options) -> UNetSpatioTemporalConditionModel:
    """SVD's own U-Net from its folder (the pipeline's, or the U-Net's within) or from the hub (OWNER/NAME).

    Reads safetensors only; options: diffusers' (revision, token, cache_dir, …). Raises ValueError where a file is missing or
    damaged, naming the first tensor that is missing, too many, of another shape or not finite.
    """
    subfolder = None if (Path(source) / "config.json").is_file() else "unet"
    where = {"subfolder": subfolder, "variant": variant, "use_safetensors": True, **options}
    level = diffusers_log.get_verbosity()
    diffusers_log.set_verbosity_error()  # what it warns of here is an error, raised below
    try:
        config = UNetSpatioTemporalConditionModel.load_config(source, subfolder=subfolder, **options)
        if config.get("_class_name", NAME) != NAME:
            raise ValueError(f"a {config['_class_name']}")
        net, info = UNetSpatioTemporalConditionModel.from_pretrained(source, torch_dtype=dtype, output_loading_info=True, **where)
    except Exception as error:  # whatever the libraries raise: no file, no network, broken JSON, a header cut off, …
        raise ValueError(f"{source}: got {one_line(error, 200)}, {ADVICE}") from error
    finally:
        diffusers_log.set_verbosity(level)
    for problem, names in (("no tensor", info["missing_keys"]), ("an unknown tensor", info["unexpected_keys"]),
                           ("another shape of", info["mismatched_keys"])):
        for name in sorted(map(str, names)):
            raise ValueError(f"{source}: got {problem} {name}, {ADVICE}")
    for name, tensor in net.state_dict().items():
        if not tensor.isfinite().all():
            raise ValueError(f"{source}: got numbers that are not finite in {name}, {ADVICE}")
    return net


def with_drags(cls: type, svd: UNetSpatioTemporalConditionModel, source: str, seed: int, config: Mapping) -> nn.Module:
    """A network of class `cls` (DragUNet) with SVD's weights, and new drag layers drawn from `seed`.

    config: settings of `cls` beside SVD's own. The result's `additions` say what was added. Raises ValueError.
    """
    known = inspect.signature(cls.__init__).parameters
    theirs = {name: value for name, value in svd.config.items() if name in known}
    free = {"num_frames", "sample_size"}  # no weight's shape depends on them
    fixed = [name for name in config if name in theirs.keys() - free and _plain(config[name]) != _plain(theirs[name])]
    if fixed:
        name = fixed[0]
        raise ValueError(f"got {name}={config[name]!r}, SVD's network has {theirs[name]!r}: leave it out")
    with torch.device("meta"):
        net = cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in (theirs | dict(config)).items()})
    weights = svd.state_dict()
    wanted = {name for name in net.state_dict() if ".modulation." not in name and ".tokens." not in name}
    left_out = sum(weights.pop(name).numel() for name in sorted(weights.keys() - wanted))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for transformer in net.drag_transformers():
            if transformer.modulation is not None or transformer.tokens is not None:
                transformer.add_drag_layers(net.config)
    net.load_state_dict(weights, strict=False, assign=True)
    net = align_weights(nn.Module.to(net, svd.dtype).eval())
    net.additions = Additions(source, _count(svd), left_out, _count(net, ".modulation."), _count(net, ".tokens."))
    return net


def align_weights(module: nn.Module) -> nn.Module:
    """The module, its weights each at the start of a line of the CPU's cache: in place, copied where they are not.

    Weights mapped from a file may begin anywhere, which changes how some processors sum; so aligned, a loaded network answers as
    the saved one did, to the bit.
    """
    for weight in module.parameters():
        if weight.device.type == "cpu" and weight.data_ptr() % CACHE_LINE:
            weight.data = weight.data.clone()
    return module


def explain_sizes(cls: type, released: Mapping) -> list[tuple[str, int]]:
    """Numbers of parameters at SVD's size, from its own network to the released and the paper's, each step explained.

    cls: DragUNet; released: the settings of the authors' code. Built on the meta device: no memory. Lines without a sign are
    whole networks.
    """
    with torch.device("meta"):
        svd, theirs, ours = UNetSpatioTemporalConditionModel(), cls(**released), cls()
    time_ids = _count(svd, "add_embedding.")
    middle = _count(ours, "mid_block.attentions.0.modulation.") + _count(ours, "mid_block.attentions.0.tokens.")
    final = _count(ours) - _count(theirs) - time_ids - middle
    return [
        ("SVD's U-Net", _count(svd)),
        ("+ drag modulation in the 15 transformers of the down and up blocks", _count(theirs, ".modulation.")),
        ("+ drag tokens there, which read u and v^n", _count(theirs, ".tokens.")),
        ("− SVD's embedding of the time ids", -time_ids),
        ("the released network", _count(theirs)),
        ("+ SVD's embedding of the time ids", time_ids),
        ("+ drag modulation and tokens in the middle block", middle),
        ("+ tokens that read v^N too", final),
        ("the paper's settings", _count(ours)),
    ]


def _count(net: nn.Module, part: str = "") -> int:
    return sum(parameter.numel() for name, parameter in net.named_parameters() if part in name)


def _plain(value) -> object:
    """A setting as JSON has it, to compare: tuples become lists."""
    return list(value) if isinstance(value, tuple) else value

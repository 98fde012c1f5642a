"""The modules of a pipeline: assembled from SVD's folder, and checked against each other before anything is computed."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from puppetmaster_core import checkpoints
from puppetmaster_core.latents.field import CHANNELS
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.latents.parts import SIDE
from puppetmaster_core.latents.pictures import downscale
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.alignment import align_weights
from puppetmaster_core.model.svd import read_modules
from puppetmaster_core.presets import SVD, Preset
from puppetmaster_core.sampling import make_solver, rehearse
from puppetmaster_core.tensor_files import ModelError, check_complete, variant_of

MODULES = ("vae", "image_encoder", "unet", "scheduler")


def settings_of(preset: Preset) -> dict:
    """A preset's part of the pipeline's plain settings."""
    names = ("size", "frames", "residual", "anchor", "steps", "min_guidance", "max_guidance", "qualities")
    return {name: getattr(preset, name) for name in names} | {"latent_scale": preset.vae.get("scaling_factor", 0.18215)}


def make_modules(preset: Preset, seed: int, without: Container[str] = ()) -> dict:
    """Those of a preset's MODULES that are not named, with random weights drawn from `seed`, each as if alone."""
    makers = {
        "vae": lambda: (MotionCodec if preset.latents == "motion" else AutoencoderKLTemporalDecoder)(**preset.vae),
        "image_encoder": lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**preset.image_encoder)),
        "unet": lambda: DragUNet(**preset.unet),
        "scheduler": lambda: make_solver("euler", preset.noise_levels),
    }
    made = {}
    with torch.random.fork_rng(devices=[]):
        for name in (name for name in MODULES if name not in without):
            torch.manual_seed(seed)
            module = makers[name]()
            made[name] = module.eval() if isinstance(module, nn.Module) else module
    return made


def assemble_svd(folder: Path, options: dict) -> dict:
    """SVD with drag layers, App. C.1, or with the authors' network.

    Modules and settings of a pipeline from Stable Video Diffusion's folder, in diffusers' layout.

    options: those of `PuppetMasterPipeline.from_pretrained`. Modules among them are taken as they are; unet may be the file of
    the authors' checkpoint, unet_config what differs in it from SVD's size. Raises ModelError, or what the libraries raise.
    """
    dtype = options.get("dtype", options.get("torch_dtype", torch.float32))
    wanted = options.get("variant")
    given = {name: options[name] for name in MODULES if name in options}
    modules = given | read_modules(folder, set(MODULES) - given.keys(), wanted, dtype)
    if "unet" not in given:
        modules["unet"] = DragUNet.from_svd(folder, variant=variant_of(folder / "unet", wanted), torch_dtype=dtype)
    elif not isinstance(given["unet"], nn.Module):
        modules["unet"] = nn.Module.to(DragUNet.from_released(given["unet"], **options.get("unet_config", {})), dtype)
    for name in {"vae", "image_encoder"} - given.keys():
        check_complete(folder / name, modules[name].state_dict(), wanted)
        align_weights(modules[name])
    rehearse(modules["scheduler"])
    known = settings_of(SVD) | {"latent_scale": modules["vae"].config.scaling_factor}
    known["null_picture"] = modules["unet"].config.token_mask  # with the authors' convention, the authors' null
    plain = checkpoints.SETTINGS.keys() | {"qualities"}
    return modules | known | {name: value for name, value in options.items() if name in plain}


def read_apart(folder: Path, options: Mapping) -> dict:
    """The options for a model whose modules have their weights in different variants: those modules, and variant=None.

    options: those of `PuppetMasterPipeline.from_pretrained`, with dtype. Raises what the libraries raise.
    """
    own = checkpoints.read_index(folder).get("vae", ("", ""))[1]
    latents = MotionCodec if own == "MotionCodec" else AutoencoderKLTemporalDecoder
    makers = {"vae": (latents, "torch_dtype"), "image_encoder": (CLIPVisionModelWithProjection, "dtype"),
              "unet": (DragUNet, "torch_dtype")}
    variants = {name: variant_of(folder / name, options.get("variant")) for name in makers.keys() - options.keys()}
    if len(set(variants.values())) < 2:
        return {"variant": next(iter(variants.values()), None)}
    dtype = options.get("dtype", options.get("torch_dtype", torch.float32))
    read = {"variant": None}
    for name in (name for name, variant in variants.items() if variant):
        kind, key = makers[name]
        weights = {"variant": variants[name], "use_safetensors": True, key: dtype}
        read[name] = kind.from_pretrained(folder / name, **weights).eval()
    return read


def check_loaded(folder: Path, modules: Mapping, given: Container[str], variant: str | None = None) -> None:
    """Raise ModelError, or what a scheduler raises, for modules of a loaded model that are not as its files should have them.

    given: names of modules that came from elsewhere; variant: of the files, where a module has it.
    """
    loaded = {name: modules[name] for name in MODULES if name not in given}
    for name, module in loaded.items():
        if name != "image_encoder":  # transformers checks its settings itself
            checkpoints.check_kinds(folder / name, module)
    if "scheduler" in loaded:
        rehearse(loaded.pop("scheduler"))
    for name, module in loaded.items():
        check_complete(folder / name, module.state_dict(), variant)


def check_precision(unet: DragUNet, device: torch.device) -> None:
    """Raise ModelError for half precision on a CPU."""
    if device.type == "cpu" and unet.dtype in (torch.float16, torch.bfloat16):
        raise ModelError(f"got a model in {unet.dtype} to run on a CPU, which takes many times as long for it as for float32: "
                         "load it with dtype=torch.float32, or move it to a GPU")


def check_modules(vae, image_encoder, unet, size: int) -> None:
    """Raise ModelError for modules that do not fit each other, or the side of the model's square picture."""
    if not isinstance(unet, DragUNet):
        raise ModelError(f"got a {type(unet).__name__} as unet, expected a DragUNet")
    if isinstance(vae, MotionCodec):
        _check_motion(vae, unet, size)
    else:
        _check_pictures(vae, unet, size)
    width, wanted = image_encoder.config.projection_dim, unet.config.cross_attention_dim
    if isinstance(wanted, int) and width != wanted:
        raise ModelError(f"got an image encoder of width {width}, expected {wanted}: use the one the U-Net was trained with")


def _check_pictures(vae, unet, size: int) -> None:
    wanted = unet.config.out_channels + vae.config.latent_channels
    if unet.config.in_channels != wanted:
        raise ModelError(f"got a U-Net of {unet.config.in_channels} input channels, expected {wanted} for these and those "
                         "of the picture: use the VAE it was trained with")
    if size % downscale(vae):
        raise ModelError(f"got size={size}, expected a multiple of {downscale(vae)}, the pixels of a latent cell")


def _check_motion(codec: MotionCodec, unet, size: int) -> None:
    given = codec.given_channels(unet.config.max_drags, tuple(codec.config.parts_widths))
    if (unet.config.in_channels, unet.config.out_channels) != (CHANNELS + given, CHANNELS):
        raise ModelError(f"got a U-Net of {unet.config.in_channels} input and {unet.config.out_channels} output channels for "
                         f"motion latents, expected {CHANNELS + given} and {CHANNELS}: use the one that was trained with this "
                         "codec; one for picture latents needs its VAE")
    if size != SIDE:
        raise ModelError(f"got size={size} for motion latents, expected {SIDE}, which their network sees")

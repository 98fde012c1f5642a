"""The modules of a pipeline: with random weights or from a folder, and checked against each other before anything is computed."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKLTemporalDecoder, EDMDPMSolverMultistepScheduler, EulerDiscreteScheduler
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from puppetmaster_core.checkpoints import PLAIN, SVD_CLASS, ModelError, read_model_index, variant_of
from puppetmaster_core.latents.field import CHANNELS
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.latents.parts import SIDE
from puppetmaster_core.model import DragUNet, svd
from puppetmaster_core.model.svd import align_weights
from puppetmaster_core.presets import SVD, Preset, cell_size
from puppetmaster_core.sampling import make_solver, rehearse

MODULES = ("vae", "image_encoder", "unet", "scheduler")
# What a folder's modules may be, by the names of their classes, and what each calls its precision; schedulers have none.
KINDS = {"AutoencoderKLTemporalDecoder": (AutoencoderKLTemporalDecoder, "torch_dtype"),
         "MotionCodec": (MotionCodec, "torch_dtype"),
         "CLIPVisionModelWithProjection": (CLIPVisionModelWithProjection, "dtype"), "DragUNet": (DragUNet, "torch_dtype"),
         "EulerDiscreteScheduler": (EulerDiscreteScheduler, None),
         "EDMDPMSolverMultistepScheduler": (EDMDPMSolverMultistepScheduler, None)}


def pipeline_settings(preset: Preset) -> dict:
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


def read_pipeline(folder: Path, options: Mapping) -> dict:
    """Modules and settings from the folder of a model of ours, or of SVD in diffusers' layout, which becomes one (App. C.1).

    options: those of `PuppetMasterPipeline.from_pretrained`. Modules among them are taken as they are; unet may be the file of
    the authors' checkpoint, unet_config what differs in it from SVD's size. Raises ModelError, or what the libraries raise.
    """
    index = read_model_index(folder)
    modules = {name: options[name] if name in options else _read_module(folder / name, index[name][1], options)
               for name in MODULES}
    if not isinstance(modules["unet"], nn.Module):
        released = DragUNet.from_released(modules["unet"], **options.get("unet_config", {}))
        modules["unet"] = nn.Module.to(released, _dtype(options))
    settings = index
    if index.get("_class_name") == SVD_CLASS:
        settings = pipeline_settings(SVD) | {
            "latent_scale": modules["vae"].config.scaling_factor,
            "null_picture": modules["unet"].config.token_mask}  # the authors' convention, their null
    return modules | {name: value for name, value in (settings | options).items() if name in PLAIN}


def _read_module(folder: Path, kind: str, options: Mapping):
    """A module by the name of its class, whole, in the variant of its weights that is there (`variant_of`)."""
    if not folder.is_dir():  # or the libraries would look for it on the hub
        raise ModelError(f"{folder}: no such folder, expected a {kind}: get the model again")
    variant, dtype = variant_of(folder, options.get("variant")), _dtype(options)
    if kind == svd.NAME:
        return DragUNet.from_svd(folder, variant=variant, torch_dtype=dtype)
    if kind not in KINDS:
        raise ModelError(f"{folder}: got a {kind}, expected one of {', '.join(KINDS)}: get the model again")
    maker, precision = KINDS[kind]
    if precision is None:
        rehearse(scheduler := maker.from_pretrained(folder))
        return scheduler
    module, found = maker.from_pretrained(folder, variant=variant, use_safetensors=True, output_loading_info=True,
                                          **{precision: dtype})
    for name in sorted(found["missing_keys"])[:1]:
        raise ModelError(f"{folder}: got no {name}, expected whole weights: get the model again")
    return align_weights(module.eval())


def _dtype(options: Mapping) -> torch.dtype:
    return options.get("dtype", options.get("torch_dtype", torch.float32))


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
    if size % (cell := cell_size(vae.config)):
        raise ModelError(f"got size={size}, expected a multiple of {cell}, the pixels of a latent cell")


def _check_motion(codec: MotionCodec, unet, size: int) -> None:
    given = codec.given_channels(unet.config.max_drags, tuple(codec.config.parts_widths))
    if (unet.config.in_channels, unet.config.out_channels) != (CHANNELS + given, CHANNELS):
        raise ModelError(f"got a U-Net of {unet.config.in_channels} input and {unet.config.out_channels} output channels for "
                         f"motion latents, expected {CHANNELS + given} and {CHANNELS}: use the one that was trained with this "
                         "codec; one for picture latents needs its VAE")
    if size != SIDE:
        raise ModelError(f"got size={size} for motion latents, expected {SIDE}, which their network sees")

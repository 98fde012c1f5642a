"""The scales: what each model is made of and how it is sampled. The same classes run at every scale.

A preset holds constructor arguments only; `pipeline.build` and the training stages turn them into modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CROSS_DOWN, CROSS_UP = "CrossAttnDownBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"
MOTION_GRID = 8  # cells a side of motion latents

STAGES = ("vae", "painter", "parts", "denoiser")  # of training; a scale has those of its latents
SOLVERS = ("euler", "dpm++", "ays")
# What `quality` names where a model says nothing of its own. The paper's is App. C.2's.
QUALITIES = {
    "draft": {"solver": "dpm++", "steps": 10},
    "good": {"solver": "dpm++", "steps": 25},
    "paper": {"solver": "euler", "steps": 50},
}


def patch_size(vae: Mapping) -> int:
    """Pixels a side that a VAE of this configuration takes as one: 12 input channels are patches of 2×2. 1 for SVD."""
    return round((vae.get("in_channels", 3) / 3) ** 0.5)


def cell_size(vae: Mapping) -> int:
    """Pixels a side of one latent cell of such a VAE, its patches and halvings: 8 for SVD."""
    return patch_size(vae) * 2 ** (len(vae["block_out_channels"]) - 1)


@dataclass(frozen=True)
class Preset:
    """One scale. The dictionaries are arguments of the class that each comment names."""

    name: str
    size: int  # pixels a side of the square picture
    frames: int  # N
    vae: dict  # of what makes latents: diffusers' AutoencoderKLTemporalDecoder, or `MotionCodec`
    image_encoder: dict  # transformers' CLIPVisionConfig
    unet: dict  # DragUNet
    latents: str = "pictures"  # what is diffused: "pictures", the paper's, or "motion", ours
    residual: bool = False  # diffuse z^n − z^1 (LatentSpace)
    anchor: float = 0.0  # anchored decoding's tolerance (LatentSpace), 0 = off
    noise_levels: tuple[float, float] = (0.002, 700.0)  # the lowest and the highest σ of sampling, SVD's
    steps: int = 50  # sampling steps, App. C.2
    min_guidance: float = 1.0
    max_guidance: float = 5.0  # App. C.2
    qualities: dict | None = None  # arguments of `Sampling` by the name of a quality, None: QUALITIES
    # RunSettings of each stage by its name; "recipe", values of the denoiser's Recipe; "clips", how many are rendered.
    # Without a stage for the VAE, training has to begin with a whole model's weights.
    training: dict = field(default_factory=dict)

    @property
    def cell(self) -> int:
        """Pixels a side of one latent cell."""
        return self.size // MOTION_GRID if self.latents == "motion" else cell_size(self.vae)

    @property
    def max_drags(self) -> int:
        return self.unet.get("max_drags", 5)


def _vae(channels: tuple[int, ...], latent_channels: int, patch: int) -> dict:
    """A VAE on patches of patch × patch pixels: with its len(channels) − 1 halvings they make a latent cell."""
    return {
        "in_channels": 3 * patch**2, "out_channels": 3 * patch**2, "block_out_channels": channels, "layers_per_block": 1,
        "down_block_types": ("DownEncoderBlock2D",) * len(channels), "latent_channels": latent_channels,
        "scaling_factor": 1.0, "force_upcast": False,
    }


def _clip(size: int, patch: int, width: int, layers: int, projection: int) -> dict:
    return {
        "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // 32), "image_size": size, "patch_size": patch, "projection_dim": projection,
    }


def _unet(channels: tuple[int, ...], latent_channels: int, cross: int, modulation: tuple[int, ...], frames: int) -> dict:
    """Cross-attention at every level: few levels fit on a small grid. (SVD's deepest level of four has none.)"""
    levels = len(channels)
    return {
        "in_channels": 2 * latent_channels, "out_channels": latent_channels, "block_out_channels": channels,
        "down_block_types": (CROSS_DOWN,) * levels, "up_block_types": (CROSS_UP,) * levels, "layers_per_block": 1,
        "num_attention_heads": tuple(c // 32 for c in channels), "cross_attention_dim": cross,
        "addition_time_embed_dim": 32, "projection_class_embeddings_input_dim": 96, "num_frames": frames,
        "modulation_channels": modulation, "token_position_channels": 32,
    }


SMOKE = Preset(
    name="smoke",
    size=64,
    frames=4,
    vae=_vae((32, 32, 32), 4, patch=2),
    image_encoder=_clip(64, 16, 32, 1, 32),
    unet=_unet((32, 64), 4, 32, (16, 16), 4),
    steps=2,
)

TINY = Preset(
    name="tiny",
    size=64,
    frames=14,
    latents="motion",
    vae={"parts_widths": (32, 64, 128), "parts_fine": 16, "parts_depth": 5, "parts_rise": 2, "painter_widths": (48, 96, 128),
         "painter_fine": 24, "painter_depth": 3, "scale": 16.0},
    image_encoder=_clip(64, 8, 64, 2, 64),
    # 48: x, y and whether it moves, 4 × 4 of them a cell; 232: what `MotionCodec` gives beside the noise
    unet=_unet((64, 64), 48, 64, (32, 48), 14) | {"in_channels": 48 + 232, "prediction": "clean"},
    noise_levels=(0.4, 80.0),  # from where its training ends to where there is nothing left to see
    steps=2,
    max_guidance=1.0,
    qualities={"draft": {"steps": 1}, "good": {"steps": 2}, "paper": {"steps": 50}},
    training={
        "clips": 22000,
        "painter": {"steps": 5000, "batch_size": 8, "learning_rate": 1e-3, "optimizer": "muon", "warmup_steps": 50,
                    "decay_steps": 2500, "ema_decay": 0.998},
        "parts": {"steps": 9000, "batch_size": 16, "learning_rate": 1e-3, "optimizer": "muon", "warmup_steps": 50,
                  "decay_steps": 5400, "ema_decay": 0.998},
        "recipe": {"sigma_mean": 3.0, "sigma_min": 0.4, "short_steps": 1_000_000, "short_frames": 3},
        "denoiser": {"steps": 4000, "batch_size": 32, "learning_rate": 1e-3, "optimizer": "muon", "warmup_steps": 100,
                     "decay_steps": 3000, "ema_decay": 0.998, "sample_every": 2000},
    },
)

# One GPU. Small enough that with tiny's weights the checkout stays below 56 MB: 30 MB in half precision.
MINI = Preset(
    name="mini",
    size=256,
    frames=14,
    vae=_vae((160,), 24, patch=8),
    image_encoder=_clip(128, 16, 96, 3, 96),
    unet=_unet((64, 64, 128), 24, 96, (32, 48), 14) | {"prediction": "clean"},
    residual=True,
    anchor=0.25,
    noise_levels=(0.4, 300.0),
    steps=10,
    max_guidance=1.5,
    training={
        "vae": {"steps": 6000, "batch_size": 16, "learning_rate": 4e-5, "warmup_steps": 50, "decay_steps": 4000,
                "ema_decay": 0.998, "workers": 8},
        "recipe": {"sigma_mean": 3.5, "sigma_min": 0.4, "short_steps": 12000},  # tiny's, and more noise for a finer grid
        "denoiser": {"steps": 16000, "batch_size": 32, "learning_rate": 5e-4, "warmup_steps": 500, "decay_steps": 8000,
                     "ema_decay": 0.999, "workers": 8, "sample_every": 2000},
    },
)

# Made for comparing arms (Tables 2 and 3), not for looking at: one arm with one seed trains in minutes on one core. Its picture
# latents are a linear code (`latents.linear`), one cell a patch; in place of CLIP stands the picture in 4 × 4 pixels.
ABLATION = Preset(
    name="ablation",
    size=64,
    frames=5,
    vae={"in_channels": 3 * 8**2, "block_out_channels": (24,), "latent_channels": 24},
    image_encoder={},
    unet=_unet((32, 32), 24, 48, (16, 32), 5) | {"prediction": "clean"},
    residual=True,
    noise_levels=(0.4, 80.0),
    steps=4,
    max_guidance=1.0,
    training={
        "clips": 2400,
        "recipe": {"sigma_mean": 3.0, "sigma_min": 0.4, "drag_dropout": 0.0, "short_frames": 3},
        "denoiser": {"steps": 250, "batch_size": 16, "learning_rate": 4e-3, "warmup_steps": 20, "decay_steps": 125,
                     "ema_decay": 0.98},
    },
)

# The paper's scale. Its weights are SVD's, downloaded, so it is not among those that train from nothing.
SVD = Preset(
    name="svd",
    size=256,
    frames=14,
    vae={
        "block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4, "layers_per_block": 2,
        "in_channels": 3, "out_channels": 3, "latent_channels": 4, "scaling_factor": 0.18215, "force_upcast": True,
    },
    image_encoder={
        "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16,
        "image_size": 224, "patch_size": 14, "projection_dim": 1024, "hidden_act": "gelu",
    },
    unet={"in_channels": 8, "out_channels": 4, "cross_attention_dim": 1024, "num_frames": 14},  # else DragUNet's defaults
    # App. C.1. Rounds of one clip, as on the paper's one GPU; the learning rate and the clipping are the released code's.
    training={
        "denoiser": {"steps": 12_500, "batch_size": 64, "accumulate": 64, "learning_rate": 1e-5, "warmup_steps": 0,
                     "clip_norm": 1.0, "ema_decay": 0.9999, "mixed_precision": "bf16", "activation_checkpointing": True,
                     "checkpoint_every": 100, "log_every": 1, "sample_every": 12_500},
        "recipe": {"sigma_mean": 0.7, "drag_dropout": 0.1, "straight": 0.0},
    },
)

PRESETS = {preset.name: preset for preset in (SMOKE, TINY, MINI)}

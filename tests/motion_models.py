"""The smallest motion-latent model: random weights, every layer there."""

from dataclasses import replace

from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.presets import TINY

WIDTHS = (8, 16, 16)
SKETCH = replace(
    TINY, name="sketch", frames=4,
    vae={"parts_widths": WIDTHS, "parts_fine": 8, "painter_widths": WIDTHS, "painter_fine": 8,
         "scale": 16.0},
    unet=TINY.unet | {"in_channels": 48 + MotionCodec.given_channels(5, WIDTHS), "block_out_channels": (32, 32),
                      "num_attention_heads": (1, 1), "num_frames": 4},
    training={
        "clips": 4,
        "painter": {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 0},
        "parts": {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 0},
        "recipe": {"sigma_mean": 3.0, "short_steps": 100, "short_frames": 3},
        "denoiser": {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 0},
    },
)

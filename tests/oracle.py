"""Pipelines for tests: small ones with random weights, and one that knows the answer."""

import torch

from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE
from puppetmaster_core.video import Video


def quiet(pipe):
    """Without a progress bar."""
    pipe.set_progress_bar_config(disable=True)
    return pipe


def smoke(trained=False, **settings):
    """The smallest model; trained: what starts at zero, where drags do little, is drawn anew."""
    made, generator = quiet(build(SMOKE, **settings)), torch.Generator().manual_seed(1)
    for name, parameter in made.unet.named_parameters():
        if trained and "conv_out" in name and "modulation" in name:
            parameter.data.normal_(std=0.1, generator=generator)
    return made


class Oracle:
    """Stands for a pipeline that gives back known frames."""

    def __init__(self, pipeline, frames):
        self.vae, self.unet, self.config, self.frames = pipeline.vae, pipeline.unet, pipeline.config, frames

    def __call__(self, image, drags, **_):
        return Video(self.frames, 7.0, drags)

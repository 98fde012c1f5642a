"""Pipelines for the judges' tests: a small one with random weights, and one that knows the answer."""

from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE
from puppetmaster_core.video import Video


def anchored_smoke():
    """smoke with anchored decoding, and without a progress bar."""
    made = build(SMOKE, anchor=0.25)
    made.set_progress_bar_config(disable=True)
    return made


class Oracle:
    """Stands for a pipeline that gives back known frames."""

    def __init__(self, pipeline, frames):
        self.vae, self.unet, self.config, self.frames = pipeline.vae, pipeline.unet, pipeline.config, frames

    def __call__(self, image, drags, **_):
        return Video(self.frames, 7.0, drags)

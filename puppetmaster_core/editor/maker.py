"""What the drag editor asks for a video: a pipeline, loaded when it is first needed, and what is known of it before.

Letters: S side of the square picture that the model sees, N frames, (h, w) a grid of the U-Net.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, RLock

from puppetmaster_core.checkpoints import find_model, read_config, read_model_index
from puppetmaster_core.drags import Drags
from puppetmaster_core.pictures import Placement
from puppetmaster_core.presets import CROSS_DOWN, CROSS_UP, MOTION_GRID, QUALITIES, cell_size
from puppetmaster_core.video import Video


@dataclass(frozen=True, eq=False)
class Take:
    """One video of the history, and what it was made from."""

    number: int  # from 1
    seed: int
    quality: str
    drags: Drags
    video: Video
    seconds: float  # from asking to frames, loading the model left out


@dataclass(frozen=True)
class Facts:
    """What the editor needs to know of a model. The defaults are the paper's."""

    size: int = 256  # S
    frames: int = 14  # N
    max_drags: int = 5
    levels: tuple[tuple[int, int], ...] = ((32, 32), (16, 16), (8, 8), (4, 4))  # grids on which drags are encoded
    convention: str = "paper"
    fps: float = 7.0
    qualities: tuple[str, ...] = tuple(QUALITIES)

    @classmethod
    def of(cls, index: Mapping, unet: Mapping, vae: Mapping) -> Facts:
        """From the configurations of the pipeline, the U-Net and the VAE."""
        if "block_out_channels" in vae:
            latent = index.get("size", cls.size) // cell_size(vae)
        else:
            latent = MOTION_GRID
        down, up = unet.get("down_block_types", ()), unet.get("up_block_types", ())
        deepest = len(down) - 1
        levels = {i for i, kind in enumerate(down) if kind == CROSS_DOWN}
        levels |= {deepest - i for i, kind in enumerate(up) if kind == CROSS_UP}
        levels |= {deepest} if unet.get("modulate_mid", True) else set()
        sides = [-(-latent // 2**level) for level in sorted(levels)]  # strides of 2 round up
        return cls(index.get("size", cls.size), index.get("frames", cls.frames), unet.get("max_drags", cls.max_drags),
                   tuple((side, side) for side in sides), unet.get("drag_encoding", cls.convention), index.get("fps", cls.fps),
                   tuple(index.get("qualities") or cls.qualities))

    def placement(self, picture_size: tuple[int, int]) -> dict[str, float]:
        """Where a picture of picture_size (W, H) lies in the model's square, in shares of its side."""
        place = Placement.of(picture_size, self.size)
        return {name: getattr(place, name) / self.size for name in ("left", "top", "width", "height")}


class Stopped(Exception):
    """Generating was stopped on request."""


class Maker:
    """A pipeline by name or as it is, used by one thread at a time.

    source: a shipped model, a folder, OWNER/NAME on the hub, or anything that is called as a pipeline is.
    Raises ModelError for a name that leads nowhere.
    """

    def __init__(self, source):
        self._pipeline = None if isinstance(source, str) else source
        self._name, self.lock = source, RLock()
        self.at_hand = True  # loading asks nobody on the network
        if self._pipeline is None:
            folder = find_model(source)
            self.at_hand = not isinstance(folder, str)
            self.facts = Facts() if isinstance(folder, str) else Facts.of(
                read_model_index(folder), read_config(folder, "unet"), read_config(folder, "vae"))
        else:
            self.facts = _facts_of(source)

    @property
    def loaded(self) -> bool:
        return self._pipeline is not None

    def load(self):
        """The pipeline, on the GPU where there is one. Its own progress bar is off: the editor has one."""
        with self.lock:
            if self._pipeline is None:
                import torch

                from puppetmaster_core.pipeline import PuppetMasterPipeline

                pipeline = PuppetMasterPipeline.from_pretrained(self._name)
                self._pipeline = pipeline.to("cuda") if torch.cuda.is_available() else pipeline
                self.facts = _facts_of(self._pipeline)
            if hasattr(self._pipeline, "set_progress_bar_config"):
                self._pipeline.set_progress_bar_config(disable=True)
            return self._pipeline

    def make(self, image, drags: Drags, seed: int, settings: Mapping, stop: Event | None = None,
             on_step: Callable[[int, int], None] | None = None) -> tuple[Video, float]:
        """A video and the seconds it took. on_step is told how many steps are done, of how many (0: nobody knows).

        settings: of the pipeline, quality among them. Raises Stopped once `stop` is set, and what the pipeline raises.
        """
        pipeline = self.load()
        count = pipeline.sampling(**settings).steps if hasattr(pipeline, "sampling") else 0

        def step(_, i, timestep, tensors):
            if stop is not None and stop.is_set():
                raise Stopped
            if on_step is not None:
                on_step(i + 1, count)
            return tensors

        with self.lock:
            if on_step is not None:
                on_step(0, count)
            start = time.perf_counter()
            video = pipeline(image, drags, seed=seed, callback_on_step_end=step, **settings)
            return video, time.perf_counter() - start


def _facts_of(pipeline) -> Facts:
    parts = pipeline, getattr(pipeline, "unet", None), getattr(pipeline, "vae", None)
    parts = [getattr(part, "config", None) for part in parts]
    return Facts.of(*parts) if all(parts) else Facts()

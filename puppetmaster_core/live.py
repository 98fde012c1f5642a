"""The picture while a hand drags: frame 1 and the last alone, in one step, and what was seen of the picture kept. Ours.

Letters: K drags, N frames of the model, S = 64 pixels a side that the network sees, W ≥ S of the square picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from puppetmaster_core.diffusion import denoise, draw_noise
from puppetmaster_core.drags import Drags
from puppetmaster_core.latents.field import CHANNELS, GRID
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.latents.parts import SIDE
from puppetmaster_core.latents.snap import Guide
from puppetmaster_core.pictures import Placement, open_picture, to_frames, to_tensor
from puppetmaster_core.sampling import noise_range

SURE = 0.5  # how likely a pixel is movable, from which on a drag is suggested there
LARGEST = 128  # pixels a side while a hand moves: painting at 256 takes twice as long as all the rest
LENGTH = 0.15  # of a suggested drag, in picture widths


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: a live frame's products are too small to be shared out, and the page wants the other cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Suggestion:
    """A part that may move."""

    mask: np.ndarray  # (S, S) in [0, 1], of the square that the network sees
    drags: Drags  # one arrow, on the picture as it came


class LivePicture:
    """One picture, dragged live. pipeline: of motion latents (ValueError for others). image: whatever `open_picture` takes."""

    @torch.no_grad()
    def __init__(self, pipeline, image):
        if not isinstance(getattr(pipeline, "vae", None), MotionCodec):
            raise ValueError("got a model of picture latents, expected one of motion latents, as tiny is: others are too slow")
        self.pipeline, picture = pipeline, open_picture(image)
        self.device = pipeline.unet.device
        self.placement = Placement.of(picture.size, min(LARGEST, pipeline.latents.side(picture.size)))
        self.first = to_tensor(np.asarray(self.placement.pad(picture)))[None].to(self.device)
        self.embedding, self.guide = pipeline.embed(self.first), Guide.of(self.first[0])
        self.looks = pipeline.vae.looks(self.first)
        self._origins, self._parts = None, None

    def parts(self, origins: Tensor) -> tuple[Tensor, Tensor]:
        """Masks (1, K, S, S) in [0, 1] and codes (2, K, CODE) of the parts on which drags begin, origins (1, K, 2); kept until
        they begin elsewhere."""
        if self._origins is None or not torch.equal(self._origins, origins):
            net = self.pipeline.vae.parts
            masks = self.looks.masks(net, origins)
            self._origins, self._parts = origins, (masks, self.looks.codes(net, masks, origins))
        return self._parts

    @torch.no_grad()
    @one_thread()
    def frame(self, drags: Drags, seed: int = 0) -> np.ndarray:
        """The last frame (H, W, 3) uint8, of the picture's own shape. Raises DragError for more drags than the model takes."""
        pipe = self.pipeline
        (points, present) = (one.to(self.device) for one in pipe.drag_tensors([self.placement.drags_in(
            drags.resample(pipe.config.frames))]))
        ends = points[:, :, [0, -1]]
        masks, codes = self.parts(ends[:, :, 0])
        dragged = pipe.vae.dragged(self.looks.own, masks * present[..., None, None], codes, ends)
        numbers = torch.tensor([0, pipe.config.frames - 1], device=self.device)
        conditioning = pipe.unet.condition(ends, present, (GRID, GRID), numbers)
        ids = pipe.time_ids().to(self.device)
        most = noise_range(pipe.scheduler)[1]
        noise = draw_noise((2, CHANNELS, GRID, GRID), [torch.Generator().manual_seed(seed)]).to(self.device)

        def network(scaled: Tensor, c_noise: Tensor) -> Tensor:
            inputs = torch.cat([scaled, dragged.given], 2)
            return pipe.unet(inputs, c_noise, self.embedding, ids, conditioning, return_dict=False)[0]

        clean = denoise(network, most * noise, torch.tensor([most], device=self.device))
        (motion,) = pipe.vae.motion(clean, dragged)
        return self.placement.cut(to_frames(pipe.vae.paint(self.first[0], motion, self.guide)[-1:].float().clamp(-1, 1)))[0]

    @torch.no_grad()
    def suggest(self) -> list[Suggestion]:
        """The parts that look movable, the surest first, at most as many as the model takes drags.

        Which of the two ways along its axis a part goes cannot be seen: the arrow points down, towards whoever looks, or right.
        """
        look = self.looks.own
        movable = F.avg_pool2d(look.told("movable").float().sigmoid(), 5, 1, 2)[0, 0]
        axis, found, left = look.told("axis")[0].float(), [], torch.ones_like(movable)
        for _ in range(self.pipeline.unet.config.max_drags):
            likely = movable * left
            row, column = divmod(int(likely.argmax()), SIDE)
            if likely[row, column] < SURE:
                break
            origin = torch.tensor([[column + 0.5, row + 0.5]], device=self.device) / SIDE
            mask = self.looks.masks(self.pipeline.vae.parts, origin[None])[0, 0]
            left = left * (mask < 0.3)
            left[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = 0  # also where the mask misses its own point
            found.append(Suggestion(mask.cpu().numpy(), self._arrow(origin.cpu().numpy(), axis[:, row, column].tolist())))
        return found

    def _arrow(self, origin: np.ndarray, axis: list[float]) -> Drags:
        """Along axis (cos 2θ, sin 2θ), from origin (1, 2) on the square."""
        angle = np.arctan2(axis[1], axis[0]) / 2
        way = np.array([np.cos(angle), np.sin(angle)])
        way = -way if way[1] < -1e-6 else way
        path = origin + LENGTH * np.linspace(0, 1, self.pipeline.config.frames)[:, None] * way
        side, place = self.placement.side, self.placement
        corner, size = np.array([place.left, place.top]), np.array([place.width, place.height])
        return Drags(((path * side - corner) / size)[None].astype(np.float32))

"""What a pipeline asks of its latents, whichever they are: picture latents (the paper's), or motion latents (ours).

Letters: B videos, N frames, K drags, C channels, (h, w) latent grid, S pixels a side of the square picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from puppetmaster_core.diffusion import draw_noise
from puppetmaster_core.latents.field import CHANNELS, GRID
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.latents.parts import SIDE
from puppetmaster_core.latents.pictures import LatentSpace, decode, decode_anchored, encode


@dataclass(frozen=True)
class Seen:
    """A picture and its drags, before anything is diffused."""

    given: Tensor  # (B, C', h, w) or (B, N, C', h, w), beside the noise
    null: Tensor  # the same without drags
    shape: tuple[int, int, int]  # (C, h, w) of what is diffused
    first: Tensor  # (1, 3, S, S) in [−1, 1]
    known: Any = field(default=None, repr=False)  # what decoding needs beside


class Latents(Protocol):
    def side(self, picture_size: tuple[int, int]) -> int:
        """S for a picture of (W, H) pixels."""

    def look(self, first: Tensor, points: Tensor, present: Tensor, generators: Sequence[torch.Generator | None]) -> Seen:
        """first (1, 3, S, S), points (B, K, N, 2), present (B, K); generators: one a video."""

    def finish(self, x: Tensor, seen: Seen) -> Any:
        """What was diffused, x (B, N, C, h, w), as it is handed out: z of pictures, or how parts move."""

    def decode(self, finished: Any, seen: Seen) -> Tensor:
        """Pictures (B, N, 3, S, S), about [−1, 1]."""


@dataclass(frozen=True)
class PictureLatents:
    """The paper's: the VAE's latents of every frame."""

    vae: Any
    space: LatentSpace
    size: int
    augmentation: float = 0.0  # noise on the picture that the network is given, SVD's

    def side(self, picture_size: tuple[int, int]) -> int:
        return self.size

    def look(self, first, points, present, generators) -> Seen:
        if self.vae.dtype == torch.float16 and self.vae.config.force_upcast:
            self.vae.float()  # SVD's overflows in half precision
        pictures = first.to(self.vae.dtype)
        z_first = given = encode(self.vae, pictures)
        if self.augmentation:
            noise = draw_noise(first.shape[1:], generators).to(pictures)
            given = encode(self.vae, pictures + self.augmentation * noise)
        given = given.float().expand(len(generators), -1, -1, -1)
        return Seen(given, given, tuple(z_first.shape[1:]), first, z_first.float())

    def finish(self, x: Tensor, seen: Seen) -> Tensor:
        return self.space.undiffused(x, seen.known)

    def decode(self, finished: Tensor, seen: Seen) -> Tensor:
        z, first, z_first = (one.to(self.vae.dtype) for one in (finished, seen.first, seen.known))
        if not self.space.anchor:
            return decode(self.vae, z)
        pictures = decode_anchored(self.vae, z, first, z_first, self.space.anchor)
        pictures[:, 0] = first
        return pictures


@dataclass(frozen=True)
class MotionLatents:
    """Ours: where the pixels of frame 1 go. Pictures move at 64, 128 or `most` pixels, the first that holds them."""

    codec: MotionCodec
    most: int = 256

    def side(self, picture_size: tuple[int, int]) -> int:
        side = SIDE
        while side < min(max(picture_size), self.most):
            side *= 2
        return side

    def look(self, first, points, present, generators) -> Seen:
        device = self.codec.device
        points, present = points.to(device), present.to(device)
        pictures = first.to(device).expand(len(points), -1, -1, -1)
        looks = self.codec.looks(pictures)
        known = self.codec.told(looks, points, present)
        null = self.codec.told(looks, points, torch.zeros_like(present)) if present.any() else known
        return Seen(known.given, null.given, (CHANNELS, GRID, GRID), first, known)

    def finish(self, x: Tensor, seen: Seen) -> list:
        return self.codec.motion(x, seen.known)

    def decode(self, finished: list, seen: Seen) -> Tensor:
        return torch.stack([self.codec.paint(seen.first[0].to(self.codec.device), motion) for motion in finished])

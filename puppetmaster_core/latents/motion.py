"""Motion latents, ours in place of the paper's picture latents: the codec between motion and what is diffused, and its painter.

Letters: B videos, N frames, K drags, S = 64 pixels a side that the network sees, W of the picture itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from puppetmaster_core.latents.anchoring import PartMotion, anchored
from puppetmaster_core.latents.field import COARSE, GRID, from_latents, guess, pack, to_latents
from puppetmaster_core.latents.mirrored import TwoLooks, matrices
from puppetmaster_core.latents.painter import Moved, Painter
from puppetmaster_core.latents.parts import AUXILIARY, SIDE, Look, PartsNet
from puppetmaster_core.latents.snap import Guide


@dataclass(frozen=True)
class Dragged:
    """What is known of B videos before anything is diffused."""

    masks: Tensor  # (B, K, S, S) in [0, 1], of each drag's part; 0 for an absent drag
    drags: Tensor  # (B, K, N, 2)
    guessed: Tensor  # (B, N, 2, COARSE, COARSE)
    given: Tensor  # (B, N, C, GRID, GRID), what the network is given beside the noise

    def at(self, numbers: Tensor) -> Dragged:
        """The same of some of the N frames."""
        return Dragged(self.masks, self.drags[:, :, numbers], self.guessed[:, numbers], self.given[:, numbers])


class MotionCodec(ModelMixin, ConfigMixin):
    """Between motion and latents: the parts of a picture, and the painter. Constructor: sizes of both."""

    @register_to_config
    def __init__(self, parts_widths: tuple[int, ...] = (32, 64, 128), parts_fine: int = 16, parts_depth: int = 2,
                 parts_rise: int = 0, painter_widths: tuple[int, ...] = (48, 96, 128), painter_fine: int = 24,
                 painter_depth: int = 1, scale: float = 16.0):
        super().__init__()
        self.parts = PartsNet(tuple(parts_widths), parts_fine, parts_depth, parts_rise)
        self.painter = Painter(tuple(painter_widths), painter_fine, painter_depth)

    @staticmethod
    def given_channels(max_drags: int, parts_widths: tuple[int, ...] = (32, 64, 128)) -> int:
        """Channels of `Dragged.given`: deep features, what is told of pixels, a mask a drag, the guess and where it is."""
        return parts_widths[2] + 4 * sum(AUXILIARY.values()) + 4 * max_drags + 3 * (COARSE // GRID) ** 2

    def look(self, pictures: Tensor, drags: Tensor, present: Tensor) -> Dragged:
        """What `pictures` (B, 3, W, W) in [−1, 1] and drags (B, K, N, 2), present (B, K), say before anything is diffused."""
        return self.told(self.looks(pictures), drags, present)

    def looks(self, pictures: Tensor) -> TwoLooks:
        """What is seen of `pictures` (B, 3, W, W) in [−1, 1], whatever is dragged."""
        return TwoLooks.at(self.parts, _seen(pictures).to(self.dtype))

    def told(self, looks: TwoLooks, drags: Tensor, present: Tensor) -> Dragged:
        """As `look`, of pictures that were looked at."""
        masks = looks.masks(self.parts, drags[:, :, 0]) * present[..., None, None]
        codes = looks.codes(self.parts, masks, drags[:, :, 0])
        return self.dragged(looks.own, masks, codes, drags.float())

    def dragged(self, look: Look, masks: Tensor, codes: Tensor, drags: Tensor) -> Dragged:
        """codes (2B, K, CODE): how the masks' parts move, see `TwoLooks.codes`."""
        small = F.avg_pool2d(masks, SIDE // COARSE)
        guessed = guess(small, drags, matrices(self.parts, codes, drags))
        deep = F.group_norm(look.deep.float(), 8)
        about = pack(F.avg_pool2d(torch.cat([look.about[:, :3].float().sigmoid(), look.about[:, 3:].float()], 1), 4))
        own = pack(F.avg_pool2d(masks, 4))
        there = pack(small.amax(1, keepdim=True))
        still = torch.cat([deep, about, own, there], 1)[:, None].expand(-1, drags.shape[2], -1, -1, -1)
        return Dragged(masks, drags, guessed, torch.cat([still, pack(self.config.scale * guessed)], 2))

    def encode(self, offset: Tensor, moves: Tensor, dragged: Dragged) -> Tensor:
        """x (B, N, CHANNELS, GRID, GRID) of exact displacement (B, N, 2, S, S) and what moves (B, 1, 1, S, S)."""
        return to_latents(offset, moves, dragged.guessed, self.config.scale)

    def motion(self, x: Tensor, dragged: Dragged) -> list[PartMotion]:
        """How the parts of each of B videos move, of latents x."""
        field, moving = from_latents(x, dragged.guessed, self.config.scale)
        union = dragged.masks.amax(1)
        change = moving - F.avg_pool2d(union, SIDE // COARSE)
        sharp = (union + _doubled(change[:, None])[:, 0]).clamp(0, 1)
        return [anchored(_doubled(f), m, masks, drags) for f, m, masks, drags
                in zip(field, sharp, dragged.masks, dragged.drags, strict=True)]

    def paint(self, picture: Tensor, motion: PartMotion, guide: Guide | None = None) -> Tensor:
        """Frames (N, 3, W, W) in [−1, 1] of picture (3, W, W); the first is the picture. guide: see `PartMotion.at`."""
        offset, weight, order = motion.at(picture, guide)
        made = self.painter(Moved.of(picture, offset[1:], weight, order[1:]))
        return torch.cat([picture[None], made])


def _seen(pictures: Tensor) -> Tensor:
    return pictures if pictures.shape[-1] == SIDE else F.adaptive_avg_pool2d(pictures, SIDE)


def _doubled(field: Tensor) -> Tensor:
    return F.interpolate(field, scale_factor=SIDE / COARSE, mode="bilinear", align_corners=False)

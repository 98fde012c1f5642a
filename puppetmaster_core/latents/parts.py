"""Which pixels move with a point, and how under a drag: the parts of a picture, told by one look at it.

Letters: B pictures, K points, S = 64 pixels a side, C channels. The mask of a part is drawn by a small network of its own whose
weights are read off where the point lies (CondInst, Tian et al. 2020, https://arxiv.org/abs/2003.05664).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from puppetmaster_core.latents.affine import AffineHead, read
from puppetmaster_core.latents.blocks import ResBlock, rounds, unet_pass

SIDE = 64  # pixels a side of the picture that the network sees
AUXILIARY = {"movable": 1, "border": 2, "box": 4, "axis": 2}  # what it tells of every pixel beside: channels by name
HIDDEN = 12  # channels of the network that draws a mask


@dataclass(frozen=True)
class Look:
    """What was seen of B pictures."""

    deep: Tensor  # (B, C8, S/8, S/8), for the denoiser
    fine: Tensor  # (B, HIDDEN, S, S), from which masks are drawn
    about: Tensor  # (B, Σ AUXILIARY, S, S), logits and numbers

    def told(self, name: str) -> Tensor:
        """One of AUXILIARY, (B, its channels, S, S)."""
        return self.about.split(list(AUXILIARY.values()), 1)[list(AUXILIARY).index(name)]


class PartsNet(nn.Module):
    """widths: channels at S/2, S/4 and S/8; fine: at S; depth: rounds of self-attention at S/8; rise: at S/4, on the way up."""

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 128), fine: int = 16, depth: int = 2, rise: int = 0):
        super().__init__()
        a, b, c = widths
        self.sharp = nn.Conv2d(3, fine, 3, padding=1)  # at the picture's own size: edges
        self.stem = nn.Conv2d(12, a, 3, padding=1)
        self.levels = nn.ModuleList(nn.Sequential(ResBlock(i, o), ResBlock(o, o)) for i, o in ((a, a), (a, b), (b, c)))
        self.middle = rounds(c, SIDE // 8, depth)
        self.ups = nn.ModuleList(nn.Sequential(ResBlock(i, o), ResBlock(o, o)) for i, o in ((c + b, b), (b + a, a)))
        self.ups[0].extend(rounds(b, SIDE // 4, rise))
        self.refine = nn.Sequential(nn.Conv2d(a + fine, fine, 3, padding=1), ResBlock(fine, fine))
        self.fine = nn.Conv2d(fine, HIDDEN, 1)
        self.about = nn.Conv2d(fine, sum(AUXILIARY.values()), 1)
        self.sizes = [(HIDDEN + 6, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)]  # of the layers that draw a mask
        count = sum(i * o + o for i, o in self.sizes)
        self.kernels = nn.Sequential(nn.Linear(a + b + c + fine, 160), nn.SiLU(), nn.Linear(160, count))
        self.affine = AffineHead((c, b, a, fine), sum(AUXILIARY.values()))

    def forward(self, pictures: Tensor) -> tuple[Look, tuple[Tensor, ...]]:
        """pictures (B, 3, S, S) in [−1, 1]: what is seen, and the features from which kernels are read."""
        c8, c4, c2 = unet_pass(self.levels, self.middle, self.ups, self.stem(F.pixel_unshuffle(pictures, 2)))
        doubled = F.interpolate(c2, scale_factor=2.0, mode="bilinear", align_corners=False)
        full = self.refine(torch.cat([doubled, self.sharp(pictures)], 1))
        return Look(c8, self.fine(full), self.about(full)), (c8, c4, c2, full)

    def masks(self, look: Look, levels: tuple[Tensor, ...], points: Tensor) -> Tensor:
        """Logits (B, K, S, S) of the part that each of points (B, K, 2), xy in [0, 1], lies on."""
        batch, count, _ = points.shape
        weights = self.kernels(torch.cat([read(level, points) for level in levels], 2)).float().flatten(0, 1)
        layers, start = [], 0
        for i, o in self.sizes:
            weight, bias = weights[:, start : start + i * o + o].split([i * o, o], 1)
            layers.append((weight.view(-1, o, i) / i**0.5, bias[..., None]))
            start += i * o + o
        weight, bias = layers[0]
        seen = weight[..., :HIDDEN].unflatten(0, (batch, count)).flatten(1, 2) @ look.fine.float().flatten(2)  # (B, K·HIDDEN, S²)
        across, down = _placed(points.float(), read(look.told("box"), points).float(), look.fine.shape[-1])
        across, down = weight[..., HIDDEN:] @ across.flatten(0, 1), weight[..., HIDDEN:] @ down.flatten(0, 1) + bias
        x = seen.view(*down.shape[:2], *look.fine.shape[-2:]) + across[:, :, None] + down[..., None]
        x = x.flatten(2)  # (B·K, HIDDEN, S²)
        for weight, bias in layers[1:]:
            x = weight @ F.relu(x) + bias
        return x.view(batch, count, *look.fine.shape[-2:])

    def codes(self, look: Look, levels: tuple[Tensor, ...], masks: Tensor, points: Tensor) -> Tensor:
        """What decides how the parts (B, K, CODE) of masks (B, K, S, S) in [0, 1] move under drags that begin at points."""
        return self.affine.codes(levels, look.about, masks, points)


def _placed(points: Tensor, box: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Where a pixel lies, from the point and inside the four sides of the box around it: what its column tells of that, and what
    its row does, (B, K, 6, size) each. They add up."""
    away = (torch.arange(size, device=points.device) + 0.5) / size - points[..., None]  # (B, K, 2, size)
    before, after = (4 * side.clamp(-0.5, 0.5) for side in (away + box[..., :2, None], box[..., 2:, None] - away))
    own = torch.stack([away, before, after], 2)  # (B, K, 3, 2, size)
    across = own * own.new_tensor([1, 0])[:, None]
    return across.flatten(2, 3), (own - across).flatten(2, 3)

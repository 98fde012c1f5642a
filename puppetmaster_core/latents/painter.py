"""The painter: pictures of a motion. The picture's own pixels move; only what they uncover, or show the back of, is painted.

Letters: N frames, S = 64·2^k pixels a side. Painting begins at 64 pixels, where a network sees the whole picture, and is refined
octave by octave by one small network, the same for every size. What was hidden cannot be known, and the mean of all it may be is
a fog: so every pixel has a few colours and their odds (a mixture density, Bishop 1994), and the likeliest is shown. Two of the
colours are not painted: what moved to there, and what was there, as where a part merely passed near. A surface that turns takes
another light, and from behind another colour: what moved gets a shade, smooth, so that it stays as sharp as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from puppetmaster_core.latents.blocks import ResBlock, rounds, unet_pass
from puppetmaster_core.latents.splat import area, splat

BASE = 64  # pixels a side of the coarsest octave
GIVEN = 14  # channels the networks see: moved (3), known, covered, left, first (3), left bare, travel (2), swept, turned
MODES = 4  # colours that a pixel may have
PAINT = 4 * MODES + 6  # channels painted: the colours (3 each), their log odds, the logit of how much of them shows over what
# moved, the log odds of what moved alone and of the picture's own pixel, and the shade (3) of what moved
TOLD = 6.0  # log odds of a unit that the networks tell, so that they learn to be sure soon
CRISP = 5.0  # how much steeper odds are made before they mix colours: edges between them a pixel wide, not stairs
FAINTLY = 0.25  # known: a pixel that is less has nothing of its own to show
NEIGHBOURHOOD = 32  # of a picture's width: how far pixels decide together whether what was swept over is painted, and are shaded
AROUND = 2  # pixels around what moves, where edges are mixed
TOGETHER = 4  # frames that are painted at once: as many as a processor keeps at hand
PASSES = 12  # places on the way, told at BASE pixels: so many leave no steps in the outline of what was swept over


@dataclass(frozen=True)
class Moved:
    """Frames before painting."""

    pictures: Tensor  # (N, 3, S, S) in [−1, 1]: the picture's pixels where the motion takes them, 0 where nothing is known
    known: Tensor  # (N, 1, S, S) in [0, 1]
    covered: Tensor  # (N, 1, S, S): by what moved
    travel: Tensor  # (N, 2, S, S) in picture widths, of what is seen to have moved
    first: Tensor  # (1 or N, 3, S, S)
    left: Tensor  # (1 or N, 1, S, S): how far each pixel of frame 1 belongs to what moves
    swept: Tensor  # (N, 1, S, S): how far what moves passed over it
    turned: Tensor  # (N, 1, S, S): how far what is seen to have moved shows its back

    @classmethod
    def of(cls, first: Tensor, offset: Tensor, weight: Tensor, order: Tensor, still_order: Tensor | None = None) -> Moved:
        """first (3, S, S) in [−1, 1]; offset (N, 2, S, S) in picture widths; the rest as for `splat`."""
        size, frames = first.shape[-1], len(offset)
        back = (area(offset * size, weight) < 0).float()[:, None]
        values = torch.cat([first.expand(frames, -1, -1, -1), offset, back], 1)
        found = [splat(one, shift[None], weight, o[None], None if still_order is None else still_order[n : n + 1])
                 for n, (one, shift, o) in enumerate(zip(values, offset * size, order, strict=True))]
        carried, covered = (torch.cat(parts) for parts in zip(*found, strict=True))
        carried, travel, turned = (covered * carried).split([3, 2, 1], 1)
        stays = 1 - F.max_pool2d(weight[None, None], 3, 1, 1)  # the pixels around are mixtures with what moves
        known = covered + (1 - covered) * stays
        pictures = carried + (1 - covered) * stays * first
        return cls(pictures, known, covered, travel, first[None], weight[None, None], swept_over(offset, weight), turned)

    @classmethod
    def joined(cls, some: Sequence[Moved]) -> Moved:
        """Frames of several videos as those of one."""
        return cls(*(torch.cat(own) for own in zip(*(one.each() for one in some), strict=True)))

    def each(self) -> list[Tensor]:
        """Every field for itself, with as many entries as there are frames."""
        own = (self.pictures, self.known, self.covered, self.travel, self.first, self.left, self.swept, self.turned)
        return [one.expand(len(self.known), -1, -1, -1) for one in own]

    @property
    def size(self) -> int:
        return self.first.shape[-1]

    @property
    def touched(self) -> Tensor:
        """Where a frame may differ from the picture (N, 1, S, S)."""
        some = (self.left > 0.5) | (self.covered > 0) | (self.swept > 0.5)
        return around(some.float())

    def split(self, count: int) -> list[Moved]:
        """`count` frames at a time."""
        return [Moved(*some) for some in zip(*(one.split(count) for one in self.each()), strict=True)]

    def halved(self) -> Moved:
        own = self.pictures, self.known, self.covered, self.travel, self.first, self.left, self.swept, self.turned
        return Moved(*(F.avg_pool2d(one, 2) for one in own))

    def given(self) -> Tensor:
        """What the networks see (N, GIVEN, S, S)."""
        pictures, known, covered, travel, first, left, swept, turned = self.each()
        return torch.cat([pictures, known, covered, left, first, left * (1 - known), 4 * travel, swept, turned], 1)


class Painter(nn.Module):
    """widths: channels of the coarsest octave's network at 32, 16 and 8 cells; fine: of the one that refines; depth: rounds of
    self-attention at 8 cells."""

    def __init__(self, widths: tuple[int, int, int] = (48, 96, 128), fine: int = 24, depth: int = 1):
        super().__init__()
        a, b, c = widths
        self.stem = nn.Conv2d(4 * GIVEN, a, 3, padding=1)
        self.levels = nn.ModuleList([ResBlock(a, a), ResBlock(a, b), nn.Sequential(ResBlock(b, c), ResBlock(c, c))])
        self.middle = rounds(c, BASE // 8, depth)
        self.ups = nn.ModuleList([ResBlock(c + b, b), nn.Sequential(ResBlock(b + a, a), ResBlock(a, a))])
        self.head = nn.Conv2d(a, 4 * PAINT, 3, padding=1)
        self.stem_fine = nn.Conv2d(4 * (GIVEN + PAINT), fine, 3, padding=1)
        self.levels_fine = nn.Sequential(ResBlock(fine, fine), ResBlock(fine, fine))
        self.head_fine = nn.Conv2d(fine, 4 * PAINT, 3, padding=1)
        nn.init.zeros_(self.head_fine.weight)
        nn.init.zeros_(self.head_fine.bias)

    def forward(self, moved: Moved) -> Tensor:
        """Frames (N, 3, S, S) in [−1, 1]."""
        return torch.cat([shown(some, *self.mixture(some)) for some in moved.split(TOGETHER)])

    def mixture(self, moved: Moved) -> tuple[Tensor, Tensor]:
        """What each pixel may be (N, MODES + 2, 3, S, S), and the log odds (N, MODES + 2, S, S): painted colours, then what moved
        there, then the picture's own."""
        colours, odds, share, carried, own, shade = self.paint(moved).split([3 * MODES, MODES, 1, 1, 1, 3], 1)
        pictures = moved.pictures + moved.covered * _among(shade, moved.covered)
        # Painted is what is bare, was swept over or shows its back: elsewhere what moved stays as sharp as it is.
        bare = torch.maximum(1 - moved.known, moved.swept * (1 - moved.covered)).maximum(moved.turned)
        share = ((share - 3 + 6 * (1 - moved.known)).sigmoid() * (2 * bare).clamp(max=1))[:, None]
        painted = (1 - share) * pictures[:, None] + share * colours.unflatten(1, (MODES, 3))
        whole = pictures / moved.known.clamp(min=FAINTLY)
        may = torch.cat([painted, whole[:, None], moved.first.expand_as(whole)[:, None]], 1)
        # What moved to here, or from here, is seldom as it was; nor are its edges, mixed with what lay behind or half missed.
        seldom = 2 * torch.maximum(moved.covered, around(moved.left))
        odds = torch.cat([odds, carried - 4 * (1 - moved.known), own - seldom], 1)
        if moved.size > BASE:  # neighbours decide together, or where odds are even colours would be woven
            odds = F.avg_pool2d(odds, 3, 1, 1, count_include_pad=False)
        return may, decided(TOLD * odds, moved)

    def paint(self, moved: Moved) -> Tensor:
        """What the networks say of every pixel (N, PAINT, S, S)."""
        if moved.size <= BASE:
            return self.coarsest(moved.given())
        return self.finer(moved.given(), self.paint(moved.halved()))

    def coarsest(self, given: Tensor) -> Tensor:
        """`paint` at BASE pixels, of `Moved.given`."""
        x = self.stem(F.pixel_unshuffle(given, 2))
        return F.pixel_shuffle(self.head(unet_pass(self.levels, self.middle, self.ups, x)[-1]), 2).float()

    def finer(self, given: Tensor, coarse: Tensor) -> Tensor:
        """`paint` of `Moved.given`, from what was painted at half the size."""
        coarse = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = self.stem_fine(F.pixel_unshuffle(torch.cat([given, coarse], 1), 2))
        return coarse + F.pixel_shuffle(self.head_fine(self.levels_fine(x)), 2).float()


def decided(odds: Tensor, moved: Moved) -> Tensor:
    """Log odds (N, MODES + 2, S, S) where what was only swept over is painted, or left as it was, as its neighbourhood is: a
    drawer's side is there or not, but not in rags."""
    alone = moved.swept * (1 - moved.covered) * (1 - around(moved.left))
    lead = odds[:, -1:] - odds[:, :MODES].logsumexp(1, keepdim=True)
    change = _among(lead, alone) - lead
    return torch.cat([odds[:, :-1], odds[:, -1:] + alone * change], 1)


def _among(x: Tensor, weight: Tensor) -> Tensor:
    """The mean of x (N, C, S, S) around each pixel, of pixels as they weigh, weight (N, 1, S, S)."""
    reach = x.shape[-1] // NEIGHBOURHOOD

    def mean(of: Tensor) -> Tensor:
        across = F.avg_pool2d(of, (1, 2 * reach + 1), 1, (0, reach))
        return F.avg_pool2d(across, (2 * reach + 1, 1), 1, (reach, 0))

    return mean(x * weight) / mean(weight).clamp(min=1e-3)


def swept_over(offset: Tensor, weight: Tensor) -> Tensor:
    """How far what moves by offset (N, 2, S, S), in picture widths, passed over each pixel on its way (N, 1, S, S): a drawer's
    sides show there."""
    size, own = weight.shape[-1], F.avg_pool2d(weight[None, None], weight.shape[-1] // BASE)
    offset = F.avg_pool2d(offset * weight, size // BASE) / own.clamp(min=1e-3)
    way = torch.arange(1, PASSES + 1, device=offset.device)[:, None, None, None] / (PASSES + 1)
    level = offset.new_zeros(PASSES, BASE, BASE)
    passed = torch.stack([splat(own[0], way * shift * BASE, own[0, 0], level)[1].amax(0) for shift in offset])
    return F.interpolate(passed, size, mode="bilinear", align_corners=False)


def around(x: Tensor) -> Tensor:
    """The most of x (…, C, S, S) within AROUND pixels."""
    return F.max_pool2d(x, 2 * AROUND + 1, 1, AROUND)


def shown(moved: Moved, colours: Tensor, odds: Tensor) -> Tensor:
    """Frames (N, 3, S, S) of what pixels may be (`Painter.mixture`), where they are touched: the likeliest of painted, moved
    there and as it was; painted, in the likeliest colour."""
    painted = odds[:, :MODES]
    kinds = (CRISP * torch.cat([painted.logsumexp(1, keepdim=True), odds[:, MODES:]], 1)).softmax(1)
    shares = torch.cat([kinds[:, :1] * (CRISP * painted).softmax(1), kinds[:, 1:]], 1)
    return torch.where(moved.touched > 0, (shares[:, :, None] * colours).sum(1), moved.first)

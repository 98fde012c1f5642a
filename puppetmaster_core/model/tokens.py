"""Drag tokens (§3.2): one key-value pair per drag for SVD's cross-attention, beside the CLIP token.

Shapes: B batch, N frames, K drags, P positions of a drag, C channels of the feature map, (h, w) its grid.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POSITIONS = ("u", "vn", "vN")  # origin, place in frame n, final place


# The places of a drag that its token reads, per frame: points (B, K, N, 2) -> (B·N, K, P, 2).
def drag_positions(points: Tensor, names: tuple[str, ...]) -> Tensor:
    places = {"u": points[:, :, :1].expand_as(points), "vn": points, "vN": points[:, :, -1:].expand_as(points)}
    return torch.stack([places[name] for name in names], dim=3).transpose(1, 2).flatten(0, 1)


# Sin-cos embedding of points in the unit square: (..., 2) -> (..., channels), half a period to 64 across the picture.
def embed_positions(points: Tensor, channels: int) -> Tensor:
    octaves = torch.linspace(0, 7, channels // 4, dtype=points.dtype, device=points.device)
    angles = points[..., None] * (math.pi * torch.exp2(octaves))  # (..., 2, channels / 4)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)


# Features at points, xy in [0, 1] (outside: the nearest place inside): (R, C, h, w), (R, K, P, 2) -> (R, K, P, C).
def sample_features(features: Tensor, points: Tensor, sampling: str = "bilinear") -> Tensor:
    if sampling == "bilinear":
        found = F.grid_sample(features, points * 2 - 1, mode="bilinear", padding_mode="border", align_corners=False)
        return found.permute(0, 2, 3, 1)
    h, w = features.shape[-2:]
    size = torch.tensor([w, h], device=points.device)
    x, y = (points * size).floor().long().clamp(torch.zeros_like(size), size - 1).unbind(-1)
    rows = torch.arange(features.shape[0], device=points.device)[:, None, None]
    return features.permute(0, 2, 3, 1)[rows, y, x]


class DragTokens(nn.Module):
    """Feature map (B·N, C, h, w) and points (B, K, N, 2) -> tokens (B·N, K, token_channels)."""

    def __init__(
        self,
        channels: int,
        token_channels: int,
        positions: tuple[str, ...] = POSITIONS,
        position_channels: int = 64,
        hidden: int | None = None,
        sampling: str = "bilinear",
        detach: bool = False,
    ) -> None:
        super().__init__()
        self.positions, self.position_channels = tuple(positions), position_channels
        self.sampling, self.detach = sampling, detach
        hidden = hidden or token_channels
        self.mlp = nn.Sequential(
            nn.Linear(len(positions) * (channels + position_channels), hidden),
            nn.SiLU(),
            nn.Linear(hidden, token_channels),
        )

    def forward(self, features: Tensor, points: Tensor) -> Tensor:
        places = drag_positions(points.to(features.dtype), self.positions)  # (B·N, K, P, 2)
        found = sample_features(features.detach() if self.detach else features, places, self.sampling)
        where = embed_positions(places, self.position_channels)
        return self.mlp(torch.cat([found.flatten(2), where.flatten(2)], dim=-1))

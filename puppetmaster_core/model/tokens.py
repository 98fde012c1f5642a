"""Drag tokens (§3.2): one key-value pair per drag for SVD's cross-attention, beside the CLIP token.

Shapes: B batch, N frames, K drags, P positions of a drag, C channels of the feature map, (h, w) its grid.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POSITIONS = ("u", "vn", "vN")  # origin, place in frame n, final place


def drag_positions(points: Tensor, names: tuple[str, ...]) -> Tensor:
    """Drag tokens, §3.2: the places of a drag that its token reads, per frame; points (B, K, N, 2) -> (B·N, K, P, 2)."""
    places = {"u": points[:, :, :1].expand_as(points), "vn": points, "vN": points[:, :, -1:].expand_as(points)}
    return torch.stack([places[name] for name in names], dim=3).transpose(1, 2).flatten(0, 1)


def embed_points(points: Tensor, channels: int) -> Tensor:
    """Sin-cos embedding of points in the unit square: (..., 2) -> (..., channels), half a period to 64 across the picture."""
    octaves = torch.linspace(0, 7, channels // 4, dtype=points.dtype, device=points.device)
    angles = points[..., None] * (math.pi * torch.exp2(octaves))  # (..., 2, channels / 4)
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def sample_features(features: Tensor, points: Tensor) -> Tensor:
    """Features at points, xy in [0, 1], between cells bilinearly (outside: the nearest place inside).

    features: (R, C, h, w); points: (R, K, P, 2). Returns (R, K, P, C).
    """
    found = F.grid_sample(features, points * 2 - 1, mode="bilinear", padding_mode="border", align_corners=False)
    return found.permute(0, 2, 3, 1)


def embed_cells(points: Tensor, channels: int, size: tuple[int, int]) -> Tensor:
    """Sin-cos embedding as the released code has it: of whole cells 0, 1, 2, ..., read between them like features.

    points: (R, K, P, 2), xy in [0, 1]; size: (h, w) of the grid. Returns (R, K, P, channels).
    """
    rates = 1e4 ** -torch.arange(0, 1, 4 / channels, dtype=points.dtype, device=points.device)
    y, x = (torch.arange(length, dtype=points.dtype, device=points.device)[:, None] * rates for length in size)
    x, y = (torch.cat([angles.sin(), angles.cos()], dim=-1).T for angles in (x, y))  # (channels / 2, w), (..., h)
    cells = torch.cat([x[:, None].expand(-1, *size), y[:, :, None].expand(-1, *size)])
    return sample_features(cells.expand(points.shape[0], -1, -1, -1), points)


class DragTokens(nn.Module):
    """Drag tokens, §3.2: features (B·N, C, h, w), points (B, K, N, 2), present (B, N, K) -> (B·N, K, token_channels).

    The token of a drag that is never present is zero; one that is absent from some frames is read at (0, 0) there.
    """

    def __init__(
        self,
        channels: int,
        token_channels: int,
        positions: tuple[str, ...] = POSITIONS,
        embedding: str = "points",
        position_channels: int = 64,
        hidden: int | None = None,
        detach: bool = False,
    ) -> None:
        super().__init__()
        self.positions, self.embedding, self.position_channels = tuple(positions), embedding, position_channels
        self.detach = detach
        hidden = hidden or token_channels
        self.mlp = nn.Sequential(
            nn.Linear(len(positions) * (channels + position_channels), hidden),
            nn.SiLU(),
            nn.Linear(hidden, token_channels),
        )

    def forward(self, features: Tensor, points: Tensor, present: Tensor) -> Tensor:
        exact = torch.promote_types(features.dtype, torch.float32)  # a place in half precision is cells off
        places = drag_positions(points.to(exact), self.positions)  # (B·N, K, P, 2)
        places = places * present.flatten(0, 1)[..., None, None]
        found = sample_features((features.detach() if self.detach else features).to(exact), places)
        if self.embedding == "points":
            where = embed_points(places, self.position_channels)
        else:
            where = embed_cells(places, self.position_channels, features.shape[-2:])
        tokens = self.mlp(torch.cat([found.flatten(2), where.flatten(2)], dim=-1).to(features.dtype))
        ever = present.any(dim=1, keepdim=True).expand_as(present)
        return tokens * ever.flatten(0, 1)[..., None]

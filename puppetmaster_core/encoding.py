"""enc(·, s): drags as pictures that a network reads at any resolution s (§3.2, App. A).

Letters: … any batch axes, N frames, K drags, K_max the most a model encodes, (h, w) the grid, c channels of a drag.

In every frame the channels of a drag are −1 but in the cells where it starts (u), is now (v^n) and ends (v^N).
There they hold where inside the cell the point lies, so that no resolution loses the exact position.
"""

import torch

from puppetmaster_core.drags import Drags, pad_drags

# Which cell a coordinate p, measured in cells, falls into. Borders of cells are p = 0, 1, 2, …
CELL_OF = {
    "paper": torch.floor,  # ⌊s·h/H⌋
    "released": lambda p: torch.round(p - 0.5),  # half to even: a point on a border goes to its even side
}


def encode_drags(
    drags: Drags | torch.Tensor,
    size: int | tuple[int, int],
    convention: str = "paper",
    max_drags: int = 5,
    present: torch.Tensor | None = None,
    end_location: bool = True,
) -> torch.Tensor:
    """Drag encoding, App. A: enc (…, N, c·K_max, h, w) on a grid of `size` s or (h, w); c = 6, or 4 without end_location.

    drags: Drags, or points (…, K, N, 2), xy in the unit square, float32 or float64.
    convention: "paper" takes ⌊·⌋ as cell and writes (h, w) offsets; "released" is what the authors' checkpoint was
        trained with: round(· − ½), and (x, y) offsets. Both keep a point outside the grid in the nearest cell, with an
        offset that then leaves [0, 1].
    present: bool (…, K), or (…, N, K) to decide frame by frame; None: all are. An absent drag is −1 throughout.
    end_location: write v^N too (ablation B of Table 2 leaves it out).

    Channels run drag by drag: u, v^n, v^N of drag 1, then of drag 2, …; missing drags fill up with −1.
    Raises DragError when K > max_drags, ValueError for shapes that do not fit.
    """
    points = torch.tensor(drags.points) if isinstance(drags, Drags) else drags
    points, present = pad_drags(points, _present_by_frame(points, present), max_drags)  # (…, K_max, N, 2), (…, N, K_max)

    v = points.transpose(-3, -2)  # (…, N, K, 2)
    places = [v[..., :1, :, :].expand_as(v), v, v[..., -1:, :, :].expand_as(v)]  # u, v^n, v^N
    places = torch.stack(places if end_location else places[:2], dim=-2)  # (…, N, K, 3, 2)
    (row, col), (dy, dx) = cells(places, size, convention)
    offset = torch.stack((dy, dx) if convention == "paper" else (dx, dy), dim=-1)  # (…, N, K, 3, 2)

    h, w = _grid(size)
    in_row = row[..., None, None] == torch.arange(h, device=row.device)[:, None]  # (…, N, K, 3, h, 1)
    in_col = col[..., None, None] == torch.arange(w, device=col.device)  # (…, N, K, 3, 1, w)
    here = in_row & in_col & present[..., None, None, None]  # (…, N, K, 3, h, w)

    code = torch.where(here.unsqueeze(-3), offset[..., None, None], -1.0)  # (…, N, K, 3, 2, h, w)
    return code.flatten(-5, -3)  # (…, N, c·K_max, h, w)


def cells(points: torch.Tensor, size: int | tuple[int, int], convention: str = "paper"):
    """(row, column) of the cell of each point (…, 2), clamped to the grid, and (dy, dx), the point's offset from it.

    All four are (…), of the dtype of the points and in units of cells.
    """
    if convention not in CELL_OF:
        raise ValueError(f"got convention as {convention!r}, expected one of {', '.join(CELL_OF)}")
    h, w = _grid(size)
    x, y = points[..., 0] * w, points[..., 1] * h
    row = CELL_OF[convention](y).clamp(0, h - 1)
    col = CELL_OF[convention](x).clamp(0, w - 1)
    return (row, col), (y - row, x - col)


def split_released(drags: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Drags as the released code stores them (…, N, K, 4) to points (…, K, N, 2) and present (…, N, K).

    They are x_u, y_u, x_v^n, y_v^n in every frame; points and present are as `encode_drags` takes them. A drag is absent
    from a frame where its four numbers are all zero; present.any(-2) (…, K) tells which slots hold a drag at all. Frame 1
    of the points is u, read from the first frame that has it.
    """
    present = (drags != 0).any(dim=-1)  # (…, N, K)
    first = present.int().argmax(dim=-2)[..., None, :, None]  # (…, 1, K, 1)
    u = drags[..., :2].take_along_dim(first, dim=-3)  # (…, 1, K, 2)
    return torch.cat([u, drags[..., 1:, :, 2:]], dim=-3).transpose(-3, -2), present


def _present_by_frame(points: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
    """present as (…, N, K), after a check of all shapes."""
    if points.ndim < 3 or points.shape[-1] != 2 or points.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"got points as {points.dtype} {tuple(points.shape)}, expected float32 or float64 (…, K drags, N frames, 2)"
        )
    *batch, drags, frames, _ = points.shape
    if present is None:
        return torch.ones(1, drags, dtype=torch.bool, device=points.device)
    if tuple(present.shape) == (*batch, drags):
        return present.bool()[..., None, :]
    if tuple(present.shape) == (*batch, frames, drags):
        return present.bool()
    raise ValueError(
        f"got present of shape {tuple(present.shape)}, "
        f"expected {(*batch, drags)} or, frame by frame, {(*batch, frames, drags)}"
    )


def _grid(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size

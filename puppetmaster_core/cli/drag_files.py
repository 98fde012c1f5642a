"""Drags from a file: the project's JSON, or one of Drag-a-Move's .npz.

Letters: N frames, K drags, (W, H) size of a picture in pixels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

if TYPE_CHECKING:
    from puppetmaster_core.drags import Drags

SAME_SHAPE = 0.02  # how far two aspect ratios may differ, relatively: pictures are scaled to whole pixels


def read_drags(path: Path, frames: int, picture_size: tuple[int, int]) -> Drags:
    """Drags over N frames, for a picture of picture_size (W, H). Raises DragError."""
    from puppetmaster_core.drags import Drags

    if path.suffix.lower() == ".npz":
        return read_released(path).resample(frames)
    drags = Drags.from_json(path, frames)
    _check_shape(path, json.loads(path.read_text(encoding="utf-8-sig"))["image_size"], picture_size)
    return drags


def read_released(path: Path) -> Drags:
    """The drags of a Drag-a-Move clip: the array `drags` (N, 5, 4) of x_u, y_u, x_v, y_v in the unit square."""
    import numpy as np
    import torch

    from puppetmaster_core.drags import DragError, Drags
    from puppetmaster_core.encoding import split_released

    wanted = "wanted a Drag-a-Move clip with an array 'drags' (N frames, K drags, 4) of numbers"
    try:
        with np.load(path, allow_pickle=False) as clip:
            array = clip["drags"].astype(np.float32)
        points, present = split_released(torch.from_numpy(array))  # (K, N, 2), (N, K)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, AttributeError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise DragError(f"{path}: {reason}, {wanted}") from None
    if not present.any():
        raise DragError(f"{path}: no drags came, at least one is wanted: draw one")
    used = present.any(dim=0)
    for k in (used & ~present.all(dim=0)).nonzero().flatten()[:1]:
        raise DragError(f"{path}: drag {k + 1} is absent from some frames, wanted drags that last the whole clip")
    try:
        return Drags(points[used].numpy())
    except DragError as error:
        raise DragError(f"{path}: {error}") from None


def _check_shape(path: Path, drawn_on: list[int], picture_size: tuple[int, int]) -> None:
    from puppetmaster_core.drags import DragError

    ratio = (drawn_on[0] * picture_size[1]) / (drawn_on[1] * picture_size[0])
    if abs(ratio - 1) > SAME_SHAPE:
        drawn, picture = ("×".join(map(str, size)) for size in (drawn_on, picture_size))
        raise DragError(f"{path}: drags on a picture of {drawn} came, wanted drags on this one, of {picture}: draw them on it")

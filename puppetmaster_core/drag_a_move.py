"""Drag-a-Move clips as the authors published them: one .npz a clip, beside a .gif of the video.

Letters: N frames, K drags.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.encoding import split_released

WANTED = "wanted a Drag-a-Move clip with an array 'drags' (N frames, K drags, 4) of numbers"


def read_released(path: Path) -> Drags:
    """The drags of a clip: the array `drags` (N, K, 4) of x_u, y_u, x_v, y_v in the unit square. Raises DragError."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as clip:
            array = clip["drags"]
    except FileNotFoundError:
        raise DragError(f"{path}: no such file, {WANTED}") from None
    except Exception:  # damaged bytes raise nearly anything: zlib.error, BadZipFile, SyntaxError, MemoryError, …
        raise DragError(f"{path}: cannot be read, {WANTED}") from None
    if array.dtype.kind not in "iuf" or array.ndim != 3 or array.shape[2] != 4 or 0 in array.shape:
        raise DragError(f"{path}: 'drags' came as {array.dtype} {array.shape}, {WANTED}")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which Drags refuses
        points, present = split_released(torch.from_numpy(array.astype(np.float32)))  # (K, N, 2), (N, K)
    if not present.any():
        raise DragError(f"{path}: no drags came, at least one is wanted: draw one")
    used = present.any(dim=0)
    for k in (used & ~present.all(dim=0)).nonzero().flatten()[:1]:
        raise DragError(f"{path}: drag {k + 1} is absent from some frames, wanted drags that last the whole clip")
    try:
        return Drags(points[used].numpy())
    except DragError as error:
        raise DragError(f"{path}: {error}") from None

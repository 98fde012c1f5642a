"""Drags of Drag-a-Move's clips as the authors published them: a pickle a clip, or the same arrays as .npz.

Letters: N frames, K drags. The test clips are for judging: nothing is trained or tuned on them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.encoding import split_released
from puppetmaster_core.restricted_pickle import PickleRefused, read_arrays

EXPECTED = "expected a Drag-a-Move clip with an array 'drags' (N frames, K drags, 4) of numbers: get it again"


def clip_files(folder: Path) -> dict[str, Path]:
    """The files with drags of a folder, by the names of their clips in order; none where nothing is Drag-a-Move's."""
    found = {path.stem: path for suffix in ("pickle", "pkl", "npz") for path in folder.glob(f"*.{suffix}")}
    return dict(sorted(found.items()))


def read_drag_a_move(path: Path) -> Drags:
    """The drags of a clip: the array `drags` (N, K, 4) of x_u, y_u, x_v, y_v in the unit square. Raises DragError.

    path: .npz, or the authors' .pkl, of which only arrays are taken (see restricted_pickle).
    """
    array = _array(path)
    array = array[0] if array.ndim == 4 and len(array) == 1 else array  # a batch of one
    if array.dtype.kind not in "iuf" or array.ndim != 3 or array.shape[2] != 4 or 0 in array.shape:
        raise DragError(f"{path}: got 'drags' as {array.dtype} {array.shape}, {EXPECTED}")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which Drags refuses
        points, present = split_released(torch.from_numpy(array.astype(np.float32)))  # (K, N, 2), (N, K)
    if not present.any():
        raise DragError(f"{path}: got no drags, expected at least one: draw one")
    used = present.any(dim=0)
    for k in (used & ~present.all(dim=0)).nonzero().flatten()[:1]:
        raise DragError(f"{path}: drag {k + 1} is absent from some frames, expected drags that last the whole clip")
    try:
        return Drags(points[used].numpy())
    except DragError as error:
        raise DragError(f"{path}: {error}") from None


def _array(path: Path) -> np.ndarray:
    try:
        if Path(path).suffix.lower() != ".npz":
            return read_arrays(path)["drags"]
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as clip:
            return clip["drags"]
    except FileNotFoundError:
        raise DragError(f"{path}: no such file, {EXPECTED}") from None
    except PickleRefused as error:
        raise DragError(f"{path}: {error}; {EXPECTED}") from None
    except Exception:  # damaged bytes raise nearly anything: KeyError, zlib.error, BadZipFile, SyntaxError, MemoryError, …
        raise DragError(f"{path}: cannot be read, {EXPECTED}") from None

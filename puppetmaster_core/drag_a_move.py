"""Drag-a-Move clips as the authors published them: a pickle a clip, or the same arrays as .npz, beside a .gif of the video.

Letters: N frames, K drags. The test clips are for judging: nothing is trained or tuned on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.encoding import split_released
from puppetmaster_core.restricted_pickle import PickleRefused, read_arrays

EXPECTED = "expected a Drag-a-Move clip with an array 'drags' (N frames, K drags, 4) of numbers: get it again"
PICKLES = (".pkl", ".pickle")
LARGEST_PICTURE = 2048  # pixels a side of a video


@dataclass(frozen=True, eq=False)
class DragAMoveClip:
    """One published clip."""

    id: str
    frames: np.ndarray  # (N, size, size, 3) uint8, the true video on white
    drags: Drags  # straight lines, an even pace: only their ends are truth


def clip_ids(folder: str | Path) -> list[str]:
    """The clips of a folder, by name. Raises DragError where there is none."""
    ids = {path.stem for suffix in (".npz", *PICKLES) for path in Path(folder).glob(f"*{suffix}")}
    if not ids:
        raise DragError(f"{folder}: got no clips, expected a folder of Drag-a-Move clips")
    return sorted(ids)


def read_clip(folder: str | Path, name: str, size: int = 256) -> DragAMoveClip:
    """One clip; its video resized (Lanczos) to `size` pixels. Raises DragError."""
    stem = Path(folder) / name
    found = [stem.with_suffix(suffix) for suffix in (".npz", *PICKLES) if stem.with_suffix(suffix).is_file()]
    drags = read_released(found[0] if found else stem.with_suffix(".npz"))
    frames = read_video(stem.with_suffix(".gif"), size)
    if len(frames) != drags.frames:
        raise DragError(f"{stem}: got a video of {len(frames)} frames and drags over {drags.frames}, expected as many")
    return DragAMoveClip(name, frames, drags)


def read_video(path: str | Path, size: int | None = None) -> np.ndarray:
    """The frames (N, size, size, 3) uint8 of a .gif, resized by Lanczos; size None: as they are. Raises DragError."""
    from PIL import Image, ImageSequence

    try:
        with Image.open(path, formats=("GIF",)) as video:
            if max(video.size) > LARGEST_PICTURE:
                raise ValueError
            pictures = [picture.convert("RGB") for picture in ImageSequence.Iterator(video)]
            shape = (size, size) if size else video.size
            return np.stack([np.asarray(picture.resize(shape, Image.Resampling.LANCZOS)) for picture in pictures])
    except FileNotFoundError:
        raise DragError(f"{path}: no such file, expected the clip's video") from None
    except Exception:  # damaged pictures raise nearly anything
        raise DragError(f"{path}: cannot be read, expected a .gif of at most {LARGEST_PICTURE} pixels a side") from None


def read_released(path: Path) -> Drags:
    """The drags of a clip: the array `drags` (N, K, 4) of x_u, y_u, x_v, y_v in the unit square. Raises DragError.

    path: .npz, or the authors' .pkl, of which only arrays are taken (see restricted_pickle).
    """
    array = _array(path)
    if array is None:
        raise DragError(f"{path}: cannot be read, {EXPECTED}")
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


def _array(path: Path) -> np.ndarray | None:
    try:
        if Path(path).suffix.lower() in PICKLES:
            return read_arrays(path).get("drags")
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as clip:
            return clip["drags"] if "drags" in clip.files else None
    except FileNotFoundError:
        raise DragError(f"{path}: no such file, {EXPECTED}") from None
    except PickleRefused as error:
        raise DragError(f"{path}: {error}; {EXPECTED}") from None
    except Exception:  # damaged bytes raise nearly anything: zlib.error, BadZipFile, SyntaxError, MemoryError, …
        raise DragError(f"{path}: cannot be read, {EXPECTED}") from None

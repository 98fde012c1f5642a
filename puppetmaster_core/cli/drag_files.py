"""Drags from a file: the project's JSON, or one of Drag-a-Move's .npz or .pkl.

Letters: N frames, (W, H) size of a picture in pixels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from puppetmaster_core.drags import Drags

SAME_SHAPE = 0.02  # how far two aspect ratios may differ, relatively: pictures are scaled to whole pixels


def read_drags(path: Path, frames: int, picture_size: tuple[int, int]) -> Drags:
    """Drags over N frames, for a picture of picture_size (W, H). Raises DragError."""
    if path.suffix.lower() in (".npz", ".pkl"):
        from puppetmaster_core.drag_a_move import read_released

        return read_released(path).resample(frames)

    from puppetmaster_core.drags import Drags

    drags = Drags.from_json(path, frames)
    _check_shape(path, json.loads(path.read_text(encoding="utf-8-sig"))["image_size"], picture_size)
    return drags


def _check_shape(path: Path, drawn_on: list[int], picture_size: tuple[int, int]) -> None:
    from puppetmaster_core.drags import DragError

    ratio = (drawn_on[0] * picture_size[1]) / (drawn_on[1] * picture_size[0])
    if abs(ratio - 1) > SAME_SHAPE:
        drawn, picture = ("×".join(map(str, size)) for size in (drawn_on, picture_size))
        raise DragError(f"{path}: got drags on a picture of {drawn}, expected drags on this one, of {picture}: draw them on it")

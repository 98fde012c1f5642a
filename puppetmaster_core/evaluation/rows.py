"""The rows of Table 1: what makes a video of a test clip. Each is a name and a function of the clip.

Letters: N frames, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from puppetmaster_core.evaluation.metrics import first_last_blend, static_copy
from puppetmaster_core.evaluation.suites import TestClip
from puppetmaster_core.evaluation.videos import Recipe, VideoError, find_video, keep_video, read_video, resize

ORACLE = "knows the true last frame, which is not scored"


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    name: str
    make: Callable[[TestClip], np.ndarray]  # the video (N, S, S, 3) uint8; raises VideoError where it has none
    note: str = ""  # what a reader must know to read the row rightly
    given_last: bool = False  # it returns the true last frame, whose PSNR is whatever stands for infinity: leave that frame out


STATIC_COPY = Row("static copy", lambda clip: static_copy(clip.frames), "frame 1 repeated")
BLEND = Row("first-last blend", lambda clip: first_last_blend(clip.frames), ORACLE, given_last=True)
REFERENCES = (STATIC_COPY, BLEND)


def model_row(name: str, pipeline, size: int, *, seed: int = 0, videos: Path | None = None, **sampling) -> Row:
    """A row of a pipeline's videos of clips of `size` pixels. A clip's noise depends on `seed` and the clip's id, not on which
    clips are judged with it. A clip without drags has no video: it asks for nothing.

    A model of another size works at its own, and its video is resized to the clip's: the note says so. videos: the folder that
    keeps them, as they were made.
    """

    def make(clip: TestClip) -> np.ndarray:
        if clip.drags is None:
            raise VideoError(f"got no drags with {clip.id}, expected {clip.id}.json beside its video, for the model to follow")
        video = pipeline(clip.frames[0], clip.drags, seed=clip_seed(seed, clip.id), **sampling)
        if len(video.frames) != len(clip.frames):
            made = len(video.frames)
            raise VideoError(f"the model makes {made} frames, the clip has {len(clip.frames)}: choose --frames {made}")
        keep_video(videos, clip.id, video)
        return resize(video.frames, clip.frames.shape[1])

    own = pipeline.latents.side((size, size))
    return Row(name, make, "" if own == size else f"made at {own} pixels and {'enlarged' if own < size else 'reduced'}")


def clip_seed(seed: int, clip: str) -> int:
    """The seed of a clip's noise."""
    return (seed * 1_000_003 + crc32(clip.encode())) % 2**32


def folder_rows(folder: str | Path) -> list[Row]:
    """A row for each method of `folder`: METHOD/CLIP.mp4, .gif or a folder of .png, brought back as METHOD/method.json says.

    Raises VideoError where there is no method.
    """
    folder = Path(folder)
    methods = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not methods:
        raise VideoError(f"{folder}: got no methods, expected a folder with METHOD/CLIP.mp4 or METHOD/CLIP.gif")
    return [_folder_row(path) for path in methods]


def _folder_row(folder: Path) -> Row:
    recipe = Recipe.of(folder)

    def make(clip: TestClip) -> np.ndarray:
        path = find_video(folder, clip.id)
        if path is None:
            raise VideoError(f"{folder.name} has no video of {clip.id}")
        try:
            return recipe.undo(read_video(path), len(clip.frames), clip.frames.shape[1])
        except VideoError as error:
            raise VideoError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from None

    return Row(folder.name, make)

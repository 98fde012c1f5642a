"""What is judged on: the test clips of Drag-a-Move, or a folder of any videos, as one kind of record (§5.1).

Letters: N frames, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_fill_holes

from puppetmaster_core.drag_a_move import clip_files, read_drag_a_move
from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.evaluation.videos import SUFFIXES, VideoError, evenly_spaced, find_video, read_video, resize, squared
from puppetmaster_core.pictures import PictureError, Placement, open_picture

WHITE_WITHIN = 8  # grey levels: a pixel is background while every channel is that close to white


@dataclass(frozen=True, eq=False)
class TestClip:
    """A true video, and what a method is given of it: its first frame and drags."""

    __test__ = False  # its name makes pytest look for tests in it

    id: str
    frames: np.ndarray  # (N, S, S, 3) uint8
    drags: Drags | None  # over N frames, on the square
    foreground: np.ndarray | None  # (S, S) bool of frame 1; None where it is not known

    def without_last(self) -> TestClip:
        """The clip but for its last frame."""
        return replace(self, frames=self.frames[:-1], drags=self.drags and Drags(self.drags.points[:, :-1]))


@dataclass(frozen=True)
class Suite:
    """A list of test clips, read one at a time."""

    name: str
    folder: Path
    ids: tuple[str, ...]
    kind: str  # "drag_a_move" or "videos"
    size: int = 256
    frames: int = 14

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[str, TestClip | str]]:
        """Each id with its clip, or with why it cannot be read: a damaged clip costs that clip only."""
        for name in self.ids:
            try:
                if self.kind == "drag_a_move":
                    yield name, drag_a_move_clip(self.folder, name, self.size)
                else:
                    yield name, video_clip(self.folder, name, self.size, self.frames)
            except (DragError, VideoError, PictureError) as error:
                yield name, str(error)

    def first(self, count: int | None) -> Suite:
        """The suite of the first `count` clips; None: all."""
        return replace(self, ids=self.ids[:count])


def open_suite(folder: str | Path, size: int = 256, frames: int = 14) -> Suite:
    """Drag-a-Move's clips where `folder` holds their arrays (.npz or .pkl), else any videos. Raises VideoError or DragError.

    A folder of videos: CLIP.mp4, CLIP.gif or a folder CLIP of PNG pictures; beside it CLIP.json, its drags in pixels of the
    video (puppetmaster.drags/1), and, where the second motion error is wanted, CLIP.mask.png, white on the object in frame 1.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise VideoError(f"{folder}: no such folder, expected one of test clips")
    if drags := clip_files(folder):
        return Suite("Drag-a-Move", folder, tuple(drags), "drag_a_move", size, 14)
    names = {p.stem for p in folder.iterdir() if p.suffix.lower() in SUFFIXES} | {p.name for p in folder.iterdir() if p.is_dir()}
    ids = tuple(sorted(name for name in names if find_video(folder, name)))
    if not ids:
        raise VideoError(f"{folder}: got no clips, expected Drag-a-Move's .npz files, or videos (.mp4, .gif, folders of .png)")
    return Suite(folder.resolve().name, folder, ids, "videos", size, frames)


def drag_a_move_clip(folder: Path, name: str, size: int = 256) -> TestClip:
    """One of Drag-a-Move's: its drags, straight lines at an even pace of which only the ends are truth, beside its .gif.

    Its background is white, so its foreground is the rest, holes filled. Raises DragError or VideoError.
    """
    drags = read_drag_a_move(clip_files(folder).get(name, folder / f"{name}.npz"))
    frames = resize(read_video(folder / f"{name}.gif"), size)
    if len(frames) != drags.frames:
        raise DragError(f"{folder / name}: got a video of {len(frames)} frames and drags over {drags.frames}, expected as many")
    return TestClip(name, frames, drags, not_white(frames[0]))


def not_white(picture: np.ndarray) -> np.ndarray:
    """The foreground (S, S) bool of a picture (S, S, 3) uint8 on white, what it encloses included."""
    return binary_fill_holes((picture < 255 - WHITE_WITHIN).any(2))


def video_clip(folder: Path, name: str, size: int = 256, frames: int = 14) -> TestClip:
    """One of a folder of videos, on a white square, as `frames` frames spread over it. Raises VideoError or DragError."""
    path = find_video(folder, name)
    if path is None:
        raise VideoError(f"{folder / name}: no such video")
    film = read_video(path)
    if len(film) < frames:
        raise VideoError(f"{path}: got {len(film)} frames, expected {frames} or more")
    place, drags, foreground = Placement.of((film.shape[2], film.shape[1]), size), None, None
    if (folder / f"{name}.json").is_file():
        drags = place.drags_in(Drags.from_json(folder / f"{name}.json", frames=frames))
    if (folder / f"{name}.mask.png").is_file():
        mask = open_picture(folder / f"{name}.mask.png")
        if mask.size != (film.shape[2], film.shape[1]):
            raise VideoError(f"{folder / name}.mask.png: got {mask.size} pixels, expected the video's, {film.shape[2:0:-1]}")
        foreground = np.zeros((size, size), bool)
        resized = np.asarray(mask.convert("L").resize((place.width, place.height)))
        foreground[place.top : place.top + place.height, place.left : place.left + place.width] = resized > 127
    return TestClip(name, squared(evenly_spaced(film, frames), size), drags, foreground)

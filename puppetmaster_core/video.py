"""What the pipeline gives back: frames, and how they become a GIF, an MP4 or a folder of PNG pictures.

Letters: N frames, (H, W) size of a frame in pixels.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import GifImagePlugin, Image, ImageChops

from puppetmaster_core.files import try_writing, whole_file, whole_folder

if TYPE_CHECKING:
    from puppetmaster_core.drags import Drags


PALETTE_SAMPLE = 32_000  # pixels a GIF's palette is made from


class OutputError(ValueError):
    """A file that cannot be written. The message is one line: what it got, what it expected, what to do."""


@dataclass(frozen=True, eq=False)
class Video:
    """A generated video and the drags it was asked for."""

    frames: np.ndarray  # (N, H, W, 3) uint8
    fps: float = 7.0  # frames a second, SVD's
    drags: Drags | None = None  # in the unit square of a frame

    def __len__(self) -> int:
        return len(self.frames)

    def save(self, path, *, overlay: bool | Drags = False, upscale: int = 1, fps: float | None = None) -> Path:
        """Write to path: NAME.gif, NAME.mp4, or a folder that gets one PNG a frame. It appears whole or not at all.

        overlay: True draws the video's drags over it, `Drags` draws those. upscale: enlarge this many times.
        Raises OutputError.
        """
        path = check_output(path)
        rate = self.fps if fps is None else fps
        if not 0 < rate <= 100:
            raise OutputError(f"got fps={fps}, expected a rate above 0 and up to 100 frames a second")
        frames = enlarge(self.frames, upscale)
        drags = self.drags if overlay is True else overlay
        if drags:
            from puppetmaster_core.overlay import draw_drags

            frames = draw_drags(frames, drags)
        whole = whole_file if path.suffix else whole_folder
        with _one_line(path), whole(path) as partial:
            WRITERS[path.suffix.lower()](frames, partial, rate)
        return path


def check_output(path) -> Path:
    """The path, or OutputError when `Video.save` could not write there. Leaves nothing behind."""
    path = Path(path)
    if not path.name:
        raise OutputError(f"{path}: this is a folder, expected a name ending in .gif or .mp4, or a new folder for PNGs")
    if path.name.lower() in WRITERS:
        raise OutputError(f"{path}: this is only an ending, expected a name before it: choose one")
    if path.suffix.lower() not in WRITERS:
        raise OutputError(f"{path}: files ending in {path.suffix} are not written, expected .gif, .mp4 or a folder for PNGs: "
                          "choose another ending")
    with _one_line(path):
        if path.suffix and path.is_dir():
            raise OutputError(f"{path}: this is a folder, expected a file: choose another name")
        if not path.suffix and path.exists() and not path.is_dir():
            raise OutputError(f"{path}: this is a file, expected a folder for PNGs or a name ending in .gif or .mp4")
        if not path.suffix and path.exists() and any(path.iterdir()):
            raise OutputError(f"{path}: this folder is not empty, expected a new or an empty one: choose another name")
        if path.exists() and not os.access(path, os.W_OK):
            raise OutputError(f"{path}: cannot be overwritten, no permission: choose another name")
        try_writing(path)
    return path


def enlarge(frames: np.ndarray, times: int) -> np.ndarray:
    """Frames (N, H, W, 3) uint8, `times` as wide and high."""
    if not isinstance(times, int) or not 1 <= times <= 16:
        raise OutputError(f"got upscale={times}, expected a whole number from 1 to 16")
    if times == 1:
        return frames
    size = (frames.shape[2] * times, frames.shape[1] * times)
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) for frame in frames])


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """What the system refuses, as OutputError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or "it failed"
        raise OutputError(f"{path}: cannot be written ({reason}), expected a place to write to: choose another") from error


def _write_gif(frames: np.ndarray, path: Path, fps: float) -> None:
    """One palette for all frames and no dithering, so that what stands still does not flicker; plays for ever.

    A page for every frame: Pillow's own way of saving many makes one of several that are alike. A page holds what has changed.
    """
    indices, palette = index_colours(frames)
    pages = [Image.fromarray(page) for page in indices]
    for page in pages:
        page.putpalette(palette.tobytes())
    duration = max(20, round(100 / fps) * 10)  # milliseconds; browsers slow down anything faster
    header, _ = GifImagePlugin.getheader(pages[0], info={"loop": 0})
    with open(path, "wb") as file:
        file.writelines(header)
        for page, before in zip(pages, [None, *pages], strict=False):
            box = (before and ImageChops.difference(page, before).getbbox()) or (0, 0, *(page.size if before is None else (1, 1)))
            file.writelines(GifImagePlugin.getdata(page.crop(box), box[:2], duration=duration))
        file.write(b";")


def index_colours(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames (N, H, W, 3) uint8 as indices (N, H, W) into a palette of at most 256 colours (256, 3), both uint8.

    The palette covers rare colours too, such as those of drags drawn over. Up to 256 colours stay exact.
    """
    packed = frames.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, inverse = np.unique(packed, return_inverse=True)
    colours = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], -1).astype(np.uint8)
    if len(colours) <= 256:
        return inverse.reshape(packed.shape).astype(np.uint8), colours
    pixels = frames.reshape(-1, 3)
    some = np.random.default_rng(0).choice(len(pixels), min(len(pixels), PALETTE_SAMPLE), replace=False)
    found = Image.fromarray(pixels[some][None]).quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
    palette = np.array(found.getpalette("RGB"), np.uint8).reshape(-1, 3)
    p = palette.astype(np.float32)
    halves = (p**2).sum(1) / 2  # the nearest p to c has the largest c·p − |p|²/2
    chunks = np.array_split(colours, 1 + len(colours) // PALETTE_SAMPLE)
    nearest = np.concatenate([(chunk.astype(np.float32) @ p.T - halves).argmax(1) for chunk in chunks]).astype(np.uint8)
    return nearest[inverse].reshape(packed.shape), palette


def _write_mp4(frames: np.ndarray, path: Path, fps: float) -> None:
    """H.264 that any player shows; odd sides gain a repeated pixel, since colour is stored for 2×2 pixels."""
    from imageio_ffmpeg import get_ffmpeg_exe

    _, height, width, _ = frames.shape
    frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    size = f"{frames.shape[2]}x{frames.shape[1]}"
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(fps), "-i", "-"]
    wanted = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "16", "-movflags", "+faststart", "-f", "mp4", f"file:{path}"]
    done = subprocess.run([get_ffmpeg_exe(), "-v", "error", "-y", *given, *wanted], input=frames.tobytes(), capture_output=True)
    if done.returncode:  # whatever it has written so far may look like a video, and is none
        said = done.stderr.decode(errors="replace").split("] ")[-1].split("\n")[0]
        raise OSError(done.returncode, f"ffmpeg: {said or f'exit code {done.returncode}'}")


def _write_pngs(frames: np.ndarray, path: Path, fps: float) -> None:
    for n, frame in enumerate(frames, start=1):
        Image.fromarray(frame).save(path / f"frame_{n:03d}.png")


WRITERS = {".gif": _write_gif, ".mp4": _write_mp4, "": _write_pngs}

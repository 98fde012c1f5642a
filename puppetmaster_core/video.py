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
from PIL import Image

from puppetmaster_core.files import try_writing, whole_file, whole_folder

if TYPE_CHECKING:
    from puppetmaster_core.drags import Drags


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
            from puppetmaster_core.overlay import overlay_drags

            frames = overlay_drags(frames, drags)
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
    """One palette for all frames and no dithering, so that what stands still does not flicker; plays for ever."""
    pause = max(2, round(100 / fps))  # hundredths of a second; browsers slow down anything faster
    palette = "[0:v]split[a][b];[a]palettegen=reserve_transparent=0[palette];[b][palette]paletteuse=dither=none"
    _ffmpeg(frames, f"100/{pause}", path, "-filter_complex", palette, "-loop", "0", "-f", "gif")


def _write_mp4(frames: np.ndarray, path: Path, fps: float) -> None:
    """H.264 that any player shows; odd sides gain a repeated pixel, since colour is stored for 2×2 pixels."""
    _, height, width, _ = frames.shape
    frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "16"]
    _ffmpeg(frames, str(fps), path, *codec, "-movflags", "+faststart", "-f", "mp4")


def _ffmpeg(frames: np.ndarray, rate: str, path: Path, *how: str) -> None:
    from imageio_ffmpeg import get_ffmpeg_exe

    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{frames.shape[2]}x{frames.shape[1]}", "-r", rate, "-i", "-"]
    done = subprocess.run([get_ffmpeg_exe(), "-v", "error", "-y", *given, *how, f"file:{path}"], input=frames.tobytes(),
                          capture_output=True)
    if done.returncode:  # whatever it has written so far may look like a video, and is none
        said = done.stderr.decode(errors="replace").split("] ")[-1].split("\n")[0]
        raise OSError(done.returncode, f"ffmpeg: {said or f'exit code {done.returncode}'}")


def _write_pngs(frames: np.ndarray, path: Path, fps: float) -> None:
    for n, frame in enumerate(frames, start=1):
        Image.fromarray(frame).save(path / f"frame_{n:03d}.png")


WRITERS = {".gif": _write_gif, ".mp4": _write_mp4, "": _write_pngs}

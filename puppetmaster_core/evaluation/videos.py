"""Videos of any method as files: kept, read, brought back to the square that is scored (App. C.2), cut to the frames that count.

Letters: N frames, (H, W) pixels, S side of the square that is scored.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from puppetmaster_core.files import one_line, whole_folder, write_json
from puppetmaster_core.pictures import Placement, open_picture
from puppetmaster_core.video import WRITERS, Video

SUFFIXES = (".mp4", ".gif")
MOST_FRAMES = 1000
MOST_PIXELS = 4096  # a side
FORM_FILE = "method.json"


class VideoError(ValueError):
    """A video that cannot be scored. The message is one line: what it got, what it expected, what to do."""


def read_video(path: str | Path) -> np.ndarray:
    """Frames (N, H, W, 3) uint8 of an .mp4, a .gif, or a folder of pictures in the order of their names. Raises VideoError."""
    path = Path(path)
    if not path.exists():
        raise VideoError(f"{path}: no such file, expected a video")
    try:
        if path.is_dir():
            frames = [np.asarray(open_picture(picture)) for picture in sorted(path.glob("*.png"))]
        elif path.suffix.lower() == ".gif":
            with Image.open(path, formats=("GIF",)) as film:
                frames = [np.asarray(picture.convert("RGB")) for picture in islice(ImageSequence.Iterator(film), MOST_FRAMES)]
        else:
            frames = _read_film(path)
        frames = np.stack(frames)
    except Exception as error:  # damaged files raise nearly anything
        raise VideoError(f"{path}: cannot be read ({one_line(error)}), expected an .mp4, a .gif or a folder of PNG pictures"
                         ) from None
    if max(frames.shape[1:3]) > MOST_PIXELS:
        raise VideoError(f"{path}: got {frames.shape[2]} × {frames.shape[1]} pixels, expected {MOST_PIXELS} a side at most")
    return frames


def _read_film(path: Path) -> list[np.ndarray]:
    """All frames of a film, decoded by ffmpeg."""
    from imageio_ffmpeg import read_frames

    reader = read_frames(f"file:{path}", output_params=["-fps_mode", "passthrough"])  # no frame twice, none dropped
    width, height = next(reader)["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in islice(reader, MOST_FRAMES)]
    reader.close()
    return frames


def find_video(folder: Path, clip: str) -> Path | None:
    """A method's video of a clip: CLIP.mp4, CLIP.gif, or a folder CLIP of PNG pictures; None where it has none."""
    places = [folder / f"{clip}{suffix}" for suffix in SUFFIXES] + [folder / clip]
    return next((place for place in places if place.is_file() or (place.is_dir() and any(place.glob("*.png")))), None)


def model_folder(videos: Path | None, model: str, *, again: bool = False) -> Path | None:
    """The folder in `videos` for what a model makes; None where no videos are kept.

    again: it goes on from an earlier run, whose videos are there. Raises VideoError.
    """
    if videos is None:
        return None
    folder = videos / folder_name(model)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not again:
            raise VideoError(f"{folder}: this folder is not empty, expected a new one for videos: choose another or move it away")
    except OSError as error:
        raise VideoError(f"{folder}: cannot be made ({error.strerror}), expected a folder for videos: choose another") from None
    return folder


def folder_name(model: str) -> str:
    """A model's name without the slashes of a path or of OWNER/NAME."""
    return "_".join(part.strip("/") for part in Path(model).parts if part.strip("/.")) or "model"


def keep_video(folder: Path | None, clip: str, video: Video) -> None:
    """Write a video where `find_video` finds it, to the bit: a folder CLIP, a PNG a frame; its drags as CLIP.json. None: nowhere.

    Not a GIF: it has 256 colours, and of frames that are alike it keeps one.
    """
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder / clip) as partial:
        WRITERS[""](video.frames, partial, video.fps)
    video.drags.to_json(folder / f"{clip}.json", video.frames.shape[2:0:-1])


@dataclass(frozen=True)
class VideoForm:
    """How a method's videos were made from the square test pictures, and so how they are brought back (App. C.2)."""

    size: tuple[int, int] | None = None  # (W, H) the method works at; None: whatever its videos have
    frames: int | None = None  # how many frames it makes; None: whatever its videos have
    keep: str = "first"  # "first": the first N frames; "spread": N frames spread evenly from the first to the last

    @classmethod
    def of(cls, folder: Path) -> VideoForm:
        """What `folder`/method.json says; the default where there is none. Raises VideoError."""
        path = folder / FORM_FILE
        if not path.is_file():
            return cls()
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            size, frames, keep = record.get("size"), record.get("frames"), record.get("keep", "first")
            sized = size is None or [*map(type, size)] == [int, int]
            if not sized or not isinstance(frames, int | None) or keep not in ("first", "spread"):
                raise ValueError
        except (OSError, ValueError, TypeError, AttributeError):
            raise VideoError(f'{path}: cannot be read, expected a JSON object with "size", [width, height], "frames", a number, '
                             'and "keep", first or spread') from None
        return cls(size and tuple(size), frames, keep)

    def save(self, folder: Path) -> None:
        write_json(folder / FORM_FILE, asdict(self))

    def undo(self, frames: np.ndarray, count: int, size: int) -> np.ndarray:
        """App. C.2: "remove the padding from the generated frames and resize them back to 256×256".

        A method's video (N', H, W, 3) as it is scored: (count, size, size, 3). Raises VideoError.
        """
        whole = self.keep == "first" or self.frames in (None, len(frames))  # spread over a part, another motion would be shown
        if len(frames) < count or not whole:
            raise VideoError(f"got {len(frames)} frames, expected {self.frames or count}: was the video cut, or is it a GIF, "
                             f"which keeps one of frames that are alike? Else correct {FORM_FILE}")
        picked = frames[:count] if self.keep == "first" else evenly_spaced(frames, count)
        return resize(unpad(picked), size)


def evenly_spaced(frames: np.ndarray, count: int) -> np.ndarray:
    """`count` frames, evenly spaced from the first to the last."""
    return frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]


def unpad(frames: np.ndarray) -> np.ndarray:
    """The middle square (N, H, H, 3) of frames (N, H, W, 3) that are not upright. Raises VideoError."""
    height, width = frames.shape[1:3]
    if width < height:
        raise VideoError(f"got frames of {width} × {height}, expected square ones or ones padded left and right")
    left = (width - height) // 2
    return frames[:, :, left : left + height]


def resize(frames: np.ndarray, size: int) -> np.ndarray:
    """Square frames at another size (Lanczos)."""
    if frames.shape[1:3] == (size, size):
        return frames
    return np.stack([np.asarray(Image.fromarray(f).resize((size, size), Image.Resampling.LANCZOS)) for f in frames])


def squared(frames: np.ndarray, size: int) -> np.ndarray:
    """Frames of any shape, white beside them, as squares of `size`."""
    place = Placement.of((frames.shape[2], frames.shape[1]), size)
    return np.stack([np.asarray(place.pad(Image.fromarray(frame))) for frame in frames])

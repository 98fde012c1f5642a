"""Pictures as people have them, and the square that a model sees: upright, RGB, on white, padded, never squashed.

Letters: (W, H) size of a picture in pixels, S side of the model's square, N frames, K drags.
"""

from __future__ import annotations

import os
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from puppetmaster_core.files import one_line

if TYPE_CHECKING:
    from torch import Tensor

    from puppetmaster_core.drags import Drags

WHITE = (255, 255, 255)
FLOATS = 2.0  # resizing overshoots 1 by less than that; more is another unit
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of the colours CLIP was trained on
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class PictureError(ValueError):
    """A picture that cannot be used. The message is one line: what it got, what it expected, what to do."""


def open_picture(source) -> Image.Image:
    """The picture as RGB: turned upright as its EXIF says, transparency on white, frame 1 of an animation.

    source: a path, a Pillow image of any mode, or an array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16 or floats
    in [0, 1]. Raises PictureError.
    """
    if isinstance(source, np.ndarray):
        return _on_white(_from_array(source))
    given = isinstance(source, Image.Image)
    if not given and not isinstance(source, str | os.PathLike):
        raise PictureError(f"got a {type(source).__name__}, expected a path, a Pillow image or an array")
    name = "the picture" if given else source
    try:
        with warnings.catch_warnings(action="ignore"), nullcontext(source) if given else Image.open(source) as picture:
            picture.load()
            return _on_white(ImageOps.exif_transpose(picture))
    except FileNotFoundError:
        raise PictureError(f"{name}: no such file, expected a picture: check the path") from None
    except Image.UnidentifiedImageError:
        raise PictureError(f"{name}: not a picture in a known format, expected PNG, JPEG, GIF or the like: convert it") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: got more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels, expected fewer: shrink it") from None
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from None
    except Exception as error:  # damaged bytes raise nearly anything in Pillow: struct.error, NotImplementedError, …
        reason = getattr(error, "strerror", None) or one_line(error, 120)
        raise PictureError(f"{name}: cannot be read ({reason}), expected a whole PNG, JPEG, GIF or so: save it again") from None


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the S×S square: scaled to fit, in the middle, white beside it."""

    side: int  # S
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of(cls, picture_size: tuple[int, int], side: int) -> Placement:
        """The placement of a picture of picture_size (W, H)."""
        width, height = (max(1, round(length * side / max(picture_size))) for length in picture_size)
        return cls(side, (side - width) // 2, (side - height) // 2, width, height)

    def pad(self, picture: Image.Image) -> Image.Image:
        """The square S×S with the picture in its place."""
        square = Image.new("RGB", (self.side, self.side), WHITE)
        square.paste(picture.resize((self.width, self.height), Image.Resampling.LANCZOS), (self.left, self.top))
        return square

    def cut(self, frames: np.ndarray) -> np.ndarray:
        """The picture's part (N, height, width, 3) of frames (N, S, S, 3)."""
        return frames[:, self.top : self.top + self.height, self.left : self.left + self.width]

    def drags_in(self, drags: Drags) -> Drags:
        """Drags on the picture, in its unit square, as drags on the padded square."""
        size, corner = np.array([self.width, self.height]), np.array([self.left, self.top])
        return replace(drags, points=(drags.points * size + corner) / self.side)


def to_tensor(frames: np.ndarray) -> Tensor:
    """Pictures (…, H, W, 3) uint8 as a network takes them: (…, 3, H, W) float32 in [−1, 1]. Raises ValueError."""
    import torch

    if frames.dtype != np.uint8 or frames.ndim < 3 or frames.shape[-1] != 3:
        raise ValueError(f"got pictures as {frames.dtype} {frames.shape}, expected uint8 (…, H, W, 3)")
    return torch.tensor(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1


def to_frames(pictures: Tensor) -> np.ndarray:
    """The inverse of `to_tensor`, from any device and precision; what lies outside [−1, 1] is clipped."""
    levels = (pictures.detach().float().clamp(-1, 1) + 1) * 127.5
    return levels.round().byte().movedim(-3, -1).cpu().numpy()


def clip_pixels(pictures: Tensor, size: int) -> Tensor:
    """What CLIP sees, (B, 3, size, size), of pictures (B, 3, H, W) in [−1, 1].

    As diffusers' SVD pipeline prepares it, but for the kernel of the resizing: PyTorch's antialiased bicubic.
    """
    from torch.nn.functional import interpolate

    if pictures.shape[-2:] != (size, size):
        resized = interpolate(pictures.float(), (size, size), mode="bicubic", antialias=True)
        pictures = resized.to(pictures.dtype)
    mean, std = (pictures.new_tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (pictures / 2 + 0.5 - mean) / std


def _on_white(picture: Image.Image) -> Image.Image:
    """Any mode to RGB."""
    picture = eight_bits(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (*WHITE, 255))
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)) or 0 in array.shape:
        raise PictureError(f"got a picture of shape {array.shape}, expected (H, W), (H, W, 3) or (H, W, 4)")
    if array.dtype not in (np.uint8, np.uint16) and array.dtype.kind != "f":
        raise PictureError(f"got a picture as {array.dtype}, expected uint8, uint16 or floats in [0, 1]")
    return Image.fromarray(array if array.dtype == np.uint8 else to_8_bits(array))


# ---- any mode, in 8 bits a channel: the textures of assets, too ----------------------------------------------------------


def eight_bits(picture: Image.Image) -> Image.Image:
    """A picture whose mode holds 8 bits a channel, from one of any mode. Raises PictureError."""
    if picture.mode.startswith("I") or picture.mode == "F":
        values, clear = np.asarray(picture), picture.info.get("transparency")
        picture = Image.fromarray(to_8_bits(values))
        if isinstance(clear, int):  # the one grey level that a PNG shows through
            picture.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return picture


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Grey levels of 16 bits, of 8 bits in a wider type, or floats in [0, 1], as uint8; slightly larger values saturate.

    Raises PictureError for floats that lie far beyond.
    """
    most, floats = np.nan_to_num(values).max(), values.dtype.kind == "f"
    if floats and most > FLOATS:
        raise PictureError(f"got floats up to {most:g}, expected grey levels from 0 to 1: divide by 255, or by what they reach")
    scale = 255.0 if floats else 1.0 if values.dtype.itemsize > 2 and most <= 255 else 1 / 257
    return (np.nan_to_num(values).astype(np.float64) * scale).round().clip(0, 255).astype(np.uint8)

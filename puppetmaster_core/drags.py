"""Drags: what a user draws and what a clip is labelled with (§3.2).

Letters: K drags, N frames, P points of a drawn path, (W, H) picture size in pixels.

Coordinates are continuous and x comes first. In the unit square (0, 0) is the top-left corner of the picture (not the
centre of a pixel) and (1, 1) the bottom-right corner. In pixels the same corners are (0, 0) and (W, H), so the centre
of the top-left pixel is (0.5, 0.5): unit = pixels / (W, H). Points may leave the picture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from puppetmaster_core.files import shortened, write_json

if TYPE_CHECKING:
    import torch

FORMAT = "puppetmaster.drags/1"
FAR = 100  # widths and heights of the picture: a point may leave it, and one beyond that is a slip


class DragError(ValueError):
    """Drags that cannot be used. The message is one line: what it got, what it expected, what to do."""


@dataclass(frozen=True, eq=False)
class Drags:
    """K drags over N frames: drag k starts at u = points[k, 0] and is at v^n = points[k, n - 1] in frame n.

    Raises DragError unless points are finite and within FAR, of shape (K, N, 2), with at least one drag and two frames.
    """

    points: np.ndarray  # (K, N, 2) float32, read-only, xy in the unit square

    def __post_init__(self):
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is reported below
            points = _numbers(self.points, "points").astype(np.float32)
        if points.shape[:1] == (0,):
            raise DragError("got no drags, expected at least one: draw one")
        if points.ndim != 3 or points.shape[2] != 2:
            raise DragError(f"got points of shape {points.shape}, expected (K drags, N frames, 2)")
        if points.shape[1] < 2:
            raise DragError(f"got drags with {points.shape[1]} frames, expected at least 2: the start and the end")
        for k, n in np.argwhere(~np.isfinite(points).all(axis=2))[:1]:
            raise DragError(f"drag {k + 1} is at {_xy(points[k, n])} in frame {n + 1}, expected finite numbers: correct it")
        for k, n in np.argwhere((np.abs(points) > FAR).any(axis=2))[:1]:
            raise DragError(f"drag {k + 1} is at {_xy(points[k, n])} in frame {n + 1}, in widths and heights of the picture, "
                            f"expected at most {FAR}: correct it")
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def frames(self) -> int:
        """N, the number of frames."""
        return self.points.shape[1]

    @classmethod
    def from_pixels(cls, points, image_size) -> Drags:
        """From points (K, N, 2) in pixels of a picture of image_size (W, H)."""
        return cls(_numbers(points, "points") / _image_size(image_size))

    def pixels(self, image_size) -> np.ndarray:
        """Points (K, N, 2) in pixels of a picture of image_size (W, H), float64."""
        return self.points * _image_size(image_size)

    @classmethod
    def from_json(cls, source, frames: int = 14) -> Drags:
        """Read the puppetmaster.drags/1 format from a path, a JSON text or a parsed dictionary.

        Each drag is a path of at least two points in pixels, resampled by time to `frames` frames; two points make a
        straight drag. Raises DragError, naming the file, when it cannot be read or does not follow the format.
        """
        try:
            return cls(np.stack([resample_path(path, frames) for path in _paths(_record(source))]))
        except DragError as error:
            inline = isinstance(source, Mapping) or _is_text(source)
            raise DragError(str(error) if inline else f"{source}: {error}") from None

    def to_json(self, path=None, image_size=(256, 256)) -> str:
        """JSON text in pixels of a picture of image_size (W, H), also written to `path` when one is given.

        Read back with frames=N it gives the same points to the bit.
        """
        record = {
            "format": FORMAT,
            "image_size": _image_size(image_size).tolist(),
            "drags": [{"points": points} for points in self.pixels(image_size).tolist()],
        }
        if path is not None:
            write_json(path, record, indent=None)
        return json.dumps(record)

    def resample(self, frames: int) -> Drags:
        """The same motion in another number of frames, linear between the old ones."""
        return Drags(resample_path(self.points, frames))

    def check_inside(self, image_size=(1, 1)) -> Drags:
        """These drags, or DragError when one of them has no point in the picture, of image_size (W, H) in what is said of it."""
        inside = ((self.points >= 0) & (self.points <= 1)).all(axis=2).any(axis=1)  # (K,)
        for k in np.flatnonzero(~inside)[:1]:
            width, height = _image_size(image_size)
            raise DragError(f"drag {k + 1} lies outside the picture (it starts at {_xy(self.pixels(image_size)[k, 0])}, expected "
                            f"points from (0, 0) to ({width}, {height})): start on the object")
        return self

    def without_near_duplicates(
        self, threshold: float = 20.0, size: int = 256, generator: np.random.Generator | None = None
    ) -> Drags:
        """Sampling drags, §4: a random one of d_i and d_j goes if ‖v_i − v_j‖² ≤ δ, with δ = 20 N at 256×256.

        ‖·‖² is the squared distance in pixels, summed over frames.
        threshold: δ / N, in squared pixels of a picture `size` pixels wide and high. generator: draws which one of a
        pair goes (None: a fresh one, different from call to call).
        """
        generator = np.random.default_rng() if generator is None else generator
        return Drags(self.points[distinct_paths(self.points.astype(float), threshold, size, generator)])

    def tensors(self, max_drags: int, device=None) -> tuple[torch.Tensor, torch.Tensor]:
        """points (K_max, N, 2) float32 and present (K_max,) bool; absent drags come last and are zero.

        Raises DragError when there are more than max_drags.
        """
        import torch

        present = torch.ones(len(self), dtype=torch.bool)
        return tuple(one.to(device) for one in pad_drags(torch.tensor(self.points), present, max_drags))


def pad_drags(points: torch.Tensor, present: torch.Tensor, max_drags: int) -> tuple[torch.Tensor, torch.Tensor]:
    """points (…, K, N, 2) and present (…, K) with absent drags behind them, K_max in all. Raises DragError for more."""
    from torch.nn.functional import pad

    missing = max_drags - points.shape[-3]
    if missing < 0:
        raise DragError(f"got {points.shape[-3]} drags, this checkpoint encodes at most {max_drags}: draw fewer, or train with "
                        f"max_drags={points.shape[-3]}")
    return pad(points, (0, 0, 0, 0, 0, missing)), pad(present, (0, missing))


def distinct_paths(paths: np.ndarray, threshold: float, size: int, generator: np.random.Generator | None) -> np.ndarray:
    """Which of the paths (K, N, 2) stay (K,) bool, so that no two are near: §4's rule, see `Drags.without_near_duplicates`.

    generator None: the released code's rule instead, by which the later of two goes where their distances, not squared, sum up
    to threshold · N pixels or less.
    """
    gap = (paths[:, None] - paths[None]) * size  # (K, K, N, 2)
    distance = np.linalg.norm(gap, axis=-1).sum(2) if generator is None else (gap**2).sum(axis=(2, 3))
    kept = np.ones(len(paths), bool)
    for pair in combinations(range(len(paths)), 2):
        if kept[list(pair)].all() and distance[pair] <= threshold * paths.shape[1]:
            kept[pair[1] if generator is None else generator.choice(pair)] = False
    return kept


def resample_path(path: np.ndarray, frames: int) -> np.ndarray:
    """Paths (…, P, 2) drawn at an even pace to (…, frames, 2): first and last points stay, linear in time between."""
    if frames < 2:
        raise DragError(f"got {frames} frames to make, expected at least 2: the start and the end")
    last = path.shape[-2] - 1
    time = np.linspace(0, last, frames)
    before = np.minimum(time.astype(int), last - 1)
    weight = (time - before)[:, None]
    return (1 - weight) * path[..., before, :] + weight * path[..., before + 1, :]


def _record(source):
    """What a path, a JSON text or a dictionary holds, parsed."""
    if isinstance(source, Mapping):
        return source
    try:
        text = source if _is_text(source) else Path(source).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        problem = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({reason})"
        raise DragError(f"{problem}, expected a JSON file of drags: check the path") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise DragError(f'not valid JSON{place}, expected the format "{FORMAT}": write it anew') from None


def _is_text(source) -> bool:
    return isinstance(source, str) and source.lstrip().startswith(("{", "["))


def _paths(record) -> list[np.ndarray]:
    """The paths (P, 2) of a puppetmaster.drags/1 record, in the unit square."""
    if not isinstance(record, Mapping):
        raise DragError(f'got {_show(record)}, expected an object of the format "{FORMAT}": write it anew')
    if record.get("format") != FORMAT:
        raise DragError(f'got "format" as {_show(record.get("format"))}, expected "{FORMAT}": write it into the file')
    image_size, drags = _image_size(record.get("image_size")), record.get("drags")
    if not isinstance(drags, list | tuple):
        raise DragError(f'got "drags" as {_show(drags)}, expected a list of {{"points": [[x, y], …]}}: correct it')
    if not drags:
        raise DragError("got no drags, expected at least one: draw one")
    return [_path(drag, k) / image_size for k, drag in enumerate(drags, start=1)]


def _path(drag, k: int) -> np.ndarray:
    """The path (P, 2) of the k-th drag of a record, in pixels."""
    if not isinstance(drag, Mapping):
        raise DragError(f'got drag {k} as {_show(drag)}, expected {{"points": [[x, y], …]}}: correct it')
    path = _numbers(drag.get("points"), f'"points" of drag {k}')
    if path.ndim != 2 or path.shape[1] != 2 or len(path) < 2:
        raise DragError(f'got "points" of drag {k} of shape {path.shape}, expected at least two [x, y] pairs: correct it')
    for p in np.flatnonzero(~np.isfinite(path).all(axis=1))[:1]:
        raise DragError(f"point {p + 1} of drag {k} is {_xy(path[p])}, expected finite numbers: correct it")
    return path


def _numbers(values, what: str) -> np.ndarray:
    """A float64 array, or DragError: text, nulls, booleans and ragged lists are refused, not coerced."""
    try:
        array = np.array(values)
    except ValueError:  # ragged
        array = np.array(None)
    truths = not isinstance(values, np.ndarray) and any(isinstance(leaf, bool) for leaf in np.array(values, object).flat)
    if array.dtype.kind not in "iuf" or truths:
        raise DragError(f"got {what} as {_show(values)}, expected [x, y] pairs of numbers: correct it")
    return array.astype(np.float64)


def _image_size(size) -> np.ndarray:
    """(W, H) as an array, or DragError."""
    if not (
        isinstance(size, list | tuple)
        and len(size) == 2
        and all(isinstance(side, Real) and not isinstance(side, bool) and 0 < side < 1e6 and side == int(side) for side in size)
    ):
        raise DragError(f"got image_size as {_show(size)}, expected [width, height] in whole pixels, 1 or more: correct it")
    return np.array(size, int)


def _show(value) -> str:
    """A value on one short line."""
    return shortened(repr(value), 60)


def _xy(point) -> str:
    return f"({point[0]:.6g}, {point[1]:.6g})"

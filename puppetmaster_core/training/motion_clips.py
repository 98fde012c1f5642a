"""Clips with their exact displacement, as the stages of a motion-latent model draw them.

Letters: n clips, N frames, S = 64 pixels a side of field and picture, P points, K drags.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from puppetmaster_core.clips.displacement import moves
from puppetmaster_core.clips.drag_sampling import PAPER, DragRules, draw_paths
from puppetmaster_core.files import whole_folder
from puppetmaster_core.latents.parts import SIDE
from puppetmaster_core.training.checkpoint import saving
from puppetmaster_core.training.config import TrainingError
from puppetmaster_core.training.shard_clips import ShardClips

KEPT = ("first", "parts", "offset")  # arrays of all clips, in the run folder


@dataclass(frozen=True)
class Motion:
    """What moves in a clip. Frame 1's coordinates."""

    first: np.ndarray  # (S, S, 3) uint8
    parts: np.ndarray  # (S, S) int16, −1 = background
    offset: np.ndarray  # (N, S, S, 2) float16, picture widths

    @cached_property
    def peak(self) -> np.ndarray:
        """Each pixel's largest displacement (S, S, 2)."""
        offset = self.offset.astype(np.float32)
        longest = np.square(offset).sum(-1).argmax(0)
        return np.take_along_axis(offset, longest[None, ..., None], 0)[0]

    @cached_property
    def moves(self) -> np.ndarray:
        """Which pixels move (S, S)."""
        return moves(self.offset)

    def part_of(self, row: int, column: int) -> np.ndarray:
        """The pixels (S, S) that move and are of the same part as one of them."""
        return self.moves & (self.parts == self.parts[row, column])

    def paths(self, points: np.ndarray) -> np.ndarray:
        """The ways (K, N, 2) of points (K, 2), xy in [0, 1], as the pixels go that they lie on."""
        columns, rows = np.clip(points * len(self.parts), 0, len(self.parts) - 1).astype(int).T
        return points[:, None] + self.offset[:, rows, columns].transpose(1, 0, 2).astype(np.float32)

    def drags(self, rng: np.random.Generator, rules: DragRules = PAPER) -> np.ndarray:
        """Drags (K, N, 2) by the rules of §4, from all pixels that move."""
        return draw_paths(self.offset, self.parts, np.zeros((0, len(self.offset), 2), np.float32), rng, rules)

    def flipped(self) -> Motion:
        """Mirrored, left for right."""
        offset = self.offset[:, :, ::-1] * np.array([-1, 1], np.float16)
        return Motion(self.first[:, ::-1], self.parts[:, ::-1], offset)


class MotionClips(ShardClips):
    """Clips of shards, with the field of each. Raises TrainingError for clips without displacement."""

    def __init__(self, folders, size: int, frames: int, cache: Path, untextured: bool = False):
        super().__init__(folders, size, frames, cache, untextured)
        folder = cache / f"motion-{self.digest}"
        if not folder.is_dir():
            with saving(folder), whole_folder(folder) as partial:
                self._write(partial, frames)
        self._arrays = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in KEPT]

    def motion(self, number: int) -> Motion:
        return Motion(*(array[number] for array in self._arrays))

    def _write(self, folder: Path, frames: int) -> None:
        shapes = {"first": ((SIDE, SIDE, 3), np.uint8), "parts": ((SIDE, SIDE), np.int16),
                  "offset": ((frames, SIDE, SIDE, 2), np.float16)}
        arrays = {name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, (len(self), *shape))
                  for name, (shape, kind) in shapes.items()}

        def read(number: int) -> None:
            labels = self.labels(number, ("displacement", "field_parts"))
            arrays["first"][number] = self.frames(number, slice(1))[0]
            if labels["displacement"].shape != (frames, SIDE, SIDE, 2):
                raise TrainingError(f"clip {number}: got a displacement of shape {labels['displacement'].shape}, expected "
                                    f"{(frames, SIDE, SIDE, 2)}: render the clips with --field-size {SIDE}")
            arrays["parts"][number], arrays["offset"][number] = labels["field_parts"], labels["displacement"]

        with ThreadPoolExecutor() as pool:
            for _ in tqdm(pool.map(read, range(len(self))), total=len(self), desc="reading motion", mininterval=5):
                pass

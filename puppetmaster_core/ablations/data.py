"""What every arm trains on (Tables 2 and 3): clips rendered once, coded once, kept as arrays.

Letters: n clips, S sets of drags a clip, N frames, K drags, L latent channels, (h, w) latent grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from puppetmaster_core.ablations.arms import AblationError
from puppetmaster_core.clips.drag_sampling import draw_paths
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.files import whole_file
from puppetmaster_core.latents.linear import LinearCode
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.presets import ABLATION
from puppetmaster_core.training.batches import row_rng
from puppetmaster_core.training.denoiser import random_drags
from puppetmaster_core.training.samples import render_source

SETS = 4  # of drags, drawn once for each clip
LOOK = 4  # pixels a side of the small picture that stands for CLIP's embedding
STRAIGHT = 0.5  # share of sets that are straight lines
BAD_ASSETS = 1.4  # assets for each bad clip wanted: in two kinds of eight nothing is seen to move


@dataclass(frozen=True)
class TrainingClips:
    """Coded clips with their drags."""

    z: Tensor  # (n, N, L, h, w) float16
    look: Tensor  # (n, 3·LOOK²), the first frame in few pixels
    points: Tensor  # (n, S, K, N, 2)
    present: Tensor  # (n, S, K) bool
    masks: Tensor  # (n, S, K, h, w), of each drag's part in frame 1: only one mechanism is told

    def __len__(self) -> int:
        return len(self.z)

    @staticmethod
    def mixed(good: TrainingClips, bad: TrainingClips, share: float) -> TrainingClips:
        """As many clips as `good` has, of which a share are bad ones."""
        count = round(share * len(good))
        if len(bad) < count:
            raise AblationError(f"got {len(bad)} bad clips, expected {count}: in too many assets nothing was seen to move, so "
                                "raise BAD_ASSETS")
        names = TrainingClips.__dataclass_fields__
        return TrainingClips(**{name: torch.cat([getattr(bad, name)[:count], getattr(good, name)[count:]]) for name in names})


def look_of(first: Tensor) -> Tensor:
    """(B, 3·LOOK²) of first frames (B, 3, H, W)."""
    return F.adaptive_avg_pool2d(first, LOOK).flatten(1)


def masks_of(parts: np.ndarray, points: Tensor, present: Tensor, grid: int) -> Tensor:
    """Which share of each cell is of a drag's part (K, grid, grid): parts (F, F) of frame 1, points (K, N, 2), present (K,)."""
    at = (points[:, 0].numpy().clip(0, 0.999) * len(parts)).astype(int)
    own = parts[at[:, 1], at[:, 0]]
    mask = torch.from_numpy((parts[None] == own[:, None, None]) & (own >= 0)[:, None, None]).float()
    return F.adaptive_avg_pool2d(mask, grid) * present[:, None, None]


def make_code(store: ClipStore) -> LinearCode:
    """Of frames of up to 1000 clips."""
    some = np.stack([store.frames(i)[i % ABLATION.frames] for i in range(min(len(store), 1000))])
    return LinearCode.of(to_tensor(some), ABLATION.unet["out_channels"], ABLATION.cell)


def coded(store: ClipStore, code: LinearCode, count: int, path: Path) -> TrainingClips:
    """The first `count` clips of a store, kept in the file `path` (.npz)."""
    if not path.is_file():
        arrays = [_coded(store, code, i) for i in tqdm(range(count), desc=f"coding {path.stem}", mininterval=5)]
        columns = {name: np.stack([one[name] for one in arrays]) for name in arrays[0]}
        with whole_file(path) as partial_file, open(partial_file, "wb") as file:
            np.savez(file, **columns)
    with np.load(path, allow_pickle=False) as stored:
        return TrainingClips(**{name: torch.from_numpy(stored[name]) for name in TrainingClips.__dataclass_fields__})


def _coded(store: ClipStore, code: LinearCode, number: int) -> dict[str, np.ndarray]:
    frames = to_tensor(store.frames(number))
    labels = store.labels(number, ("displacement", "field_parts", "drags"))
    draw = partial(draw_paths, labels["displacement"], labels["field_parts"], labels["drags"])
    drawn = [random_drags(draw, row_rng(0, number, s), ABLATION.max_drags, STRAIGHT) for s in range(SETS)]
    z = code.encode(frames)
    masks = torch.stack([masks_of(labels["field_parts"], *one, z.shape[-1]) for one in drawn])
    return {"z": z.half().numpy(), "look": look_of(frames[:1])[0].numpy(),
            "points": torch.stack([points for points, _ in drawn]).numpy(),
            "present": torch.stack([present for _, present in drawn]).numpy(), "masks": masks.half().numpy()}


def training_clips(folder: Path, count: int, bad: bool = False) -> tuple[LinearCode, TrainingClips]:
    """The code, and the good or the bad clips, all made on first use."""
    good = ClipStore(render_source(folder / f"cabinets-{count}", "cabinets", count, ABLATION))
    code = make_code(good)
    if not bad:
        return code, coded(good, code, len(good), folder / f"cabinets-{count}.npz")
    assets = ClipStore(render_source(folder / f"bad-{count}", "library:bad", round(BAD_ASSETS * count), ABLATION))
    return code, coded(assets, code, min(len(assets), len(good)), folder / f"bad-{count}.npz")


def shuffled(count: int, steps: int, batch: int, seed: int) -> Sequence[np.ndarray]:
    """Which clips each step sees (steps, batch): every clip once before any twice."""
    rng = np.random.default_rng(seed)
    rounds = -(-steps * batch // count)
    order = np.concatenate([rng.permutation(count) for _ in range(rounds)])
    return order[: steps * batch].reshape(steps, batch)

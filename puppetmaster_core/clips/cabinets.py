"""The procedural cabinet set: clip number i is the same wherever and whenever it is made."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from puppetmaster_core.assets import make_cabinet
from puppetmaster_core.clips.clip import Clip, make_clip

TEST_SEEDS = 1_000_000  # clips with a seed from here on are never trained on
SHARD = 250  # clips in a file
MAX_TRACKS = 12  # three moving parts, four candidates each


def cabinet_clip(seed: int, size: int, frames: int = 14, candidates: int = 4) -> Clip:
    """Clip `seed` of the set; a view in which nothing visible moves is passed over for the next."""
    asset, rng = make_cabinet(seed), np.random.default_rng([seed, 1])
    for _ in range(20):
        clip = make_clip(asset, rng, size=size, frames=frames, candidates=candidates)
        if len(clip.tracks):
            return clip
    raise RuntimeError(f"cabinet {seed}: no view out of 20 shows a moving part")


def render_cabinets(folder: str | os.PathLike, clips: int, size: int, *, frames: int = 14, workers: int = 2) -> list[Path]:
    """Render clips 0…clips−1 into files of 250 under `folder`; files that are there already are kept.

    Each file holds frames (n, N, H, W, 3) uint8, tracks (n, 12, N, 2) float32 and track_parts (n, 12) int16, −1 = none.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, clips, SHARD)
    paths = [folder / f"cabinets-{size}px-{start // SHARD:04d}.npz" for start in starts]
    todo = [(path, start, min(SHARD, clips - start), size, frames)
            for path, start in zip(paths, starts, strict=True) if not path.exists()]
    with ProcessPoolExecutor(max(1, workers), mp_context=get_context("spawn")) as pool:
        for _ in tqdm(pool.map(_render_shard, *zip(*todo, strict=True)) if todo else [], total=len(todo), desc="rendering"):
            pass
    return paths


def _render_shard(path: Path, start: int, count: int, size: int, frames: int) -> None:
    video = np.empty((count, frames, size, size, 3), np.uint8)
    tracks = np.zeros((count, MAX_TRACKS, frames, 2), np.float32)
    parts = np.full((count, MAX_TRACKS), -1, np.int16)
    for i in range(count):
        clip = cabinet_clip(start + i, size, frames)
        n = min(len(clip.tracks), MAX_TRACKS)
        video[i], tracks[i, :n], parts[i, :n] = clip.frames, clip.tracks[:n], clip.track_parts[:n]
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        np.savez(file, frames=video, tracks=tracks, track_parts=parts)
    os.replace(partial, path)

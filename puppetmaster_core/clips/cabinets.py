"""The procedural cabinet set: clip number i is the same wherever and whenever it is made."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from puppetmaster_core.assets import asset_source
from puppetmaster_core.clips.clip import Clip, make_clip
from puppetmaster_core.clips.records import ClipError
from puppetmaster_core.files import read_arrays, whole_file

GENERATION = 1  # raise it when the cabinets, the cameras or the light change: rendered files are then made anew
WATCH_SEEDS = 900_000  # clips with a seed from here on are never trained on; a training run shows its progress on them
TEST_SEEDS = 1_000_000  # and from here on they are only judged on
SHARD = 250  # clips in a file
ARRAYS = ("frames", "tracks", "track_parts")  # of a file, beside its seeds
MAX_TRACKS = 12  # three moving parts, four candidates each


def cabinet_clip(seed: int, size: int, frames: int = 14, candidates: int = 4) -> Clip:
    """Clip `seed` of the set; a view in which nothing visible moves is passed over for the next.

    Raises RuntimeError where no view out of 20 shows a moving part.
    """
    asset, rng = asset_source().make_asset("cabinet", seed), np.random.default_rng([seed, 1])
    for _ in range(20):
        clip = make_clip(asset, rng, size=size, frames=frames, candidates=candidates)
        if len(clip.tracks):
            return clip
    raise RuntimeError(f"cabinet {seed}: no view out of 20 shows a moving part")


def render_cabinets(folder: str | os.PathLike, clips: int, size: int, *, frames: int = 14, workers: int = 2) -> list[Path]:
    """Render clips 0…clips−1 into files of 250 under `folder`; files that are there already are kept.

    Each file holds frames (n, N, H, W, 3) uint8, tracks (n, 12, N, 2) float32, track_parts (n, 12) int16, −1 = none, and
    the seeds (n,) of its clips: a cabinet that cannot be seen to move is left out. Raises ValueError where training
    would reach the clips that are kept for judging.
    """
    if clips > WATCH_SEEDS:
        raise ValueError(f"{clips} clips asked for, but seeds from {WATCH_SEEDS} on are kept for judging: ask for fewer")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"cabinets-v{GENERATION}-{size}px-{frames}f"
    jobs = []
    for start in range(0, clips, SHARD):
        stop = min(start + SHARD, clips)
        jobs.append((folder / f"{name}-{start:06d}-{stop:06d}.npz", start, stop, size, frames))
    todo = [job for job in jobs if not job[0].exists()]
    if todo:
        with ProcessPoolExecutor(max(1, workers), mp_context=get_context("spawn")) as pool:
            list(tqdm(pool.map(_render_shard, *zip(*todo, strict=True)), total=len(todo), desc="rendering"))
    return [job[0] for job in jobs]


def load_cabinets(folder: str | os.PathLike, clips: int, size: int, *, frames: int = 14,
                  workers: int = 2) -> list[list[np.ndarray]]:
    """Frames, tracks and track_parts of each file that `render_cabinets` makes; a damaged one is rendered again.

    Raises ValueError as that does, ClipError where what was just rendered cannot be read.
    """
    paths = render_cabinets(folder, clips, size, frames=frames, workers=workers)
    found = {path: read_arrays(path, ARRAYS) for path in paths}
    damaged = [path for path, arrays in found.items() if arrays is None]
    for path in damaged:
        tqdm.write(f"{path}: cannot be read, so it is rendered again", file=sys.stderr)
        path.unlink()
    if damaged:
        render_cabinets(folder, clips, size, frames=frames, workers=workers)
    for path in damaged:
        found[path] = read_arrays(path, ARRAYS)
        if found[path] is None:
            raise ClipError(f"{path}: cannot be read though just rendered, wanted clips: use a folder on another disk")
    return list(found.values())


def _render_shard(path: Path, start: int, stop: int, size: int, frames: int) -> None:
    kept = []
    for seed in range(start, stop):
        try:
            kept.append((seed, cabinet_clip(seed, size, frames)))
        except RuntimeError as error:
            tqdm.write(f"left out: {error}")
    video = np.empty((len(kept), frames, size, size, 3), np.uint8)
    tracks = np.zeros((len(kept), MAX_TRACKS, frames, 2), np.float32)
    parts = np.full((len(kept), MAX_TRACKS), -1, np.int16)
    for i, (_, clip) in enumerate(kept):
        n = min(len(clip.tracks), MAX_TRACKS)
        video[i], tracks[i, :n], parts[i, :n] = clip.frames, clip.tracks[:n], clip.track_parts[:n]
    with whole_file(path) as partial, open(partial, "wb") as file:
        np.savez(file, frames=video, tracks=tracks, track_parts=parts, seeds=np.array([seed for seed, _ in kept]))

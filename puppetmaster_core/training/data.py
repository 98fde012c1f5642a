"""Training clips, from memory or from shards on disk, and the latents the VAE makes of them.

Letters: n clips, N frames, P candidate tracks, K drags, B batch, C latent channels, (h, w) latent grid.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor
from tqdm import tqdm

from puppetmaster_core.clips.cabinets import WATCH_SEEDS, render_cabinets
from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.clips.records import ClipError
from puppetmaster_core.clips.sampling import choose_paths
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.drags import Drags
from puppetmaster_core.files import whole_file
from puppetmaster_core.latents import downscale, encode
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.training.records import saving
from puppetmaster_core.training.settings import TrainingError


class Clips(Protocol):
    """What training needs of clips."""

    def __len__(self) -> int: ...

    @property
    def digest(self) -> str:
        """Of what the clips are: latents of other clips have other names."""

    def frames(self, number: int, some: slice = slice(None)) -> np.ndarray:
        """Frames (N, H, W, 3) uint8 of a clip, or some of them."""

    def paths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Candidate tracks (P, N, 2) float32 of a clip, and the part (P,) that each rides on, −1 = no track."""

    def mixture(self, seed: int) -> Mixture:
        """In which order they are drawn."""


@dataclass(frozen=True)
class ClipArrays:
    """Clips in memory: video (n, N, H, W, 3) uint8, tracks (n, P, N, 2), track_parts (n, P), −1 = no track."""

    video: np.ndarray
    tracks: np.ndarray
    track_parts: np.ndarray
    digest: str = "cabinets"

    def __len__(self) -> int:
        return len(self.video)

    @classmethod
    def cabinets(cls, folder, clips: int, size: int, frames: int, workers: int = 2) -> ClipArrays:
        """The procedural cabinets, rendered into `folder` on first use."""
        paths = render_cabinets(folder, clips, size, frames=frames, workers=workers)
        parts = []
        for path in paths:
            with np.load(path, allow_pickle=False) as stored:
                parts.append([stored[name] for name in ("frames", "tracks", "track_parts")])
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def frames(self, number: int, some: slice = slice(None)) -> np.ndarray:
        return self.video[number, some]

    def paths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return self.tracks[number], self.track_parts[number]

    def mixture(self, seed: int) -> Mixture:
        return Mixture({"all": np.arange(len(self))}, {"all": 1.0}, seed)


class ShardClips:
    """The clips of some folders that `puppetmaster render` made, drawn in the balanced mixture of App. C.1.

    Groups without clips give their share to the others. Raises TrainingError for folders without whole clips of the given
    frames and size, and for procedural assets that are kept for judging.
    """

    def __init__(self, folders: Sequence[Path], size: int, frames: int, cache: Path):
        """cache: a folder for the tracks of all clips, which are then read from there."""
        try:
            self.stores = [ClipStore(folder) for folder in folders]
            for store in self.stores:
                _check_store(store, size, frames)
            self._place = [(store, number) for store in self.stores for number in range(len(store))]
            self._tracks, self._parts, self._starts = self._read_paths(cache)
        except ClipError as error:
            raise TrainingError(str(error)) from error

    def __len__(self) -> int:
        return len(self._place)

    @cached_property
    def digest(self) -> str:
        keys = (f"{shard}/{key}/{length}" for store in self.stores
                for shard, key, length in zip(*(store.column(name) for name in ("shard", "key", "length")), strict=True))
        return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:8]

    @cached_property
    def groups(self) -> dict[str, int]:
        """How many clips there are of each group of the mixture."""
        names, counts = np.unique(self._groups(), return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def frames(self, number: int, some: slice = slice(None)) -> np.ndarray:
        store, own = self._place[number]
        return store.frames(own, some)

    def paths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        here = slice(self._starts[number], self._starts[number + 1])
        return self._tracks[here], self._parts[here]

    def mixture(self, seed: int) -> Mixture:
        try:
            return Mixture.of(self._groups(), seed=seed, allow_missing=True)
        except ValueError as error:
            raise TrainingError(f"{self.stores[0].folder}: no clip with a drag came, wanted some: {error}") from None

    def _groups(self) -> np.ndarray:
        groups = np.array([group for store in self.stores for group in store.column("group")], dtype=object)
        groups[np.diff(self._starts) == 0] = "no drag"
        return groups.astype(str)

    def _read_paths(self, cache: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        path = cache / f"paths-{self.digest}.npz"
        if not path.is_file():
            read = [store.labels(number, ("tracks", "track_parts")) for store, number
                    in tqdm(self._place, desc="reading tracks", mininterval=5)]
            starts = np.cumsum([0, *(len(labels["tracks"]) for labels in read)])
            with whole_file(path) as partial, open(partial, "wb") as file:
                np.savez(file, starts=starts, **{name: np.concatenate([labels[name] for labels in read])
                                                 for name in ("tracks", "track_parts")})
        with np.load(path, allow_pickle=False) as stored:
            return stored["tracks"], stored["track_parts"], stored["starts"]


def _check_store(store: ClipStore, size: int, frames: int) -> None:
    """Raise TrainingError or ClipError unless the clips fit, their shards are whole, and none is kept for judging."""
    if not len(store):
        raise ClipError(f"{store.folder}: no clips came, wanted some: make them with puppetmaster render")
    for name, wanted in (("size", size), ("frames", frames)):
        if odd := sorted(set(store.column(name)) - {wanted}):
            raise TrainingError(f"{store.folder}: clips with {name} {odd[0]} came, this model wants {wanted}: render them with "
                                f"--{name} {wanted}")
    kept = [asset for asset, seed, source in zip(*(store.column(c) for c in ("asset", "seed", "source")), strict=True)
            if source.startswith("procedural") and seed >= WATCH_SEEDS]
    if kept:
        raise TrainingError(f"{store.folder}: {kept[0]} came, but procedural assets with seeds from {WATCH_SEEDS} on are kept "
                            "for judging: render others")
    ends: dict[str, int] = {}
    for shard, offset, length in zip(*(store.column(c) for c in ("shard", "offset", "length")), strict=True):
        ends[shard] = max(ends.get(shard, 0), offset + length)
    for shard, end in ends.items():
        path = store.folder / Path(shard).name
        there = path.stat().st_size if path.is_file() else 0
        if there < end:
            raise ClipError(f"{path}: {there} bytes came, wanted at least {end}: a half-written shard, render it again")


def random_drags(clips: Clips, number: int, rng: np.random.Generator, max_drags: int, straight: float) -> tuple[Tensor, Tensor]:
    """One random drag a moving part of a clip: points (K_max, N, 2) and present (K_max,).

    With probability `straight` they are the straight lines of Drag-a-Move instead of the true paths.
    """
    paths = choose_paths(*clips.paths(number), rng, max_drags=max_drags, straight=rng.random() < straight)
    return Drags(paths).without_near_duplicates(generator=rng).tensors(max_drags)


def latents_file(folder: Path, vae_weights: bytes, clips: Clips) -> Path:
    """Where the latents of these clips by this VAE are kept."""
    which = "" if clips.digest == "cabinets" else f"-{clips.digest}"
    return folder / f"latents-{len(clips)}{which}-{hashlib.sha256(vae_weights).hexdigest()[:8]}.npy"


@torch.no_grad()
def cache_latents(vae: AutoencoderKLTemporalDecoder, clips: Clips, path: Path, mixed_precision: str = "no", batch: int = 8,
                  until: float = float("inf")) -> np.ndarray | None:
    """Latents z (n, N, C, h, w) float16 of all clips, mapped from `path` (.npy), where they are written once.

    mixed_precision: "bf16" is faster where it pays in training (`RunSettings`), "no" is float32. until: of `time.monotonic`;
    None is returned where that came first. A stopped or killed call goes on where it was.
    """
    if path.exists():
        return np.load(path, mmap_mode="r", allow_pickle=False)
    device, first = next(vae.parameters()).device, clips.frames(0)
    shape = (len(clips), len(first), vae.config.latent_channels, *(side // downscale(vae) for side in first.shape[1:3]))
    partial, count = path.with_suffix(".partial"), path.with_suffix(".done.partial")
    done = int(count.read_text()) if partial.exists() and count.exists() else 0
    with saving(path, "latents encoded so far are kept"):
        stored = np.lib.format.open_memmap(partial, "r+" if done else "w+", np.float16, shape)
        with open(partial, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, partial.stat().st_size)  # a disk that fills later kills who writes to a map
    with tqdm(total=len(clips), initial=done, desc="encoding", mininterval=5) as bar:
        while done < len(clips):
            if time.monotonic() >= until:
                return None
            clip = to_tensor(np.stack([clips.frames(i) for i in range(done, min(done + batch, len(clips)))])).to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision == "bf16"):
                z = encode(vae, clip.flatten(0, 1))
            stored[done : done + len(clip)] = z.unflatten(0, clip.shape[:2]).half().cpu().numpy()
            done += len(clip)
            stored.flush()
            with whole_file(count) as file:
                file.write_text(str(done))
            bar.update(len(clip))
    partial.replace(path)
    count.unlink()
    return np.load(path, mmap_mode="r", allow_pickle=False)

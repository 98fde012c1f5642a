"""Training clips, from memory or from shards on disk, and the latents the VAE makes of them.

Letters: n clips, N frames, P candidate tracks, K drags, B batch, C latent channels, (h, w) latent grid.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor
from tqdm import tqdm

from puppetmaster_core.clips.cabinets import WATCH_SEEDS, load_cabinets
from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.clips.records import ClipError
from puppetmaster_core.clips.sampling import choose_paths
from puppetmaster_core.clips.shards import ClipStore, damage
from puppetmaster_core.drags import Drags
from puppetmaster_core.files import read_arrays, whole_file, write_json
from puppetmaster_core.latents import downscale, encode
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.training.crew import crew
from puppetmaster_core.training.records import saving
from puppetmaster_core.training.settings import TrainingError

PATHS = ("tracks", "track_parts", "starts", "left_out", "reasons")  # arrays of a run folder's paths-DIGEST.npz


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
        parts = load_cabinets(folder, clips, size, frames=frames, workers=workers)
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def frames(self, number: int, some: slice = slice(None)) -> np.ndarray:
        return self.video[number, some]

    def paths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return self.tracks[number], self.track_parts[number]

    def mixture(self, seed: int) -> Mixture:
        return Mixture({"all": np.arange(len(self))}, {"all": 1.0}, seed)


class ShardClips:
    """The clips of some folders that `puppetmaster render` made, drawn in the balanced mixture of App. C.1.

    Groups without clips give their share to the others. A clip that cannot be read is left out of the mixture, for as long as the
    run folder is used, and left_out-DIGEST.json there says why; it keeps its number, and another's frames stand for its own. All
    clips are tried at the first start: what is damaged later is an error where it is drawn. Raises TrainingError for folders
    without whole clips of the given frames and size, and for procedural assets that are kept for judging.
    """

    def __init__(self, folders: Sequence[Path], size: int, frames: int, cache: Path):
        """cache: a folder for the tracks of all clips, which are then read from there, and for why clips are left out."""
        try:
            self.stores = [ClipStore(folder) for folder in folders]
            for store in self.stores:
                _check_store(store, size, frames)
            self._frames = frames
            self._place = [(store, number) for store in self.stores for number in range(len(store))]
            self._tracks, self._parts, self._starts, self.left_out = self._read_paths(cache / f"paths-{self._stored}.npz")
            self._leave_out(cache / f"left_out-{self._stored}.json")
        except ClipError as error:
            raise TrainingError(str(error)) from error

    def __len__(self) -> int:
        return len(self._place)

    @property
    def digest(self) -> str:
        """Of the clips that are stored, and of which are left out: a mended clip makes other latents, and another run."""
        return _digest([self._stored, *map(str, self.left_out)]) if self.left_out else self._stored

    @cached_property
    def _stored(self) -> str:
        keys = (f"{shard}/{key}/{length}" for store in self.stores
                for shard, key, length in zip(*(store.column(name) for name in ("shard", "key", "length")), strict=True))
        return _digest(keys)

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
        groups[list(self.left_out)] = "cannot be read"
        return groups.astype(str)

    def _read_paths(self, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, str]]:
        """Tracks and parts of all clips, where each clip's begin (n + 1,), and which clips are left out and why."""
        arrays = read_arrays(path, PATHS)
        if arrays is None:
            with ThreadPoolExecutor() as pool:
                read = list(tqdm(pool.map(self._read, range(len(self))), total=len(self), desc="reading clips", mininterval=5))
            tracks, parts, reasons = zip(*read, strict=True)
            lost = [number for number, reason in enumerate(reasons) if reason]
            if len(lost) == len(self):
                raise ClipError(f"no clip came that can be read, wanted some; the first: {reasons[0]}")
            arrays = [np.concatenate(tracks), np.concatenate(parts), np.cumsum([0, *map(len, tracks)]), np.array(lost, int),
                      np.array([reasons[number] for number in lost], str)]
            with saving(path), whole_file(path) as partial, open(partial, "wb") as file:
                np.savez(file, **dict(zip(PATHS, arrays, strict=True)))
        return *arrays[:3], dict(zip(arrays[3].tolist(), arrays[4].tolist(), strict=True))

    def _read(self, number: int) -> tuple[np.ndarray, np.ndarray, str]:
        """Tracks and parts of a clip, or none and why, where they or a frame cannot be read."""
        store, own = self._place[number]
        try:
            store.frames(own)
            labels = store.labels(own, PATHS[:2])
        except ClipError as error:
            return np.zeros((0, self._frames, 2), np.float32), np.zeros(0, np.int16), str(error)
        return labels["tracks"], labels["track_parts"], ""

    def _leave_out(self, path: Path) -> None:
        """Write which clips are left out, say so, and let the first that is not stand for them."""
        if not self.left_out:
            return
        with saving(path):
            write_json(path, [{"clip": number, "cause": reason} for number, reason in self.left_out.items()])
        if crew().is_main_process:
            tqdm.write(f"left out, as they cannot be read: {len(self.left_out)} of {len(self)} clips, listed in {path}; the "
                       f"first: {next(iter(self.left_out.values()))}", file=sys.stderr)
        whole = next(number for number in range(len(self)) if number not in self.left_out)
        for number in self.left_out:
            self._place[number] = self._place[whole]


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


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
    if wrong := damage(store.folder, store.index):
        raise ClipError(f"{wrong}, render it again: the same puppetmaster render command does")


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
    if (made := _mapped(path)) is not None:
        return made
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
    return _mapped(path)


def _mapped(path: Path) -> np.ndarray | None:
    """An .npy file's array, on disk; None where it is not there or damaged."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError):
        return None

"""What training needs of clips, clips in memory, and the latents the VAE makes of them.

Letters: n clips, N frames, P candidate tracks, K drags, B batch, C latent channels, (h, w) latent grid.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor
from tqdm import tqdm

from puppetmaster_core.clips.cabinets import load_cabinets
from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.clips.sampling import choose_paths
from puppetmaster_core.drags import Drags
from puppetmaster_core.files import whole_file
from puppetmaster_core.latents.pictures import downscale, encode
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.training.records import saving


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

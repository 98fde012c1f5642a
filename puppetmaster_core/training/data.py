"""Training data held in memory: rendered clips, and the latents the VAE makes of them.

Letters: n clips, N frames, P candidate tracks, K drags, B batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor
from tqdm import tqdm

from puppetmaster_core.clips.cabinets import render_cabinets
from puppetmaster_core.clips.sampling import straightened
from puppetmaster_core.latents import encode


@dataclass(frozen=True)
class ClipArrays:
    """Many clips: frames (n, N, H, W, 3) uint8, tracks (n, P, N, 2), track_parts (n, P), −1 = no track."""

    frames: np.ndarray
    tracks: np.ndarray
    track_parts: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def cabinets(cls, folder, clips: int, size: int, frames: int, workers: int = 2) -> ClipArrays:
        """The procedural cabinets, rendered into `folder` on first use."""
        paths = render_cabinets(folder, clips, size, frames=frames, workers=workers)
        parts = []
        for path in paths:
            with np.load(path, allow_pickle=False) as stored:
                parts.append([stored[name] for name in ("frames", "tracks", "track_parts")])
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def drags(self, index: int, rng: np.random.Generator, max_drags: int, straight: float) -> tuple[np.ndarray, np.ndarray]:
        """One random drag a moving part of clip `index`: points (K_max, N, 2) and present (K_max,).

        With probability `straight` they are the straight lines of Drag-a-Move instead of the true paths.
        """
        own = self.track_parts[index]
        parts = rng.permutation(np.unique(own[own >= 0]))[:max_drags]
        points, present = np.zeros((max_drags, *self.tracks.shape[2:]), np.float32), np.zeros(max_drags, bool)
        for k, part in enumerate(parts):
            points[k] = self.tracks[index, rng.choice(np.flatnonzero(own == part))]
        present[: len(parts)] = True
        return (straightened(points) if rng.random() < straight else points), present

    def batch_of_drags(self, indices, rng, max_drags: int, straight: float) -> tuple[Tensor, Tensor]:
        """Drags for several clips: points (B, K_max, N, 2), present (B, K_max)."""
        pairs = [self.drags(i, rng, max_drags, straight) for i in indices]
        return torch.from_numpy(np.stack([p for p, _ in pairs])), torch.from_numpy(np.stack([m for _, m in pairs]))


def pictures(frames: np.ndarray) -> Tensor:
    """uint8 (…, H, W, 3) to float (…, 3, H, W) in [−1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1


@torch.no_grad()
def cache_latents(vae: AutoencoderKLTemporalDecoder, frames: np.ndarray, path: Path, batch: int = 8) -> np.ndarray:
    """Latents z (n, N, C, h, w) float16 of clips (n, N, H, W, 3), written to `path` (.npy) once and read from there after."""
    if path.exists():
        return np.load(path, allow_pickle=False)
    device, out = next(vae.parameters()).device, []
    for start in tqdm(range(0, len(frames), batch), desc="encoding", mininterval=5):
        clip = pictures(frames[start : start + batch]).to(device)
        out.append(encode(vae, clip.flatten(0, 1)).unflatten(0, clip.shape[:2]).half().cpu().numpy())
    latents = np.concatenate(out)
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        np.save(file, latents)
    partial.replace(path)
    return latents

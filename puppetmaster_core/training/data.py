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
from puppetmaster_core.clips.sampling import choose_paths
from puppetmaster_core.drags import Drags
from puppetmaster_core.files import whole_file
from puppetmaster_core.latents import encode
from puppetmaster_core.pictures import to_tensor


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

    def drags(self, index: int, rng: np.random.Generator, max_drags: int, straight: float) -> tuple[Tensor, Tensor]:
        """One random drag a moving part of clip `index`: points (K_max, N, 2) and present (K_max,).

        With probability `straight` they are the straight lines of Drag-a-Move instead of the true paths.
        """
        paths = choose_paths(self.tracks[index], self.track_parts[index], rng, max_drags=max_drags,
                             straight=rng.random() < straight)
        return Drags(paths).without_near_duplicates(generator=rng).tensors(max_drags)

    def batch_of_drags(self, indices, rng, max_drags: int, straight: float) -> tuple[Tensor, Tensor]:
        """Drags for several clips: points (B, K_max, N, 2), present (B, K_max)."""
        pairs = [self.drags(i, rng, max_drags, straight) for i in indices]
        return torch.stack([p for p, _ in pairs]), torch.stack([m for _, m in pairs])


@torch.no_grad()
def cache_latents(vae: AutoencoderKLTemporalDecoder, frames: np.ndarray, path: Path, mixed_precision: str = "no",
                  batch: int = 8) -> np.ndarray:
    """Latents z (n, N, C, h, w) float16 of clips (n, N, H, W, 3), written to `path` (.npy) once and read from there after.

    mixed_precision: "bf16" is five times as fast where it pays in training (`RunSettings`), "no" is float32.
    """
    if path.exists():
        return np.load(path, allow_pickle=False)
    device, out = next(vae.parameters()).device, []
    for start in tqdm(range(0, len(frames), batch), desc="encoding", mininterval=5):
        clip = to_tensor(frames[start : start + batch]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision == "bf16"):
            z = encode(vae, clip.flatten(0, 1))
        out.append(z.unflatten(0, clip.shape[:2]).half().cpu().numpy())
    latents = np.concatenate(out)
    with whole_file(path) as partial, open(partial, "wb") as file:
        np.save(file, latents)
    return latents

"""The latents that a scale's own VAE makes of its clips, encoded on first use.

Letters: n clips, N frames, C latent channels, (h, w) latent grid.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLTemporalDecoder
from tqdm import tqdm

from puppetmaster_core.files import whole_file
from puppetmaster_core.latents.pictures import downscale, encode
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.training.checkpoint import saving
from puppetmaster_core.training.shard_clips import ShardClips


def latents_file(folder: Path, vae_weights: bytes, clips: ShardClips) -> Path:
    """Where latents of these clips by this VAE are cached: other weights or other clips make another file."""
    code = hashlib.sha256(clips.digest.encode() + vae_weights).hexdigest()[:8]
    return folder / f"latents-{len(clips)}-{code}.npy"


@torch.no_grad()
def cache_latents(vae: AutoencoderKLTemporalDecoder, clips: ShardClips, path: Path, mixed_precision: str = "no", batch: int = 8,
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

"""The judge of a model on unseen procedural cabinets: pictures against pictures, and where the parts went."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from tqdm import tqdm

from puppetmaster_core.assets import make_cabinet
from puppetmaster_core.clips import Clip, sample_drags
from puppetmaster_core.clips.cabinets import TEST_SEEDS, cabinet_clip
from puppetmaster_core.evaluation.metrics import (
    bootstrap_interval,
    edge_energy_ratio,
    moving_region,
    psnr,
    psnr_moving,
    psnr_still,
    static_copy,
)
from puppetmaster_core.evaluation.travel import joint_travel
from puppetmaster_core.latents import decode, encode
from puppetmaster_core.render import Camera


def unseen_clips(count: int, size: int, frames: int) -> Iterable[Clip]:
    """`count` clips that no training has seen."""
    return (cabinet_clip(TEST_SEEDS + i, size, frames) for i in range(count))


def evaluate_clip(pipeline, clip: Clip, *, seed: int = 0, straight: bool = False, **sampling) -> dict:
    """Scores of one clip: the model's, repeating frame 1's, and the VAE's reconstruction's (the ceiling). PSNR in dB.

    Drags are the true tracks of one visible point a moving part, or straight lines between their ends.
    """
    drags = sample_drags(clip, np.random.default_rng([seed, 2]), max_drags=pipeline.unet.config.max_drags, straight=straight)
    video = pipeline(clip.frames[0], drags, seed=seed, **sampling).frames
    asset, camera = make_cabinet(clip.provenance["seed"]), Camera(**clip.camera)
    travel = [joint_travel(video[-1], asset, camera, int(part)) for part in np.unique(clip.track_parts)]
    rows = {"model": video, "static copy": static_copy(clip.frames), "VAE": reconstruct(pipeline.vae, clip.frames)}
    scores = {name: {"whole": psnr(v, clip.frames), "moving": psnr_moving(v, clip.frames), "still": psnr_still(v, clip.frames)}
              for name, v in rows.items()}
    scores["model"]["edge energy"] = edge_energy_ratio(video, clip.frames, moving_region(clip.frames))
    return {"seed": clip.provenance["seed"], "travel": travel, **scores}


def reconstruct(vae, frames: np.ndarray) -> np.ndarray:
    """D(E(·)) of a clip (N, H, W, 3) uint8, without any anchoring."""
    pictures = torch.from_numpy(frames).to(vae.device).movedim(-1, 1).float() / 127.5 - 1
    with torch.no_grad():
        again = decode(vae, encode(vae, pictures)[None])[0]
    return ((again.clamp(-1, 1) + 1) * 127.5).round().byte().movedim(1, -1).cpu().numpy()


def summary(scores: list[dict]) -> dict:
    """Means over clips with 95 % bootstrap intervals, and the share of parts that went the drag's way."""
    generator = np.random.default_rng(0)

    def mean(values) -> dict:
        values = np.asarray([v for v in values if np.isfinite(v)])
        low, high = bootstrap_interval(values, generator)
        return {"mean": float(values.mean()), "low": float(low), "high": float(high)}

    table = {name: {metric: mean([s[name][metric] for s in scores]) for metric in scores[0][name]}
             for name in ("model", "static copy", "VAE")}
    travel = np.concatenate([s["travel"] for s in scores])
    travel = travel[np.isfinite(travel)]
    return {"clips": len(scores), "parts": len(travel), **table, "travel": mean(travel),
            "right direction": float((travel > 0).mean()),
            "clips with every part right": float(np.mean([all(t > 0 for t in s["travel"] if np.isfinite(t)) for s in scores]))}


def evaluate_cabinets(pipeline, count: int = 64, **options) -> tuple[dict, list[dict]]:
    """Summary and per-clip scores of a pipeline on `count` unseen cabinets."""
    clips = unseen_clips(count, pipeline.config.size, pipeline.config.frames)
    scores = [evaluate_clip(pipeline, clip, **options) for clip in tqdm(clips, total=count, desc="evaluating")]
    return summary(scores), scores


def table(summary: dict) -> str:
    """The summary as text."""
    lines = [f"{summary['clips']} unseen clips, {summary['parts']} dragged parts; PSNR in dB, frames 2 to N, 95 % intervals",
             f"{'':12} {'whole frame':>22} {'moving region':>22} {'still region':>22}"]
    for name in ("model", "static copy", "VAE"):
        means = [summary[name][region] for region in ("whole", "moving", "still")]
        cells = [f"{m['mean']:6.2f} [{m['low']:5.2f}, {m['high']:5.2f}]" for m in means]
        lines.append(f"{name:12} " + " ".join(f"{cell:>22}" for cell in cells))
    travel, edges = summary["travel"], summary["model"]["edge energy"]
    lines.append(f"right direction: {summary['right direction']:.1%} of parts; travel {travel['mean']:.2f} of the true one; "
                 f"edge energy in the moving region {edges['mean']:.2f} of the true one")
    return "\n".join(lines)

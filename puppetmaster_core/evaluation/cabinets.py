"""The judge of a model on unseen procedural cabinets: pictures against pictures, and where the parts went."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from puppetmaster_core.assets import asset_source
from puppetmaster_core.clips import Clip, sample_drags
from puppetmaster_core.clips.cabinets import TEST_SEEDS, cabinet_clip
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.metrics import (
    bootstrap_interval,
    edge_energy_ratio,
    moving_region,
    psnr,
    psnr_moving,
    psnr_still,
    static_copy,
)
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.evaluation.travel import joint_travel
from puppetmaster_core.evaluation.videos import keep_video, model_folder
from puppetmaster_core.latents.pictures import decode, decode_anchored, encode
from puppetmaster_core.pictures import to_frames, to_tensor
from puppetmaster_core.provenance import commit
from puppetmaster_core.render import Camera

ROWS = ("model", "static copy", "VAE", "VAE, anchored")


def unseen_clips(count: int, size: int, frames: int) -> Iterable[Clip]:
    """`count` clips that no training has seen."""
    return (cabinet_clip(TEST_SEEDS + i, size, frames) for i in range(count))


def evaluate_clip(pipeline, clip: Clip, *, seed: int = 0, straight: bool = False, videos: Path | None = None,
                  **sampling) -> dict:
    """Scores of one clip: the model's, repeating frame 1's, and the VAE's reconstruction's (the ceiling). PSNR in dB.

    Drags are the true tracks of one visible point a moving part, or straight lines between their ends. Noise and drags
    are drawn from `seed` and the clip's own seed. videos: the folder that keeps the model's.
    """
    own = clip.provenance["seed"]
    drags = sample_drags(clip, np.random.default_rng([seed, own]), max_drags=pipeline.unet.config.max_drags, straight=straight)
    made = pipeline(clip.frames[0], drags, seed=(seed + own) % 2**32, **sampling)
    keep_video(videos, name_of(clip), made)
    video = made.frames
    asset, camera = asset_source().make_asset("cabinet", own), Camera(**clip.camera)
    travel = [joint_travel(video[-1], asset, camera, part) for part in dragged_parts(clip, drags)]
    rows = {"model": video, "static copy": static_copy(clip.frames), "VAE": reconstruct(pipeline, clip.frames),
            "VAE, anchored": reconstruct(pipeline, clip.frames, anchored=True)}
    scores = {name: {"whole": psnr(v, clip.frames), "moving": psnr_moving(v, clip.frames), "still": psnr_still(v, clip.frames)}
              for name, v in rows.items()}
    scores["model"]["edge energy"] = edge_energy_ratio(video, clip.frames, moving_region(clip.frames))
    return {"seed": own, "travel": travel, **scores}


def name_of(clip: Clip) -> str:
    """A cabinet's name among others: what its video is called."""
    return f"cabinet-{clip.provenance['seed']}"


def dragged_parts(clip: Clip, drags: Drags) -> list[int]:
    """The sub-models, sorted, that carry drags drawn from the clip's candidates: a near duplicate's has none."""
    origins = {path[0].tobytes() for path in drags.points}
    return sorted({int(part) for part, path in zip(clip.track_parts, clip.tracks, strict=True) if path[0].tobytes() in origins})


@torch.no_grad()
def reconstruct(pipeline, frames: np.ndarray, anchored: bool = False) -> np.ndarray:
    """D(E(·)) of a clip (N, H, W, 3) uint8: the VAE's own, or as the pipeline decodes, with what is lost of frame 1 put back."""
    pictures = to_tensor(frames).to(pipeline.vae.device)
    z = encode(pipeline.vae, pictures)[None]
    if not anchored or not pipeline.config.anchor:
        return to_frames(decode(pipeline.vae, z)[0])
    return to_frames(decode_anchored(pipeline.vae, z, pictures[:1], z[:, 0], pipeline.config.anchor)[0])


def summary(scores: list[dict]) -> dict:
    """Means over clips with 95 % bootstrap intervals, and the share of parts that went the drag's way."""
    generator = np.random.default_rng(0)

    def mean(values) -> dict:
        values = np.asarray([v for v in values if np.isfinite(v)])
        if not len(values):
            return dict.fromkeys(("mean", "low", "high"), float("nan"))
        low, high = bootstrap_interval(values, generator)
        return {"mean": float(values.mean()), "low": float(low), "high": float(high)}

    table = {name: {metric: mean([s[name][metric] for s in scores]) for metric in scores[0][name]}
             for name in ROWS}
    told = [[t for t in s["travel"] if np.isfinite(t)] for s in scores]  # what the last frame can tell
    travel = np.array([t for one in told for t in one])
    return {"clips": len(scores), "parts": len(travel), **table, "travel": mean(travel),
            "right direction": float((travel > 0).mean()) if len(travel) else float("nan"),
            "clips with every part right": float(np.mean([min(one) > 0 for one in told if one] or [np.nan]))}


def evaluate_cabinets(pipeline, count: int = 64, *, progress: Progress | None = None, model: str = "model",
                      videos: Path | None = None, **options) -> tuple[dict, list[dict]]:
    """Summary and per-clip scores of a pipeline on `count` unseen cabinets; the rest as for `library.evaluate_library`."""
    progress = progress or Progress()
    progress.begin({"kind": "cabinets", "model": model, "commit": commit(), "videos": videos and str(videos), **options})
    folder, scores = model_folder(videos, model, again=progress.resumed), []
    clips = unseen_clips(count, pipeline.config.size, pipeline.config.frames)
    for clip in tqdm(clips, total=count, desc="evaluating"):
        scores.append(progress.once("model", name_of(clip), partial(evaluate_clip, pipeline, clip, videos=folder, **options)))
    return summary(scores), scores


def table(summary: dict) -> str:
    """The summary as text."""
    lines = [f"{summary['clips']} unseen clips, {summary['parts']} dragged parts; PSNR in dB, frames 2 to N, 95 % intervals",
             f"{'':13} {'whole frame':>22} {'moving region':>22} {'still region':>22}"]
    for name in ROWS:
        means = [summary[name][region] for region in ("whole", "moving", "still")]
        cells = [f"{m['mean']:6.2f} [{m['low']:5.2f}, {m['high']:5.2f}]" for m in means]
        lines.append(f"{name:13} " + " ".join(f"{cell:>22}" for cell in cells))
    travel, edges = summary["travel"], summary["model"]["edge energy"]
    lines.append(f"right direction: {summary['right direction']:.1%} of parts; travel {travel['mean']:.2f} of the true one; "
                 f"edge energy in the moving region {edges['mean']:.2f} of the true one")
    return "\n".join(lines)

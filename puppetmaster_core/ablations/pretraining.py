"""The video model that attention arms are fine-tuned from: without drags, another look, twice the grid (§3.3, App. D)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from puppetmaster_core.ablations.data import TrainingClips, look_of
from puppetmaster_core.ablations.shapes import shapes_videos
from puppetmaster_core.ablations.subjects import JudgedClip
from puppetmaster_core.ablations.train import Task, sampled, scores, space_of, train_network, videos
from puppetmaster_core.evaluation.metrics import psnr_of_frames
from puppetmaster_core.files import whole_file, write_json
from puppetmaster_core.latents.linear import LinearCode
from puppetmaster_core.model import DragUNet
from puppetmaster_core.pictures import to_tensor
from puppetmaster_core.presets import ABLATION

LARGER = 2  # times the scale's size
VIDEOS, HELD_OUT = 800, 32
PLAIN = {"modulation": "none", "drag_tokens": False, "attention": "spatial"}  # SVD's network


def pretrained(work: Path, good: TrainingClips, code: LinearCode, steps: int, judged: list[JudgedClip],
               record: Callable[[dict], None]) -> dict[str, Tensor]:
    """The weights, made once. record: is given the curve, and how good its videos are at its own size and at ours (Fig. 8)."""
    path, told = work / f"pretrained-{steps}.safetensors", work / f"pretrained-{steps}.json"
    if not (path.is_file() and told.is_file()):
        torch.manual_seed(0)
        network = DragUNet(**ABLATION.unet | PLAIN)
        size = LARGER * ABLATION.size
        clips = coded_shapes(shapes_videos(VIDEOS, ABLATION.frames, size), code)
        task = Task(clips, space_of(good, residual=False))
        curve, seconds = train_network(network, task, seed=0, steps=steps, batch_size=8, warmup_steps=steps // 10,
                                       decay_steps=steps // 2)
        unseen = shapes_videos(HELD_OUT, ABLATION.frames, size, seed=1)
        smaller = unseen.reshape(*unseen.shape[:2], ABLATION.size, LARGER, ABLATION.size, LARGER, 3).mean((3, 5)).astype(np.uint8)
        made = {name: (sampled(network, task, code, shown[:, 0], 0), shown)
                for name, shown in (("its own size", unseen), ("half the size", smaller))}
        found = {name: np.mean([psnr_of_frames(*pair) for pair in zip(*both, strict=True)], 0).round(3).tolist()
                 for name, both in made.items()}
        ours = scores(videos(network, task, code, judged, 0), judged)
        about = {"curve": curve, "seconds": seconds, "frames": found, "scores": ours}
        write_json(told, about, indent=None)
        with whole_file(path) as partial:
            save_file(network.state_dict(), partial)
    record(json.loads(told.read_text(encoding="utf-8")))
    return load_file(path)


def coded_shapes(shown: np.ndarray, code: LinearCode) -> TrainingClips:
    """Videos (n, N, S, S, 3) as clips without drags."""
    z = torch.stack([code.encode(to_tensor(video)).half() for video in shown])
    first = torch.cat([look_of(to_tensor(video[:1])) for video in shown])
    n, frames, grid = len(shown), shown.shape[1], z.shape[-1]
    k = ABLATION.max_drags
    return TrainingClips(z, first, torch.zeros(n, 1, k, frames, 2), torch.zeros(n, 1, k, dtype=torch.bool),
                         torch.zeros(n, 1, k, grid, grid))

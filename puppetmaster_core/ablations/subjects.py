"""Unseen cabinets to judge arms on, with all of each that judging needs: drawn once, kept, and the same for every arm.

Letters: N frames, S shares of the true way, K drags, P points, T pixels that tell shares apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from puppetmaster_core.ablations.data import masks_of
from puppetmaster_core.clips.tracks import SurfacePoints, track
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.motion import PAPER_SIZE, foreground_points
from puppetmaster_core.evaluation.subjects import Subject, unseen_subjects
from puppetmaster_core.evaluation.travel import at_shares
from puppetmaster_core.files import whole_file
from puppetmaster_core.presets import ABLATION
from puppetmaster_core.render import render


@dataclass(frozen=True)
class DraggedPart:
    """A part on which drags begin, drawn as if it had moved by each of POSITIONS of its way."""

    where: np.ndarray  # (N − 1, 64, 64) bool: the pixels that tell, of frames 2 to N
    drawn: np.ndarray  # (S, T, 3) uint8: what they would show
    drags: np.ndarray  # (K',) numbers of its drags
    origins: np.ndarray  # (K', S, N − 1): how far the dragged point then is from its place, pixels at 256
    points: np.ndarray  # (S, N − 1): the same of the part's points, mean
    count: np.ndarray  # () how many points those are


@dataclass(frozen=True)
class JudgedClip:
    frames: np.ndarray  # (N, 64, 64, 3) uint8
    path: np.ndarray  # (K_max, N, 2), its drags
    present: np.ndarray  # (K_max,) bool
    masks: np.ndarray  # (K_max, h, w) of the dragged parts
    tracks: np.ndarray  # (P, N − 1, 2) of points that are not dragged, xy in [0, 1]
    seen: np.ndarray  # (P, N − 1) bool: in sight, and no dragged part about them
    parts: tuple[DraggedPart, ...] = ()


def judged_clips(path: Path, count: int) -> list[JudgedClip]:
    """The first `count` unseen cabinets that move, kept in the file `path` (.npz)."""
    if not path.is_file():
        subjects = unseen_subjects(count, ABLATION.size, ABLATION.frames, "cabinet")
        arrays = {}
        for i, subject in enumerate(tqdm(subjects, total=count, desc="drawing what is judged", mininterval=5)):
            arrays |= _flat(i, _judged(subject))
        with whole_file(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, **arrays)
    with np.load(path, allow_pickle=False) as stored:
        return [_read(stored, i) for i in range(count)]


def _flat(number: int, clip: JudgedClip) -> dict[str, np.ndarray]:
    own = {f"{number}/{f.name}": getattr(clip, f.name) for f in fields(clip) if f.name != "parts"}
    return own | {f"{number}/{p}/{f.name}": getattr(part, f.name)
                  for p, part in enumerate(clip.parts) for f in fields(part)}


def _read(stored, number: int) -> JudgedClip:
    own = {f.name: stored[f"{number}/{f.name}"] for f in fields(JudgedClip) if f.name != "parts"}
    parts = []
    while f"{number}/{len(parts)}/where" in stored:
        parts.append(DraggedPart(**{f.name: stored[f"{number}/{len(parts)}/{f.name}"] for f in fields(DraggedPart)}))
    return JudgedClip(**own, parts=tuple(parts))


def _judged(subject: Subject) -> JudgedClip:
    drags = subject.drags(ABLATION.max_drags)
    points, present = drags.tensors(ABLATION.max_drags)
    drawn = render(subject.asset, subject.positions, subject.camera, ABLATION.size)
    grid = ABLATION.size // ABLATION.cell
    parts = subject.dragged_parts(drags)
    tracks, seen = subject.undragged(parts)
    return JudgedClip(subject.clip.frames, points.numpy(), present.numpy(),
                      masks_of(drawn.part_ids[0], points, present, grid).numpy().astype(np.float16), tracks[:, 1:], seen[:, 1:],
                      tuple(_dragged(subject, drawn, drags, part) for part in parts))


def _dragged(subject: Subject, drawn, drags: Drags, part: int) -> DraggedPart:
    """One part, moved by every share."""
    asset, camera, size = subject.asset, subject.camera, ABLATION.size
    x, y = (drags.points[:, 0] * size).astype(int).T
    numbers = np.flatnonzero(drawn.part_ids[0][y, x] == part)
    grid = foreground_points(drawn.part_ids[0] == part).astype(int)
    at = np.concatenate([np.stack([x, y], 1)[numbers], grid])  # drags' points, then the part's
    surface = SurfacePoints(drawn.face[0][at[:, 1], at[:, 0]], drawn.barycentric[0][at[:, 1], at[:, 0]].astype(np.float64))
    true = track(surface.positions(asset, subject.positions), camera)  # (P, N, 2)
    where, shown, off = [], [], []
    for n, moved, telling, pictures in at_shares(asset, subject.positions, camera, part, range(1, ABLATION.frames), size):
        where.append(telling)
        shown.append(pictures)
        off.append(np.linalg.norm(track(surface.positions(asset, moved), camera) - true[:, n, None], axis=-1))  # (P, S)
    off = np.stack(off, -1).astype(np.float32) * PAPER_SIZE  # (P, S, N − 1)
    k = len(numbers)
    inside = off[k:].mean(0) if len(grid) else np.zeros(off.shape[1:], np.float32)
    return DraggedPart(np.stack(where), np.concatenate(shown, 1), numbers, off[:k], inside, np.array(len(grid)))


def told(clips: list[JudgedClip]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """points (n, K_max, N, 2), present (n, K_max) and masks (n, K_max, h, w) of clips, as networks take them."""
    return tuple(torch.from_numpy(np.stack([getattr(clip, name) for clip in clips])) for name in ("path", "present", "masks"))
